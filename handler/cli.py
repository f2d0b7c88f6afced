"""The ``renditions`` command: the same pipeline on local files, without AWS; and a bucket's."""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handler.argument_types import count, readable_file, writable_file, writable_folder
from handler.backfill.arguments import add_arguments
from handler.check import add_check_arguments, check
from handler.keys import MANIFEST_EXTENSION, MANIFEST_NAME
from handler.memory_limit import memory_limit
from handler.release import VERSION
from handler.settings import signer_settings
from imaging.config import DEFAULT_CONFIG, Config, load_config
from imaging.errors import ConfigError, error_from_exception
from imaging.limits import Memory
from imaging.local import FileSink, FileSource
from imaging.photo import PhotoOpener
from imaging.planning import Asked
from imaging.sidecar import sidecar
from imaging.signatures import Signing
from imaging.worker.client import Workers
from imaging.worker.spawning import Launch

if TYPE_CHECKING:
    from imaging.rendition import Rendition

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="renditions", description="Make the renditions of photos, as the function would."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True)
    rendering = commands.add_parser(
        "render",
        help="make renditions; a bad photo never stops the rest",
        description="Make renditions of local files; a bad photo never stops the rest. Where the "
        "configuration keeps content credentials, CREDENTIALS_KEY (a file in PEM) and "
        "CREDENTIALS_CERTIFICATES say who signs; without them renditions have none.",
    )
    rendering.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="a photo or a folder"
    )
    rendering.add_argument(
        "--out",
        required=True,
        type=writable_folder,
        metavar="DIR",
        help="a folder for each photo is made here",
    )
    rendering.add_argument(
        "--jobs",
        type=count,
        default=os.cpu_count() or 1,
        metavar="N",
        help="photos at once, as far as there is memory; default: one for each processor",
    )
    rendering.add_argument(
        "--report", type=writable_file, metavar="FILE.jsonl", help="one line per photo"
    )
    planning = commands.add_parser("plan", help="print what would happen; decodes nothing")
    planning.add_argument("path", type=Path, metavar="PATH", help="a photo")
    filling = commands.add_parser(
        "backfill",
        help="make the renditions of the photos that are in a bucket already",
        description="Make the renditions of the photos that are in a bucket already. Counts, "
        "estimates, asks, and works; after Ctrl-C the same command resumes. Without --stack it "
        "reads the function's environment variables, DESTINATION_BUCKET above all.",
    )
    add_arguments(filling)
    looking = commands.add_parser(
        "history",
        help="what became of one photo: its versions, its manifest, its renditions, its log lines",
        description="Print what S3 has of one photo and of its renditions, and the query for its "
        "log lines. Changes nothing. Without --stack it reads the function's environment "
        "variables, DESTINATION_BUCKET above all.",
    )
    looking.add_argument("photo", metavar="s3://BUCKET/KEY")
    looking.add_argument("--stack", metavar="NAME", help="a deployed stack")
    checking = commands.add_parser(
        "check",
        help="check a configuration, and say what it would change",
        description="Check a renditions.toml as the function would at init, print what it changes "
        "against the one in use, which photos become stale, and what renewing those costs.",
    )
    add_check_arguments(checking)
    for command in (rendering, planning):
        command.add_argument(
            "--config",
            type=readable_file,
            default=DEFAULT_CONFIG,
            metavar="FILE",
            help="which renditions; default: renditions.toml beside the code",
        )
        command.add_argument(
            "--focal-point",
            metavar="X,Y",
            help="0.5,0.5 is the middle; for renditions with that position",
        )
    return parser


def _photos(paths: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    """Yield each photo and its place below the output folder; folders are walked in order."""
    for path in paths:
        if path.is_dir():
            for found in sorted(_below(path)):
                yield found, found.relative_to(path)
        else:
            yield path, Path(path.name)


def _below(folder: Path) -> Iterator[Path]:
    """Yield the files below ``folder``, and each folder that cannot be listed.

    Such a one fails as a photo does, so that nobody takes those in it for rendered.
    """
    unlisted: list[OSError] = []
    for parent, _, names in os.walk(folder, onerror=unlisted.append):
        yield from filter(Path.is_file, (Path(parent, name) for name in names))
    yield from (Path(error.filename) for error in unlisted)


def _render_one(
    path: Path, place: Path, out: Path, asked: Asked, open_photo: PhotoOpener
) -> dict[str, Any]:
    """Return the photo's line of the report."""
    started = time.perf_counter()
    line: dict[str, Any] = {"input": str(path), "disposition": "written", "code": None}
    made: list[dict[str, Any]] = []
    if not asked.specs:
        return line | {"disposition": "ignored", "renditions": made}
    stage = "header"
    try:
        with FileSource(path) as source, open_photo(source, asked) as photo:
            header = photo.header
            line |= {"loader": header.loader, "width": header.upright[0]}
            line |= {"height": header.upright[1], "bytes": header.size}
            stage = "plan"
            plan = photo.plan()
            stage = "render"
            listed: list[tuple[Rendition, str]] = []
            line["warnings"] = [asdict(warning) for warning in plan.warnings]
            for rendition in photo.render(
                plan,
                lambda planned: FileSink(
                    out / place / f"{planned.spec.name}.{planned.format.extension}"
                ),
            ):
                line["warnings"] += [
                    said
                    for said in map(asdict, rendition.warnings)
                    # Each rendition repeats the warnings of the photo.
                    if said not in line["warnings"]
                ]
                name = f"{rendition.planned.spec.name}.{rendition.planned.format.extension}"
                listed.append((rendition, (place / name).as_posix()))
                made.append(
                    {
                        "name": rendition.planned.spec.name,
                        "format": rendition.planned.format.value,
                        "width": rendition.width,
                        "height": rendition.height,
                        "bytes": rendition.size,
                        "quality": rendition.quality,
                        "gain_map_bytes": rendition.gain_map_size,
                        "elapsed_ms": round(rendition.elapsed_ms, 1),
                    }
                )
            if asked.sidecar:
                stage = "sidecar"
                _write_sidecar(out / place, sidecar({"key": place.as_posix()}, plan, listed))
    except Exception as raised:  # noqa: BLE001 - one bad photo never ends the folder
        error = error_from_exception(raised, stage)
        line |= {"disposition": "failed" if error.retryable else "rejected", "code": error.code}
        line |= {"message": error.message, "detail": error.detail}
    return line | {
        "renditions": made,
        "elapsed_ms": round((time.perf_counter() - started) * 1000, 1),
    }


def _write_sidecar(folder: Path, document: dict[str, Any]) -> None:
    sink = FileSink(folder / f"{MANIFEST_NAME}.{MANIFEST_EXTENSION}")
    try:
        sink.write(memoryview(json.dumps(document, indent=2, ensure_ascii=False).encode()))
        sink.commit()
    except BaseException:
        sink.abort()
        raise


def _memory() -> Memory:
    """Return what photos share that are worked on side by side: this container, or machine."""
    installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return memory_limit({}) or Memory(bytes=installed)


def _shown(lines: Iterator[dict[str, Any]], photos: int) -> Iterator[dict[str, Any]]:
    """Return ``lines``; a bar on the terminal moves with them."""
    if photos > 1 and sys.stderr.isatty():
        try:
            from tqdm import tqdm
        except ModuleNotFoundError:
            pass  # The bar comes with the cli extra; the work does not need it.
        else:
            return iter(tqdm(lines, unit="photo", total=photos))
    return lines


def _signing(config: Config) -> Signing | None:
    """Return who signs, as this environment says it; None where it says nothing.

    Raises:
        SettingsError: What it says is wrong.
    """
    asked = signer_settings(os.environ, config)
    if asked is None:
        return None
    if not (asked.key or asked.certificates):
        print(
            f"{config.credentials}: renditions have no content credentials: neither "
            "CREDENTIALS_KEY nor CREDENTIALS_CERTIFICATES says who signs",
            file=sys.stderr,
        )
        return None
    # Imported for who carries content credentials on.
    from handler.s3.configuration import read_stored_certificates
    from handler.signer import make_signing

    return make_signing(asked, read_stored_certificates)


def _render(arguments: argparse.Namespace, config: Config, signing: Signing | None) -> int:
    photos = list(_photos(arguments.paths))
    jobs = max(1, min(arguments.jobs, len(photos)))
    # Several photos at once have a processor each; a single one has all of them.
    launch = Launch(concurrency=1 if jobs > 1 else None)
    refused = 0
    with (
        closing(Workers(launch, _memory(), side_by_side=jobs)) as workers,
        _ending(ThreadPoolExecutor(jobs, thread_name_prefix="photo")) as executor,
        arguments.report.open("w", encoding="utf-8") if arguments.report else nullcontext() as file,
    ):

        def work(photo: tuple[Path, Path]) -> dict[str, Any]:
            path, place = photo
            asked = config.asked(place.as_posix(), focal_point=arguments.focal_point)
            asked = replace(asked, signing=signing)
            return _render_one(path, place, arguments.out, asked, workers.open_photo)

        lines = _shown(executor.map(work, photos), len(photos))
        for (path, _), line in zip(photos, lines, strict=True):
            if file is not None:
                print(json.dumps(line), file=file, flush=True)
            if line["code"] is not None:
                refused += 1
                print(f"{path}: {line['code']}: {line['message']}", file=sys.stderr)
    print(f"{len(photos) - refused} of {len(photos)} photos rendered into {arguments.out}")
    return 1 if refused else 0


@contextmanager
def _ending(executor: ThreadPoolExecutor) -> Iterator[ThreadPoolExecutor]:
    """Within: work is submitted. What has not begun at its end never does: after Ctrl-C."""
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)


def _plan(arguments: argparse.Namespace, config: Config, signing: Signing | None) -> int:
    asked = config.asked(arguments.path.name, focal_point=arguments.focal_point)
    asked = replace(asked, signing=signing)
    try:
        with (
            closing(Workers(Launch())) as workers,
            FileSource(arguments.path) as source,
            workers.open_photo(source, asked) as photo,
        ):
            plan = photo.plan()
    except Exception as raised:  # noqa: BLE001 - reported as `render` reports it
        error = error_from_exception(raised, "plan")
        print(f"{arguments.path}: {error.code}: {error}", file=sys.stderr)
        return 1
    print(json.dumps(asdict(plan), indent=2))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its status.

    0 is well, 1 that something went wrong with a photo, 2 a wrong configuration or argument, 130
    interrupted.
    """
    arguments = _parser().parse_args(argv)
    try:
        if arguments.command == "backfill":
            from handler.backfill.command import backfill

            return backfill(arguments)
        if arguments.command == "history":
            from handler.history import history

            return history(arguments)
        if arguments.command == "check":
            return check(arguments)
        config = load_config(arguments.config)
        signing = _signing(config)
    except ConfigError as error:
        print(f"{error.code}: {error}", file=sys.stderr)
        return 2
    work = _render if arguments.command == "render" else _plan
    return work(arguments, config, signing)


if __name__ == "__main__":
    sys.exit(main())

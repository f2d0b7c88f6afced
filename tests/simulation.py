"""A bad day, at random: photos come, change and go, and nothing about it is reliable.

    python -m tests.simulation --events 10000 --keys 200 --seed 1

Events are delivered twice, late and out of order, several at once. Requests fail in every way that
the proxy knows, and processes end between two of them. What was not acknowledged comes again. At
the end the destination has to hold the renditions of what is left of the photos, and no more.
"""

from __future__ import annotations

import argparse
import collections
import random
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyvips
from botocore.config import Config

import handler.s3.requests
from handler.errors import Disposition
from handler.objects import Change, ObjectEvent
from handler.photo.process import process
from handler.s3.requests import Requests
from handler.settings import read_settings
from tests.doors import WORKERS
from tests.servers import (
    INTERNAL_ERROR,
    SLOW_DOWN,
    Cut,
    Drop,
    Fault,
    FaultProxy,
    FileS3,
    Flip,
    LoseAnswer,
    TruncateUpload,
    WrongLength,
    open_uploads,
)

if TYPE_CHECKING:
    from handler.settings import Settings
    from tests.servers import S3Call
    from tests.servers.faults import Action

CONFIG: Final = """
[[renditions]]
name = "own"
width = 24
format = "source"

[[renditions]]
name = "small"
width = 8
"""
_FAULTS: Final[tuple[tuple[float, Action], ...]] = (
    (0.01, SLOW_DOWN),
    (0.01, INTERNAL_ERROR),
    (0.01, Drop()),
    (0.01, Cut(at=0.5)),
    (0.01, Flip(at=0.5)),
    (0.005, WrongLength(by=-7)),
    (0.01, LoseAnswer()),
    (0.01, LoseAnswer(instead=INTERNAL_ERROR)),
    (0.01, TruncateUpload(at=0.5)),
)
_KILLED: Final = 0.005
_TWICE: Final = 0.1
_DELETED: Final = 0.2


class Killed(BaseException):
    """The process ended: nothing that follows in it happens."""


class _Mortal:
    """A client of a process that may end at any request, which is its last."""

    def __init__(self, client: Any, dice: random.Random) -> None:  # noqa: ANN401 - botocore's
        self._client = client
        self._dice = dice
        self._dead = threading.Event()

    def _live(self) -> None:
        if self._dice.random() < _KILLED:
            self._dead.set()
        if self._dead.is_set():
            raise Killed

    def __getattr__(self, operation: str) -> Any:  # noqa: ANN401 - botocore's
        call = getattr(self._client, operation)

        def mortal(**arguments: Any) -> Any:  # noqa: ANN401 - botocore's
            self._live()
            answer = call(**arguments)
            self._live()
            return answer

        return mortal


def _photo(number: int, dice: random.Random) -> bytes:
    """Return a small photo unlike any other, or, now and then, something that is none."""
    kind = dice.choice((".jpg", ".jpg", ".png", ".webp", ""))
    if not kind:
        return f"photo {number}, which is none".encode()
    colour = (number & 255, number >> 8 & 255, number >> 16 & 255)
    image = pyvips.Image.black(32, 24, bands=3).linear([1, 1, 1], list(colour)).cast("uchar")
    data: bytes = image.copy(interpretation="srgb").write_to_buffer(kind)
    return data + number.to_bytes(4, "big") if kind == ".jpg" else data


class Simulation:
    """The world: photos, events under way, and functions that handle them."""

    def __init__(self, proxy: FaultProxy, quiet: FileS3, settings: Settings, seed: int) -> None:
        self._dice = random.Random(seed)
        self._proxy = proxy
        self._s3 = quiet.client()
        self._settings = settings
        self._client = proxy.client(
            Config(retries={"total_max_attempts": 1}, read_timeout=5, max_pool_connections=32)
        )
        self._lock = threading.Lock()
        self._number = 0
        self._due: list[ObjectEvent] = []
        self.present: dict[str, tuple[str, bytes]] = {}
        self.counts: collections.Counter[str] = collections.Counter()

    def change(self, key: str) -> None:
        """Let something happen to a photo, and its event be under way, perhaps twice."""
        self._number += 1
        sequencer = f"{self._number:08X}"
        if key in self.present and self._dice.random() < _DELETED:
            self._s3.delete_object(Bucket="photos", Key=key)
            del self.present[key]
            event = ObjectEvent(
                bucket="photos", key=key, change=Change.DELETED, sequencer=sequencer
            )
        else:
            body = _photo(self._number, self._dice)
            etag = self._s3.put_object(Bucket="photos", Key=key, Body=body)["ETag"].strip('"')
            self.present[key] = (etag, body)
            event = ObjectEvent(
                bucket="photos", key=key, etag=etag, sequencer=sequencer, size=len(body)
            )
        with self._lock:
            self._due.extend([event] * (2 if self._dice.random() < _TWICE else 1))

    def deliver(self) -> bool:
        """Hand any event that is under way to a function; tell whether there was one."""
        with self._lock:
            if not self._due:
                return False
            event = self._due.pop(self._dice.randrange(len(self._due)))
            dice = random.Random(self._dice.random())
        requests = Requests(_Mortal(self._client, dice))
        try:
            with ThreadPoolExecutor(max_workers=2) as executor:
                disposition = str(
                    process(
                        event, self._settings, requests, executor, WORKERS.open_photo
                    ).disposition
                )
        except Killed:
            disposition = "killed"
        with self._lock:
            self.counts[disposition] += 1
            if disposition in {"killed", Disposition.RETRY}:
                self._due.append(event)
        return True

    def add_faults(self) -> None:
        """Let the function's requests go wrong from now on."""
        for chance, action in _FAULTS:
            dice = random.Random(self._dice.random())

            def by_chance(_: S3Call, dice: random.Random = dice, chance: float = chance) -> bool:
                return dice.random() < chance

            self._proxy.add(Fault(action=action, when=by_chance, times=None))

    def run(self, events: int, keys: int, workers: int) -> None:
        """Let changes happen to photos while functions handle them, ``workers`` at a time."""
        names = [f"{number:03} photo.jpg" for number in range(keys)]
        finished = threading.Event()

        def work() -> None:
            while self.deliver() or not finished.is_set():
                if not self._due:
                    time.sleep(0.001)

        with ThreadPoolExecutor(max_workers=workers) as crew:
            working = [crew.submit(work) for _ in range(workers)]
            for number in range(events):
                self.change(self._dice.choice(names))
                # Not far ahead of the functions, so that events meet the photos that they tell of.
                while len(self._due) > keys // 2 and not any(one.done() for one in working):
                    time.sleep(0.001)
                if sys.stderr.isatty() and number % 100 == 0:
                    print(f"\r{number}", end="", file=sys.stderr)  # noqa: T201 - for who waits
            finished.set()
            for one in working:
                one.result()

    def wrong(self) -> list[str]:
        """Return what the destination holds and should not, and the other way round."""
        expected = {}
        for key, (etag, body) in self.present.items():
            for magic, extension in ((b"\xff\xd8", "jpg"), (b"\x89PNG", "png"), (b"RIFF", "webp")):
                if body.startswith(magic):
                    expected[f"{key}/own.{extension}"] = etag
                    expected[f"{key}/small.jpg"] = etag
        found = {}
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket="renditions")
        for page in pages:
            for item in page.get("Contents", []):
                if item["Key"].endswith("/photo.json"):
                    continue
                answer = self._s3.get_object(Bucket="renditions", Key=item["Key"])
                found[item["Key"]] = answer["Metadata"]["source-etag"]
                # Torn or flipped bytes would not decode to their end.
                pyvips.Image.new_from_buffer(answer["Body"].read(), "", fail_on="warning").avg()
        wrong = [f"missing {key}" for key in expected.keys() - found.keys()]
        wrong += [f"left over {key}" for key in found.keys() - expected.keys()]
        wrong += [
            f"of another version {key}"
            for key in found.keys() & expected.keys()
            if found[key] != expected[key]
        ]
        return wrong + [f"open upload {key}" for key, _ in open_uploads(self._s3, "renditions")]


def simulate(
    *, events: int, keys: int, seed: int, workers: int = 4
) -> tuple[Simulation, list[str]]:
    """Return a finished simulation, and everything that it left wrong."""
    with tempfile.TemporaryDirectory(prefix="simulation-") as folder:
        config = Path(folder) / "renditions.toml"
        config.write_text(CONFIG)
        settings = read_settings(
            {"DESTINATION_BUCKET": "renditions", "RENDITIONS_CONFIG": str(config)}
        )
        with FileS3() as files, FaultProxy(files.endpoint_url) as proxy:
            files.create_buckets("photos", "renditions")
            simulation = Simulation(proxy, files, settings, seed)
            simulation.add_faults()
            pause = handler.s3.requests._FIRST_PAUSE_S
            # Simulated time: the pauses would be most of it, and change nothing.
            handler.s3.requests._FIRST_PAUSE_S = 0.0  # type: ignore[misc]  # restored below
            try:
                simulation.run(events, keys, workers)
            finally:
                handler.s3.requests._FIRST_PAUSE_S = pause  # type: ignore[misc]  # as above
            return simulation, simulation.wrong()


def main() -> int:
    """Simulate what the command line says; return 1 where something is wrong at the end."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--keys", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=4)
    arguments = parser.parse_args()
    started = time.monotonic()
    simulation, wrong = simulate(**vars(arguments))
    counts = ", ".join(f"{count:,} {what}" for what, count in simulation.counts.most_common())
    lines = [
        f"{arguments.events:,} events of {arguments.keys} photos, seed {arguments.seed}",
        f"{time.monotonic() - started:.0f} s",
        f"{simulation.counts.total():,} deliveries: {counts}",
        f"{len(simulation.present)} photos are left; wrong in the destination: {len(wrong)}",
        *wrong,
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

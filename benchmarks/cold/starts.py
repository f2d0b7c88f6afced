"""One cold start of an image: what it takes to the first poll, and to the first photo."""

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from benchmarks import group
from scripts.imports import image_line, list_imports, python_line
from tests.servers.runtime import RuntimeApi

__all__ = ["Contender", "Start", "count_modules", "count_opened", "image_size", "start"]

_DOCKER: Final = os.environ.get("DOCKER", "docker")
_MEMORY_MB: Final = 1769
"""What Lambda gives one vCPU for."""
_TMP: Final = "/tmp:mode=1777"  # noqa: S108 - Lambda's one writable folder
_DROP: Final = Path("/proc/sys/vm/drop_caches")
# The container is there, and nothing of the image has run but its shell: what follows is only the
# start of the process, and neither the engine nor the making of the container.
_WAIT: Final = 'read -r line < /bench/go; exec "$@"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """An image that answers the Runtime API."""

    name: str
    image: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What one start took.

    Attributes:
        poll_ms: From exec to the first poll for an invocation.
        cpu_ms: What its group of processes took of a CPU until then: other load changes it less.
        photo_ms: From exec to the answer to the first photo.
        photo_cpu_ms: What the group took of a CPU until then.
        read_mb: Read from disk by the process until the first poll.
        peak_mb: The most memory that the group held until the first poll, resident.
    """

    poll_ms: float
    cpu_ms: float
    photo_ms: float
    photo_cpu_ms: float
    read_mb: float
    peak_mb: float

    def as_dict(self) -> dict[str, float]:
        """Return plain data, rounded to what the clock is worth."""
        return {name: round(value, 1) for name, value in asdict(self).items()}


def _docker(*arguments: str) -> str:
    return subprocess.run(
        [_DOCKER, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


@contextlib.contextmanager
def _waiting(
    contender: Contender,
    environment: Mapping[str, str],
    cpus: float,
    line: Sequence[str],
    folder: Path,
) -> Iterator[int]:
    """Yield the process ID of a container whose shell waits for a line in ``go``."""
    os.mkfifo(folder / "go")
    # The image's user is not this one.
    folder.chmod(0o755)
    (folder / "go").chmod(0o644)
    settings = {
        **environment,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(_MEMORY_MB),
        "AWS_LAMBDA_FUNCTION_NAME": "renditions",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    container = _docker(
        *("run", "--detach", "--network", "host", "--read-only", "--tmpfs", _TMP),
        *("--cpus", str(cpus), "--memory", f"{_MEMORY_MB}m", "--memory-swap", f"{_MEMORY_MB}m"),
        *("--volume", f"{folder}:/bench:ro"),
        *(f"--env={name}={value}" for name, value in settings.items()),
        *("--entrypoint", "/bin/sh", contender.image, "-c", _WAIT, "sh", *line),
    )
    try:
        yield int(_docker("inspect", "--format", "{{.State.Pid}}", container))
    except TimeoutError as error:
        raise RuntimeError(f"{contender.name}: {error}: {_docker('logs', container)}") from None
    finally:
        _docker("rm", "--force", container)


def image_size(image: str) -> int:
    """Return an image's bytes, as the engine counts them."""
    return int(_docker("image", "inspect", "--format", "{{.Size}}", image))


def _field(pid: int, file: str, name: str) -> int:
    """Return one number of the process that the kernel keeps."""
    text = Path(f"/proc/{pid}/{file}").read_text("ascii")
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(name))


def start(
    contender: Contender, environment: Mapping[str, str], event: object, *, cpus: float, cold: bool
) -> Start:
    """Start ``contender`` once, give it ``event``, and return what that took."""
    with (
        RuntimeApi() as api,
        tempfile.TemporaryDirectory() as folder,
        _waiting(
            contender,
            {**environment, "AWS_LAMBDA_RUNTIME_API": api.address},
            cpus,
            image_line(contender.image),
            Path(folder),
        ) as pid,
    ):
        if cold:
            os.sync()
            _DROP.write_text("3", "ascii")
        before, cpu_before = _field(pid, "io", "read_bytes"), group.cpu_s(pid)
        began = time.monotonic()
        (Path(folder) / "go").write_text("go\n", "ascii")
        poll = api.call()
        if poll.what != "invocation/next":
            raise RuntimeError(f"{contender.name}: expected a poll but received {poll}")
        cpu = group.cpu_s(pid) - cpu_before
        read = _field(pid, "io", "read_bytes") - before
        peak = group.peak_mb(pid)
        api.invoke(event)
        answer = api.call()
        photo_cpu = group.cpu_s(pid) - cpu_before
        if answer.what != "response":
            raise RuntimeError(f"{contender.name}: expected an answer but received {answer}")
    return Start(
        poll_ms=(poll.at - began) * 1000,
        cpu_ms=cpu * 1000,
        photo_ms=(answer.at - began) * 1000,
        photo_cpu_ms=photo_cpu * 1000,
        read_mb=read / 1e6,
        peak_mb=peak,
    )


def count_opened(contender: Contender, environment: Mapping[str, str]) -> int:
    """Return how many files a start opens until its first poll."""
    with (
        RuntimeApi() as api,
        tempfile.TemporaryDirectory() as folder,
        _waiting(
            contender,
            {**environment, "AWS_LAMBDA_RUNTIME_API": api.address},
            1,
            image_line(contender.image),
            Path(folder),
        ) as pid,
    ):
        trace = f"{folder}/trace"
        strace = ["strace", "-f", "-q", "-e", "trace=open,openat,openat2", "-o", trace]
        tracer = subprocess.Popen([*strace, "-p", str(pid)], stderr=subprocess.DEVNULL)
        while not _field(pid, "status", "TracerPid"):
            time.sleep(0.01)
        (Path(folder) / "go").write_text("go\n", "ascii")
        api.call()
        tracer.terminate()
        tracer.wait()
        calls = Path(trace).read_text("utf-8", errors="replace").splitlines()
    # A call that another thread's interrupts is printed twice, the second time with its result.
    return sum(
        "open" in call and "= -1 " not in call and "unfinished" not in call for call in calls
    )


def count_modules(contender: Contender, environment: Mapping[str, str]) -> int | None:
    """Return how many modules a start imports until its first poll; None if it is not Python's."""
    if not python_line(contender.image)[0].endswith("python3"):
        return None
    return len(list_imports(contender.image, environment))

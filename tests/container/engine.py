"""The Docker engine that the container tests run on, and whether there is one."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Final

import docker

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

_PING: Final = "import docker; docker.from_env().ping()"
_PING_S: Final = 30


def connected() -> AbstractContextManager[docker.DockerClient]:
    """Returns a client of the engine, which is closed when its context ends."""
    return closing(docker.from_env())


def answers() -> bool:
    """Returns whether there is an engine to run containers on.

    It is asked in a process of its own: where nothing answers, the client leaves its socket open,
    and pytest fails the test that runs when the socket is collected. Source: docker 7.2.0,
    `UnixHTTPConnection.connect`.
    """
    try:
        ping = subprocess.run(
            [sys.executable, "-c", _PING], check=False, capture_output=True, timeout=_PING_S
        )
    except subprocess.TimeoutExpired:
        return False
    return ping.returncode == 0

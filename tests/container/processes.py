"""What runs in a container, and whether a word is in its memory: looked at from beside it."""

from __future__ import annotations

from typing import Final, NamedTuple

from tests.container import engine

_LOOK: Final = """\
import os, sys
for pid in sorted(map(int, filter(str.isdigit, os.listdir("/proc")))):
    if pid == os.getpid():
        continue
    found = 0
    with open(f"/proc/{pid}/stat") as stat:
        name, _, rest = stat.read().partition("(")[2].rpartition(")")
    state, above, *_ = rest.split()
    if state == "Z":
        print(pid, above, name + "-zombie", 0)
        continue
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            addresses, rights, *_ = line.split()
            start, end = (int(address, 16) for address in addresses.split("-"))
            if rights.startswith("r") and "[v" not in line:
                memory.seek(start)
                try:
                    found += memory.read(end - start).count(sys.argv[1].encode())
                except OSError:
                    continue
    print(pid, above, name, int(found > 0))
"""


class InContainer(NamedTuple):
    """A process: its ID, its parent's, its name, and whether the secret is in its memory.

    The name of one that has ended and was not reaped says so.
    """

    pid: int
    parent: int
    name: str
    has_secret: bool


def processes(image: str, container: str, secret: str) -> list[InContainer]:
    """Returns the processes of a container, the eldest first.

    Args:
        image: The function's, of which the search is run too, with the right to look into others.
        container: Its ID.
        secret: What is looked for.
    """
    with engine.connected() as client:
        said: bytes = client.containers.run(
            image,
            entrypoint=["/usr/bin/python3", "-c", _LOOK, secret],
            command=[],
            cap_add=["SYS_PTRACE"],
            pid_mode=f"container:{container}",
            remove=True,
            user="root",
        )
    lines = [line.split() for line in said.decode().splitlines()]
    return [
        InContainer(int(pid), int(above), name, found == "1") for pid, above, name, found in lines
    ]

"""A decoder that runs what the photo says: imported by a zygote, it stands for a hole in one.

A photo whose comment begins with ``RUN`` names one of the functions below. Each tries something
that a worker must not be able to do, behind the sandbox, and says what came of it in a refusal.
"""

import ctypes
import errno
import importlib
import mmap
import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from imaging.bridge.source import OpenPhoto
from imaging.decoders import jpeg
from imaging.errors import CorruptPhotoError
from imaging.header import ImageHeader
from imaging.worker.protocol import Kind

_libc = ctypes.CDLL(None, use_errno=True)

_MARK: Final = b"RUN "


def photo_that_runs(attack: str) -> bytes:
    """Return a JPEG whose comment says what to run, such as ``open_file /etc/passwd``."""
    comment = _MARK + attack.encode()
    return b"\xff\xd8\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + b"\xff\xd9"


def open_file(path: str) -> str:
    """Read a file."""
    return repr(Path(path).read_bytes()[:100])


def write_file(path: str) -> str:
    """Write one."""
    return str(Path(path).write_bytes(b"taken over"))


def import_module(name: str) -> str:
    """Need what may not be there."""
    importlib.import_module(name)
    return "it is there"


def connect(_: str) -> str:
    """Make a socket of each family."""
    for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK):
        socket.socket(family)
    return "sockets"


def run_program(path: str) -> str:
    """Become another program."""
    os.execv(path, [path])  # noqa: S606 - it fails


def fork(_: str) -> str:
    """Outlive the worker."""
    return str(os.fork())


def kill(process: str) -> str:
    """End another process."""
    os.kill(int(process), 9)
    return "killed"


def read_memory(process: str) -> str:
    """Read another process's memory, without a file."""
    local = ctypes.create_string_buffer(8)
    vector = (ctypes.c_size_t * 2)(ctypes.addressof(local), 8)
    if _libc.process_vm_readv(int(process), vector, 1, vector, 1, 0) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return "read"


def trace(process: str) -> str:
    """Debug another process."""
    if _libc.ptrace(16, int(process), 0, 0) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return "attached"


def run_data(_: str) -> str:
    """Make new code, and run it."""
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    return "executable"


def raise_limits(_: str) -> str:
    """Take more than was given."""
    file_size, limits = 1, (ctypes.c_uint64 * 2)(1 << 30, 1 << 30)
    if _libc.setrlimit(file_size, limits) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return "raised"


def speak(key: str) -> str:
    """Say to the function, on whatever is open, that a rendition of another key is made."""
    words = (
        (Kind.OPEN, b'{"is":"Open","index":7}'),
        (Kind.OPEN, b'{"is":"Open","index":0,"key":"' + key.encode() + b'"}'),
        (Kind.WRITE, b""),
        (Kind.MADE, b"{}"),
    )
    for descriptor in range(3, 16):
        for kind, said in words:
            head = struct.pack("<cII", kind.value, len(said), 0)
            with suppress(OSError):
                os.write(descriptor, head + said)
    return "said"


def print_line(_: str) -> str:
    """Write into the function's log."""
    os.write(1, b"taken over\n")
    os.write(2, b"taken over\n")
    raise OSError(errno.EPERM, "nobody may see it")


def calls(_: str) -> str:
    """Return the numbers of all system calls that do not fail for want of permission."""
    _libc.syscall.restype = ctypes.c_long
    passed = []
    for number in range(600):
        if number in _ENDING:
            continue
        ctypes.set_errno(0)
        _libc.syscall(number, *[ctypes.c_long(-1)] * 6)
        if ctypes.get_errno() not in {errno.EPERM, errno.ENOSYS, errno.ENOENT}:
            passed.append(number)
    return " ".join(map(str, passed))


# exit, exit_group, rt_sigreturn; those that would wait: futex, nanosleep, clock_nanosleep; and on
# x86_64 the kernel's own two for probes.
_ENDING: Final = (
    {60, 231, 15, 202, 230, 35, 335, 336}
    if os.uname().machine == "x86_64"
    else {93, 94, 139, 98, 115, 101}
)


def crash(_: str) -> str:
    """Read from nowhere, as decoders do."""
    return ctypes.string_at(0).decode()


def hang(_: str) -> str:
    """Compute for ever."""
    while True:
        pass


def swell(_: str) -> str:
    """Take memory, a megabyte after the other."""
    taken = []
    while True:
        taken.append(b"x" * (1 << 20))


def who_am_i(_: str) -> str:
    """Say what is known inside."""
    return f"{os.getpid()} {dict(os.environ)}"


ATTACKS: Final[dict[str, Callable[[str], str]]] = {
    each.__name__: each
    for each in (
        *(open_file, write_file, connect, run_program, fork, kill, read_memory, trace, run_data),
        *(raise_limits, speak, print_line, calls, crash, hang, swell, who_am_i, import_module),
    )
}


_header = jpeg.header


def _run(photo: OpenPhoto) -> ImageHeader:
    comment = photo.head[6:]
    if not comment.startswith(_MARK):
        return _header(photo)
    name, _, argument = comment[len(_MARK) : -2].decode().partition(" ")
    try:
        came_of_it = ATTACKS[name](argument)
    except OSError as error:
        raise CorruptPhotoError(f"failed: {errno.errorcode.get(error.errno or 0)}") from error
    raise CorruptPhotoError(f"succeeded: {came_of_it}")


jpeg.header = _run

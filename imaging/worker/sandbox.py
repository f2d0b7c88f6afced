"""What the kernel lets a worker do: compute, and talk over the one socket that it has.

Everything here is best effort: where a kernel or a container refuses a part of it, the rest holds,
and :func:`enter` says what does not. Linux, x86_64 and aarch64.

Sources: prctl(2), seccomp(2), getrlimit(2), linux/filter.h, the kernel's tables of system calls.
"""

import ctypes
import errno
import os
import resource
import signal
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

__all__ = ["enter", "hide_memory", "prefer_to_die", "shrink_stacks"]

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_SECCOMP: Final = 22
_PR_SET_NO_NEW_PRIVS: Final = 38
_SECCOMP_MODE_FILTER: Final = 2

_NOBODY: Final = 65534
_STACK_BYTES: Final = 1 << 20
_MAX_FILES: Final = 16
_MAX_CPU_S: Final = 3600
"""Of one worker's life, many photos long: a backstop, for when nobody is left to end it."""

_BACKSTOP: Final = 1.5
"""Of the function's memory. The parent ends a worker long before. A tight limit makes decoders lie:
an allocation that fails becomes ``corrupt``, or a crash."""

# Classic BPF, as seccomp takes it: load a word of seccomp_data, compare, test bits, return.
_LOAD, _EQUAL, _BITS, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_X32: Final = 0x40000000
_CLONE_THREAD: Final = 0x00010000
_PROT_EXEC: Final = 4

# Name -> number, on x86_64 and aarch64.
_ALLOWED: Final = {
    "brk": (12, 214),
    "clock_getres": (229, 114),
    "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115),
    "close": (3, 57),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "futex": (202, 98),
    "getcpu": (309, 168),
    "getpid": (39, 172),
    "getrandom": (318, 278),
    "gettid": (186, 178),
    "lseek": (8, 62),
    "madvise": (28, 233),
    "membarrier": (324, 283),
    "mremap": (25, 216),
    "munmap": (11, 215),
    "nanosleep": (35, 101),
    "read": (0, 63),
    "recvfrom": (45, 207),
    "rseq": (334, 293),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sched_getaffinity": (204, 123),
    "sched_yield": (24, 124),
    "sendto": (44, 206),
    "set_robust_list": (273, 99),
    "sigaltstack": (131, 132),
    "sysinfo": (99, 179),
    "write": (1, 64),
}
_ONLY_THREADS: Final = {"clone": (56, 220)}
# The flags lie in memory, where a filter cannot look: glibc then falls back to clone.
_ABSENT: Final = {"clone3": (435, 435)}
# Nothing new to execute.
_NO_CODE: Final = {"mmap": (9, 222), "mprotect": (10, 226)}
# Libraries look for files that may be missing, and take another answer for a failure.
_NO_FILE: Final = {"newfstatat": (262, 79), "openat": (257, 56), "statx": (332, 291)}
_ARCHITECTURES: Final = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


def _prctl(option: int, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, *arguments, *[0] * (4 - len(arguments))) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def hide_memory() -> None:
    """Let no process of the same user look into this one: its memory, environment, descriptors.

    It makes no core dump either. Root sees all the same.
    """
    with suppress(OSError):
        _prctl(_PR_SET_DUMPABLE, 0)


def prefer_to_die() -> None:
    """Have the kernel end this process first, should the memory of the group run out.

    The processes that it forks inherit that.
    """
    # Of Python no more than is loaded: pathlib would be a tenth of the zygote's start.
    with suppress(OSError), open("/proc/self/oom_score_adj", "wb", 0) as file:  # noqa: PTH123
        file.write(b"1000")


def shrink_stacks() -> None:
    """Give the threads to come stacks of a megabyte: eight each would count as data."""
    libc = ctypes.CDLL(None)
    attributes = ctypes.create_string_buffer(128)  # pthread_attr_t has 56 or 64 bytes
    if hasattr(libc, "pthread_setattr_default_np"):
        libc.pthread_attr_init(attributes)
        libc.pthread_attr_setstacksize(attributes, ctypes.c_size_t(_STACK_BYTES))
        libc.pthread_setattr_default_np(attributes)


def _filter(machine: str) -> bytes:
    """Return the program that lets pass what a worker needs; everything else fails with EPERM."""
    column, architecture = _ARCHITECTURES[machine]
    program: list[bytes] = []

    def add(code: int, value: int, if_true: int = 0, if_false: int = 0) -> None:
        program.append(struct.pack("<HBBI", code, if_true, if_false, value))

    def fail(number: int) -> None:
        add(_RETURN, _ERRNO | number)

    def numbers(table: dict[str, tuple[int, int]]) -> Iterable[int]:
        return (table[name][column] for name in table)

    add(_LOAD, _ARCH_AT)
    add(_EQUAL, architecture, if_true=1)
    add(_RETURN, _KILL)
    add(_LOAD, _NUMBER_AT)
    if machine == "x86_64":
        # The same numbers, with a bit, are another table of calls.
        add(_BITS, _X32, if_false=1)
        add(_RETURN, _KILL)
    for number in numbers(_ABSENT):
        add(_EQUAL, number, if_false=1)
        fail(errno.ENOSYS)
    for number in numbers(_NO_FILE):
        add(_EQUAL, number, if_false=1)
        fail(errno.ENOENT)
    for number in numbers(_ONLY_THREADS):
        add(_EQUAL, number, if_false=4)
        add(_LOAD, _ARGUMENTS_AT)
        add(_BITS, _CLONE_THREAD, if_false=1)
        add(_RETURN, _ALLOW)
        fail(errno.EPERM)
    for number in numbers(_NO_CODE):
        add(_EQUAL, number, if_false=4)
        add(_LOAD, _ARGUMENTS_AT + 2 * 8)
        add(_BITS, _PROT_EXEC, if_true=1)
        add(_RETURN, _ALLOW)
        fail(errno.EPERM)
    for number in numbers(_ALLOWED):
        add(_EQUAL, number, if_false=1)
        add(_RETURN, _ALLOW)
    fail(errno.EPERM)
    return b"".join(program)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def _install(program: bytes) -> None:
    held = ctypes.create_string_buffer(program, len(program))
    described = _Program(len(program) // 8, ctypes.addressof(held))
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(described))


def _limit(memory_bytes: int | None) -> None:
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: _MAX_CPU_S,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: _MAX_FILES,
    }
    if memory_bytes is not None:
        limits[resource.RLIMIT_DATA] = int(memory_bytes * _BACKSTOP)
    for kind, most in limits.items():
        resource.setrlimit(kind, (most, most))


def _become_nobody() -> None:
    """Let root's worker be a user who owns nothing; any other stays who it is."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)


def enter(memory_bytes: int | None) -> tuple[str, ...]:
    """Give up, in this process and for good, what decoding does not need.

    Files, sockets, other processes, more privileges, new code; more than half again of
    ``memory_bytes``, which is the function's, or None for no limit.

    Returns:
        What the kernel refused, in words: empty where everything holds.
    """
    machine = os.uname().machine
    steps: tuple[tuple[str, Callable[[], None]], ...] = (
        ("limits of resources", lambda: _limit(memory_bytes)),
        ("a user without rights", _become_nobody),
        # After the change of the user, which forgets both.
        ("a private memory", lambda: _prctl(_PR_SET_DUMPABLE, 0)),
        ("an end with the parent", lambda: _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)),
        ("no new privileges", lambda: _prctl(_PR_SET_NO_NEW_PRIVS, 1)),
        ("a filter of system calls", lambda: _install(_filter(machine))),
    )
    refused = []
    for what, step in steps:
        try:
            step()
        except (OSError, ValueError, KeyError) as error:
            refused.append(f"{what} ({error})")
    return tuple(refused)

"""The filter of system calls, run here by an interpreter of its language, for both processors."""

import errno
import struct
from pathlib import Path
from typing import Final

import pytest

from imaging.worker.sandbox import _filter

# linux/audit.h, seccomp(2).
ARCHITECTURES: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOW, FAIL, KILL = 0x7FFF0000, 0x00050000, 0x80000000

# By the kernel's tables: arch/x86/entry/syscalls/syscall_64.tbl, asm-generic/unistd.h.
NUMBERS: Final = {
    "bpf": (321, 280),
    "connect": (42, 203),
    "execve": (59, 221),
    "execveat": (322, 281),
    "io_uring_setup": (425, 425),
    "kill": (62, 129),
    "memfd_create": (319, 279),
    "mount": (165, 40),
    "openat2": (437, 437),
    "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434),
    "prctl": (157, 167),
    "prlimit64": (302, 261),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "recvmsg": (47, 212),
    "seccomp": (317, 277),
    "sendmsg": (46, 211),
    "setns": (308, 268),
    "setuid": (105, 146),
    "socket": (41, 198),
    "tgkill": (234, 131),
    "tkill": (200, 130),
    "unlinkat": (263, 35),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}
"""What must fail, whatever its arguments are."""

NEEDED: Final = {
    "brk": (12, 214),
    "exit_group": (231, 94),
    "futex": (202, 98),
    "madvise": (28, 233),
    "munmap": (11, 215),
    "read": (0, 63),
    "recvfrom": (45, 207),
    "rt_sigreturn": (15, 139),
    "sendto": (44, 206),
    "write": (1, 64),
}
"""What a worker cannot do without."""

CLONE: Final = (56, 220)
CLONE3: Final = (435, 435)
MMAP: Final = (9, 222)
MPROTECT: Final = (10, 226)
NO_FILE: Final = ((262, 79), (257, 56), (332, 291))
THREAD: Final = 0x00010000
EXECUTE: Final = 4

machines = pytest.mark.parametrize("machine", ARCHITECTURES)


def column(machine: str) -> int:
    """Return where a machine's number is in a pair."""
    return list(ARCHITECTURES).index(machine)


def verdict(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """Return what the filter of ``machine`` says of a call, as the kernel would run it.

    Classic BPF, as seccomp takes it: an accumulator, forward jumps, and no memory.
    """
    arch = ARCHITECTURES[machine] if architecture is None else architecture
    data = struct.pack("<IIQ6Q", number, arch, 0, *(*arguments, *[0] * 6)[:6])
    program: list[tuple[int, int, int, int]] = list(struct.iter_unpack("<HBBI", _filter(machine)))
    accumulator = at = 0
    while True:
        code, if_true, if_false, value = program[at]
        at += 1
        match code:
            case 0x20:  # BPF_LD | BPF_W | BPF_ABS
                (accumulator,) = struct.unpack_from("<I", data, value)
            case 0x15:  # BPF_JMP | BPF_JEQ | BPF_K
                at += if_true if accumulator == value else if_false
            case 0x45:  # BPF_JMP | BPF_JSET | BPF_K
                at += if_true if accumulator & value else if_false
            case 0x06:  # BPF_RET | BPF_K
                return value
            case _:
                raise AssertionError(f"no instruction of seccomp's: {code:#x}")


def allowed(machine: str) -> list[int]:
    """Return the numbers of the calls that pass, of all that there may be."""
    return [number for number in range(1024) if verdict(machine, number) == ALLOW]


@machines
def test_every_way_through_the_filter_ends(machine: str) -> None:
    """Each call has a verdict: to pass, to fail with an error, or to end the process."""
    for number in range(1024):
        said = verdict(machine, number)
        assert said == ALLOW or said & 0xFFFF0000 == FAIL


@machines
def test_what_a_worker_must_not_do_fails(machine: str) -> None:
    """No file, socket, process, program or privilege, on either processor."""
    for name, numbers in NUMBERS.items():
        for argument in (0, THREAD, 0xFFFFFFFF):
            said = verdict(machine, numbers[column(machine)], *[argument] * 6)
            assert said == FAIL | errno.EPERM, name


@machines
def test_what_a_worker_needs_passes(machine: str) -> None:
    """It computes, and talks over what is open."""
    for name, numbers in NEEDED.items():
        assert verdict(machine, numbers[column(machine)]) == ALLOW, name


@machines
def test_threads_are_made_and_processes_are_not(machine: str) -> None:
    """By the flags of clone; clone3, whose flags cannot be seen, is as if it were not there."""
    at = column(machine)
    assert verdict(machine, CLONE[at], THREAD | 0x3D0F00) == ALLOW
    assert verdict(machine, CLONE[at], 0x01200011) == FAIL | errno.EPERM
    assert verdict(machine, CLONE3[at]) == FAIL | errno.ENOSYS


@machines
def test_no_memory_becomes_code(machine: str) -> None:
    """Neither when it is taken, nor later."""
    for numbers in (MMAP, MPROTECT):
        number = numbers[column(machine)]
        assert verdict(machine, number, 0, 4096, 3) == ALLOW
        for protection in (EXECUTE, 1 | EXECUTE, 7):
            assert verdict(machine, number, 0, 4096, protection) == FAIL | errno.EPERM


@machines
def test_no_file_is_there(machine: str) -> None:
    """A library that looks for one finds none."""
    for numbers in NO_FILE:
        assert verdict(machine, numbers[column(machine)]) == FAIL | errno.ENOENT


@machines
def test_another_table_of_calls_ends_the_process(machine: str) -> None:
    """Another processor's numbers, and on x86_64 those with x32's bit."""
    for other in {*ARCHITECTURES.values(), 0x40000003} - {ARCHITECTURES[machine]}:
        assert verdict(machine, 0, architecture=other) == KILL
    if machine == "x86_64":
        assert verdict(machine, 0x40000000) == KILL


def test_both_processors_let_as_many_calls_pass_as_the_page_says() -> None:
    """The two programs are one table."""
    passed = [len(allowed(machine)) for machine in ARCHITECTURES]
    assert passed[0] == passed[1]
    page = (Path(__file__).parents[2] / "docs" / "security.md").read_text("utf-8")
    assert f"{passed[0]} system calls pass" in page

"""Confinement: afterwards a process can only compute, read and write what it already holds open, and end.

It is a seccomp filter (``man 2 seccomp``) that allows a short list of system calls. All others fail with EPERM: there
is no file to be opened, no socket, no program, no other process. It needs no privilege, no namespace and no helper, so
it is the same under systemd, in a container and on a developer's machine; and no part of it can be undone.

This module is imported by the short-lived probe process: it stays light.
"""

from __future__ import annotations

import ctypes
import platform
import struct
from collections.abc import Mapping
from types import MappingProxyType

from maie.errors import Unavailable

ALLOWED: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "x86_64": {
            "read": 0,
            "write": 1,
            "close": 3,
            "fstat": 5,
            "lseek": 8,
            "mmap": 9,
            "mprotect": 10,
            "munmap": 11,
            "brk": 12,
            "rt_sigaction": 13,
            "rt_sigprocmask": 14,
            "rt_sigreturn": 15,
            "pread64": 17,
            "sched_yield": 24,
            "mremap": 25,
            "madvise": 28,
            "dup": 32,
            "getpid": 39,
            "exit": 60,
            "gettid": 186,
            "futex": 202,
            "restart_syscall": 219,
            "clock_gettime": 228,
            "exit_group": 231,
            "newfstatat": 262,
            "getrandom": 318,
        },
        "aarch64": {
            "read": 63,
            "write": 64,
            "close": 57,
            "fstat": 80,
            "lseek": 62,
            "mmap": 222,
            "mprotect": 226,
            "munmap": 215,
            "brk": 214,
            "rt_sigaction": 134,
            "rt_sigprocmask": 135,
            "rt_sigreturn": 139,
            "pread64": 67,
            "sched_yield": 124,
            "mremap": 216,
            "madvise": 233,
            "dup": 23,
            "getpid": 172,
            "exit": 93,
            "gettid": 178,
            "futex": 98,
            "restart_syscall": 128,
            "clock_gettime": 113,
            "exit_group": 94,
            "newfstatat": 79,
            "getrandom": 278,
        },
    }
)
"""Numbers of the system calls that stay, for each architecture. ``newfstatat`` is how the C library spells fstat; what
it tells of another path is whether that exists and how large it is, and there is nobody to tell it to."""

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_EPERM = 1

# linux/prctl.h
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
# linux/filter.h: load a word of struct seccomp_data, jump if equal, return
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_KILL_PROCESS, _FAIL, _ALLOW = 0x80000000, 0x00050000 | _EPERM, 0x7FFF0000
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4


class _Program(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def confine() -> None:
    """Confine this process and its future threads for the rest of its life.

    Raises:
        Unavailable: This kernel or this architecture can't do it.
    """
    machine = platform.machine()
    if machine not in ALLOWED:
        raise Unavailable(f"Audio can't be examined safely here: no confinement is known for {machine}.")
    instructions = _filter(machine)
    program = _Program(len(instructions) // 8, instructions)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    no = ctypes.c_ulong(0)
    if (
        prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), no, no, no) != 0
        or prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), ctypes.byref(program), no, no) != 0
    ):
        raise Unavailable("Audio can't be examined safely here: the kernel refuses to confine the process that does.")


def _filter(machine: str) -> bytes:
    """Return the filter as BPF instructions of 8 bytes each."""
    numbers = sorted(ALLOWED[machine].values())
    return b"".join(
        (
            _instruction(_LOAD, _ARCHITECTURE_AT),
            _instruction(_JUMP_IF_EQUAL, _AUDIT_ARCH[machine], if_equal=1),
            _instruction(_RETURN, _KILL_PROCESS),
            _instruction(_LOAD, _NUMBER_AT),
            *(_instruction(_JUMP_IF_EQUAL, n, if_equal=len(numbers) - i) for i, n in enumerate(numbers)),
            _instruction(_RETURN, _FAIL),
            _instruction(_RETURN, _ALLOW),
        )
    )


def _instruction(code: int, value: int, *, if_equal: int = 0) -> bytes:
    """Return one ``struct sock_filter``; ``if_equal`` is how many instructions a jump skips where it is taken."""
    return struct.pack("=HBBI", code, if_equal, 0, value)

#!/usr/bin/env python3
"""Runs a program on a kernel that seems to have no Landlock: without_landlock.py PROGRAM ARG…

A seccomp filter answers Landlock's three system calls with ENOSYS, for the program and all that it starts."""
import ctypes
import errno
import os
import platform
import struct
import sys

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
FIRST, LAST = 444, 446  # landlock_create_ruleset to landlock_restrict_self, on every architecture
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.ENOSYS
LOAD, EQUAL, GREATER, ABOVE, RETURN = 0x20, 0x15, 0x35, 0x25, 0x06


def instruction(code, yes, no, value):
    return struct.pack("HBBI", code, yes, no, value)


def main():
    arch = AUDIT_ARCH.get(platform.machine())
    if arch is None or len(sys.argv) < 2:
        sys.exit("usage: without_landlock.py PROGRAM ARG…, on x86_64 or aarch64")
    program = b"".join([
        instruction(LOAD, 0, 0, 4), instruction(EQUAL, 0, 4, arch),
        instruction(LOAD, 0, 0, 0), instruction(GREATER, 0, 2, FIRST), instruction(ABOVE, 1, 0, LAST),
        instruction(RETURN, 0, 0, REFUSE), instruction(RETURN, 0, 0, ALLOW)])
    code = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("HL", len(program) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, head, 0, 0):
        sys.exit("without_landlock.py: " + os.strerror(ctypes.get_errno()))
    os.execvp(sys.argv[1], sys.argv[1:])


main()

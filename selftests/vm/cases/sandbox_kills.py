# SPDX-License-Identifier: LGPL-2.1-or-later
"""A process of ours that makes a call it does not need is killed for it.

The call is made in the process itself, by a debugger's means: ptrace sets the registers."""

import product

TAGS = {"quick"}
SUMMARY = "a forbidden system call kills the process that makes it, and systemd starts it again"

# Stops PID at a system call, makes it setuid(0) instead, lets it run.
INJECT = r"""
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
SEIZE, INTERRUPT, SYSCALL, GETREGS, SETREGS, CONT = 0x4206, 0x4207, 24, 12, 13, 7
ORIG_RAX = 15
FORBIDDEN = 105  # setuid
pid = int(sys.argv[1])
def ptrace(request, address=None, data=None):
    if libc.ptrace(request, pid, address, data) < 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request}")
def wait():
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        print(f"killed by {os.WTERMSIG(status)}")
        raise SystemExit
    return status
ptrace(SEIZE)
ptrace(INTERRUPT)
wait()
ptrace(SYSCALL)
wait()
registers = (ctypes.c_ulonglong * 27)()
ptrace(GETREGS, None, ctypes.addressof(registers))
registers[ORIG_RAX] = FORBIDDEN
ptrace(SETREGS, None, ctypes.addressof(registers))
ptrace(CONT)
wait()
print("it lives")
"""
SIGSYS = 31


def run(vm):
    product.wait_ready(vm)
    vm.write("/run/vmtest/inject.py", INJECT)
    for name in product.SERVICES:
        pid = product.unit(vm, name, "MainPID")["MainPID"]
        said = vm.out(["python3", "/run/vmtest/inject.py", pid], timeout_s=40)
        assert f"killed by {SIGSYS}" in said, f"{name}: {said}"
        vm.wait_for(lambda: product.unit(vm, name, "MainPID", "ActiveState") and
                    product.unit(vm, name, "MainPID")["MainPID"] not in ("0", pid) and
                    vm.unit_state(name) == "active", 30, f"a new {name}")
    product.wait_ready(vm, 60)
    vm.assert_nothing_left()

# SPDX-License-Identifier: LGPL-2.1-or-later
"""The runner of a fault is killed before each of its writes and each of its messages."""

import chaos

TAGS = {"faults", "slow"}
SUMMARY = "runner killed -9 before each write and message: PID 1 ends the fault, nothing is left"

UNIT = f"unit={chaos.UNIT}"
FAULTS = {"net.delay": [UNIT, "delay_ms=50"], "proc.freeze": [UNIT], "cpu.stress": [],
          "mem.hog": [UNIT, "rate_mib_per_s=1"]}
# More than there are of each. The messages are to systemd and, of net.delay, to the kernel.
SWEPT = {"renameat": ["net.delay", "proc.freeze", "cpu.stress", "mem.hog"],
         "sendmsg": ["net.delay", "cpu.stress"]}
MOST = 200
TIMEOUT_S = 3600

# strace runs beside the runner (-D), which stays the unit's main process; it may trace and inject.
PATH = "/run/systemd/system/aiops-fault@.service.d/strace.conf"
DROP_IN = """[Service]
ExecStart=
ExecStart=/bin/sh -c 'exec strace -D -qq -o /dev/null $(cat /run/crash-at) \
  /usr/libexec/aiops/aiops-fault run %i'
SystemCallFilter=
CapabilityBoundingSet=CAP_KILL CAP_NET_ADMIN CAP_BPF CAP_PERFMON CAP_SYS_PTRACE
"""


def killed_at(vm, before, fault, call, n):
    """True if there was an N-th CALL to be killed at."""
    vm.write("/run/crash-at", f"-e trace={call} -e inject={call}:signal=SIGKILL:when={n}")
    since = vm.out("date +%s.%N")
    chaos.inject(vm, fault, *FAULTS[fault], span="3s", check=False)
    chaos.wait_ended(vm, 60)
    chaos.wait_clean(vm, before, f"{fault}, killed at {call} {n}")
    killed = "status=9/KILL" in vm.journal(f"--since=@{since}", "-u", "aiops-fault@*")
    if vm.unit_state(chaos.UNIT) != "active":
        vm.run(["systemctl", "start", chaos.UNIT])
    return killed


def sweep(vm, before, fault, call):
    """Returns how many times the runner was killed."""
    for n in range(1, MOST):
        if not killed_at(vm, before, fault, call, n):
            return n - 1
    raise AssertionError(f"{fault}: over {MOST} calls of {call}")


def run(vm):
    vm.run(["mkdir", "-p", PATH.rsplit("/", 1)[0]])
    vm.write(PATH, DROP_IN)
    vm.run("systemctl daemon-reload")
    before = chaos.prepare(vm)
    whole = vm.state()
    kills = {(fault, call): sweep(vm, before, fault, call)
             for call, faults in SWEPT.items() for fault in faults}
    vm.note(f"{sum(kills.values())} kills, nothing left after each: "
            + ", ".join(f"{fault} {n} {call}" for (fault, call), n in kills.items()))
    assert min(kills.values()) >= 4, kills
    vm.assert_nothing_left(before=whole, allow=("/run/crash-at",))

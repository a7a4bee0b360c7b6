# SPDX-License-Identifier: LGPL-2.1-or-later
"""The runner of a fault is killed before each of its writes and each of its messages."""

import chaos

TAGS = {"faults", "slow"}
SUMMARY = "runner killed -9 before each write and message: PID 1 ends the fault, nothing is left"

UNIT = f"unit={chaos.UNIT}"
FAULTS = [("net.delay", [UNIT, "delay_ms=50"]), ("proc.freeze", [UNIT]), ("cpu.stress", []),
          ("mem.hog", [UNIT, "rate_mib_per_s=1"])]
SWEPT = {"renameat": 12, "sendmsg": 40}  # more than there are of each

# strace runs beside the runner (-D), which stays the unit's main process; it may trace and inject.
DROP_IN = """[Service]
ExecStart=
ExecStart=strace -D -qq -o /dev/null -e trace={call} -e inject={call}:signal=SIGKILL:when={n} \\
  /usr/libexec/aiops/aiops-fault run %i
SystemCallFilter=
CapabilityBoundingSet=CAP_KILL CAP_NET_ADMIN CAP_BPF CAP_PERFMON CAP_SYS_PTRACE
"""
PATH = "/run/systemd/system/aiops-fault@.service.d/strace.conf"


def killed_at(vm, before, fault, params, call, n):
    """True if there was an N-th CALL to be killed at."""
    vm.write(PATH, DROP_IN.format(call=call, n=n))
    vm.run("systemctl daemon-reload")
    since = vm.out("date +%s.%N")
    chaos.inject(vm, fault, *params, span="4s", check=False)
    chaos.wait_ended(vm, 30)
    chaos.wait_clean(vm, before, f"{fault}, killed at {call} {n}")
    killed = "status=9/KILL" in vm.journal(f"--since=@{since}", "-u", "aiops-fault@*")
    if vm.unit_state(chaos.UNIT) != "active":
        vm.run(["systemctl", "start", chaos.UNIT])
    return killed


def run(vm):
    vm.run(["mkdir", "-p", PATH.rsplit("/", 1)[0]])
    before = chaos.prepare(vm)
    whole = vm.state()
    kills = 0
    for fault, params in FAULTS:
        for call, most in SWEPT.items():
            for n in range(1, most + 1):
                if not killed_at(vm, before, fault, params, call, n):
                    break
                kills += 1
    vm.run(f"rm -r {PATH.rsplit('/', 1)[0]}; systemctl daemon-reload")
    assert kills >= 40, f"only {kills} kills"
    vm.note(f"{kills} kills, nothing left after each")
    vm.assert_nothing_left(before=whole, allow=("strace.conf", "aiops-fault@.service.d"))

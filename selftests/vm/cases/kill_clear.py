# SPDX-License-Identifier: LGPL-2.1-or-later
"""The undo of a fault is killed, too, while it works: PID 1 has it done by the next."""

import chaos

TAGS = {"quick"}
SUMMARY = "the undo of a fault killed -9 in the middle: the fault is over all the same"
UNIT = f"unit={chaos.UNIT}"
PATH = "/run/systemd/system/aiops-fault@.service.d/strace.conf"
# The first of them is killed as it writes that it begins; the others are as installed.
DROP_IN = """[Service]
ExecStopPost=
ExecStopPost=-/usr/bin/strace -D -qq -o /dev/null -e trace=renameat \
  -e inject=renameat:signal=SIGKILL:when=1 /usr/libexec/aiops/aiops-fault clear %i
ExecStopPost=-/usr/libexec/aiops/aiops-fault clear %i
ExecStopPost=-/usr/libexec/aiops/aiops-fault clear %i
SystemCallFilter=
CapabilityBoundingSet=CAP_KILL CAP_NET_ADMIN CAP_BPF CAP_PERFMON CAP_SYS_PTRACE
"""


def run(vm):
    before = chaos.prepare(vm)
    vm.run(["mkdir", "-p", PATH.rsplit("/", 1)[0]])
    vm.write(PATH, DROP_IN)
    vm.run("systemctl daemon-reload")
    for fault, params in (("net.delay", [UNIT, "delay_ms=50"]), ("proc.freeze", [UNIT])):
        chaos.inject(vm, fault, *params, span="60s")
        # The runner must not undo it itself.
        vm.run("systemctl kill --kill-who=main -s KILL 'aiops-fault@*.service'")
        chaos.wait_ended(vm, 30)
        chaos.wait_clean(vm, before, f"{fault}, runner and undo killed")
        # Begun by the one that was killed, and by the one after it.
        begun = vm.journal("-b", "-t", "aiops-fault").count(f" {fault}: reverting")
        assert begun == 2, f"{fault}: {begun} times"
        states = {one["state"] for one in chaos.results(vm).values()}
        assert states == {"verified"}, states

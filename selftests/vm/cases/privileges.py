# SPDX-License-Identifier: LGPL-2.1-or-later
"""What each of ours may do, read from /proc while it runs."""

import product

TAGS = {"quick"}
SUMMARY = "no process of ours holds a capability; all are confined by seccomp; no action code"
CAPS = ["CapInh", "CapPrm", "CapEff", "CapAmb"]
# Code of actions and faults that a program must not hold; nm is not in the guest, strings are.
FOREIGN = {"aiops-agent": [b"action_unit_restart", b"pidfd_send_signal", b"RestartUnit"],
           "aiops-recorder": [b"RestartUnit"], "aiops-gateway": [b"RestartUnit"]}


def status(vm, pid):
    lines = vm.read(f"/proc/{pid}/status").decode().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def run(vm):
    product.wait_ready(vm)
    for name, pid in product.pids(vm).items():
        assert pid != "0", f"{name} does not run"
        fields = status(vm, pid)
        held = {cap: fields[cap] for cap in CAPS if int(fields[cap], 16)}
        assert not held, f"{name} holds {held}"
        assert fields["Seccomp"] == "2", f"{name}: Seccomp {fields['Seccomp']}"
        assert fields["NoNewPrivs"] == "1", name
        assert not fields["Uid"].startswith("0\t"), f"{name} runs as root"
        program = vm.read(f"/usr/libexec/aiops/{name}")
        found = [text.decode() for text in FOREIGN.get(name, []) if text in program]
        assert not found, f"{name} holds {found}"
    # The agent has loaded its programs and still reads them.
    probes = product.get(vm, "control", "/v1/status")["probes"]
    silent = [f"{one['name']}: {one['error']}" for one in probes if not one["running"]]
    assert not silent, silent

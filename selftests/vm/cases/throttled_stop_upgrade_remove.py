# SPDX-License-Identifier: LGPL-2.1-or-later
"""A limit is in force while the agent is stopped, the package is installed anew and then removed."""

import product
from provision import TOP

TAGS = {"long"}
SUMMARY = "a limit outlives a stop and an upgrade, its end too; a removal ends it at once"
TIMEOUT_S = 600
FOR_S = 150  # long enough for an installation on an emulated CPU
LATE_S = 15
FIRST, SECOND = "first.service", "second.service"
PACKAGE = "/run/vmtest/aiops-agent.deb"
APT = "env DEBIAN_FRONTEND=noninteractive apt-get"


def inode(vm):
    return vm.out("stat -c %i /usr/libexec/aiops/aiops-step")


def run(vm):
    product.wait_ready(vm)
    for name in (FIRST, SECOND):
        vm.run(f"systemd-run --quiet --unit={name} sleep 1000")
    before_s = product.uptime(vm)
    product.throttle(vm, FIRST, FOR_S)
    vm.run("systemctl stop aiops-agent.service")
    assert product.cpu_max(vm, FIRST) == product.THROTTLED, "a stop of the agent ends nothing"
    vm.run("systemctl start aiops-agent.service")
    product.wait_ready(vm, 60)

    old = inode(vm)
    vm.write(PACKAGE, (TOP / "build" / "aiops-agent.deb").read_bytes())
    vm.run(f"{APT} install --reinstall -y {PACKAGE}", timeout_s=180)
    assert inode(vm) != old, "the program that will undo it was replaced"
    assert product.cpu_max(vm, FIRST) == product.THROTTLED, "an upgrade ends nothing"
    vm.note(f"installed anew {product.uptime(vm) - before_s:.0f} s after the limit")
    ended_s = product.wait_unthrottled(vm, FIRST, FOR_S + LATE_S)
    assert before_s + FOR_S <= ended_s, "and the limit ends when it is to end, not sooner"
    vm.wait_for(lambda: not product.leases(vm), 20, "timer and service to be forgotten")

    product.wait_ready(vm, 60)
    product.throttle(vm, SECOND, 3600)
    vm.run(f"{APT} remove -y aiops-target aiops-agent", timeout_s=180)
    assert product.cpu_max(vm, SECOND) == "max 100000", "a removal ends it at once"
    assert not product.leases(vm)
    left = [line for line in vm.state_diff()
            if "90-aiops" in line or "aiops-expire" in line or "CPUQuota" in line]
    assert not left, left

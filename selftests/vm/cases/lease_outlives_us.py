# SPDX-License-Identifier: LGPL-2.1-or-later
"""A neighbour is slowed down for a while; then everything of ours is killed and may not come back."""

import product

TAGS = {"quick"}
SUMMARY = "a limit ends on time though every process of ours is dead and stays so"
TIMEOUT_S = 300
FOR_S = 40
LATE_S = 15  # for the timer's accuracy of 1 s, the undo and its reload on an emulated CPU
NEIGHBOUR = "neighbour.service"


def ours(vm):
    """Our daemons and their sockets; steps and ends are PID 1's to start."""
    lines = vm.out("systemctl list-units --all --plain --no-legend 'aiops-*' | cut -d ' ' -f 1")
    apart = ("aiops-target", "aiops-step", "aiops-expire")
    return [name for name in lines.splitlines() if not name.startswith(apart)]


def kill_and_mask(vm, names):
    vm.run(["systemctl", "mask", "--runtime", "--quiet", *names])
    vm.run(["systemctl", "kill", "-s", "KILL", *[n for n in names if n.endswith(".service")]],
           check=False)
    vm.run(["systemctl", "stop", *names], check=False)
    alive = vm.out("pgrep -a 'aiops-(agent|exec|rec|gate)' || true")
    assert not alive, alive


def run(vm):
    product.wait_ready(vm)
    vm.run(f"systemd-run --quiet --unit={NEIGHBOUR} sleep 1000")
    before_s = product.uptime(vm)
    key = product.throttle(vm, NEIGHBOUR, FOR_S)
    done_s = product.uptime(vm)
    timer = f"aiops-expire@{key}.timer"
    assert vm.unit_state(timer) == "active"
    names = ours(vm)
    kill_and_mask(vm, names)
    assert product.cpu_max(vm, NEIGHBOUR) == product.THROTTLED, "in force while all of us are dead"
    ended_s = product.wait_unthrottled(vm, NEIGHBOUR, FOR_S + LATE_S)
    assert before_s + FOR_S <= ended_s <= done_s + FOR_S + LATE_S, (before_s, done_s, ended_s)
    vm.note(f"{FOR_S} s; ended {ended_s - before_s:.1f} s after it was asked for, "
            f"{ended_s - done_s:.1f} s after that was done")
    vm.wait_for(lambda: not product.leases(vm), 20, "timer and service to be forgotten")
    assert not vm.out("find /run/systemd -name '*90-aiops-*' -o -name 'aiops-expire*'")
    assert key not in vm.out("ls /run/aiops/undo")
    vm.run(["systemctl", "unmask", "--runtime", "--quiet", *names])
    vm.run("systemctl start aiops-agent.service")
    product.wait_ready(vm, 60)
    attempt = product.get(vm, "approve", f"/v1/attempts/{key}")
    assert attempt["phase"] == "reverted" and "its time is over" in attempt["text"], attempt
    told = [line for line in vm.out(["journalctl", "-b", "-o", "cat", "-t", "aiops-executor",
                                     f"AIOPS_KEY={key}"]).splitlines() if "time is over" in line]
    assert len(told) == 1, told
    vm.run(f"systemctl stop {NEIGHBOUR}")
    vm.assert_nothing_left(product.REVERT_S)

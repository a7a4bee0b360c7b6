# SPDX-License-Identifier: LGPL-2.1-or-later
"""Killing what acts, at a chosen moment, and what must be true after it."""

import collections
import re

import product

ENDS = {"done", "failed", "unknown", "reverted"}
STEP_DROPIN = "/run/systemd/system/aiops-step@.service.d/50-strace.conf"
# strace must be let in: what the unit forbids the step is not what is tested here.
STEP_UNIT = """[Service]
ExecStart=
ExecStart=/usr/bin/strace -D -f {options} /usr/libexec/aiops/aiops-step run %i
StandardError=file:{trace}
SystemCallFilter=
TasksMax=32
"""
STEP_TRACE = "/run/step-trace"
# What changes something, or says that it is changed.
STEP_CALLS = ("linkat", "write", "sendmsg", "renameat")


def ask_restart(vm):
    """The key of an attempt to restart the target."""
    status, answer = product.http(vm, "approve", "/v1/actions/unit.restart", "POST",
                                  {"params": {"unit": product.TARGET}})
    assert status == 202, f"{status} {answer}"
    return answer["key"]


def wait_end(vm, key, what):
    def ended():
        status, attempt = product.http(vm, "approve", f"/v1/attempts/{key}")
        return status == 200 and attempt["phase"] in ENDS and attempt
    return vm.wait_for(ended, 120, f"an end of the attempt, {what}")


def assert_once(vm, begun, attempt, what):
    """It was done once at most, and what is said of it is so."""
    restarts = product.starts(vm) - begun
    assert restarts <= 1, f"{what}: restarted {restarts} times"
    assert attempt["phase"] != "done" or restarts == 1, f"{what}: {attempt}"
    assert attempt["phase"] != "failed" or restarts == 0, f"{what}: {attempt}"
    assert vm.unit_state(product.TARGET) == "active", what
    vm.note(f"{what}: {attempt['phase']}, {restarts} restarts: {attempt['text'][:60]}")


def executor(vm, phase):
    """Kill the executor as soon as it says that an attempt is in PHASE."""
    what = f"executor killed at {phase}"
    product.wait_ready(vm)
    begun = product.starts(vm)
    product.kill_at(vm, "aiops-executor", f"*unit.restart*{phase}*", "aiops-executor.service")
    key = ask_restart(vm)
    vm.wait_for(lambda: product.unit(vm, "aiops-executor", "NRestarts")["NRestarts"] == "1", 60,
                what)
    assert_once(vm, begun, wait_end(vm, key, what), what)
    vm.assert_nothing_left()


def _under_strace(vm, options, what):
    """Restart the target by a step under strace with OPTIONS. Returns the attempt."""
    product.wait_ready(vm)
    vm.run(["mkdir", "-p", STEP_DROPIN.rsplit("/", 1)[0]])
    vm.write(STEP_DROPIN, STEP_UNIT.format(options=options, trace=STEP_TRACE))
    vm.run("systemctl daemon-reload")
    begun = product.starts(vm)
    attempt = wait_end(vm, ask_restart(vm), what)
    assert_once(vm, begun, attempt, what)
    vm.run(f"rm -r {STEP_DROPIN.rsplit('/', 1)[0]} && systemctl daemon-reload")
    return attempt


def step_points(vm):
    """Where a step that restarts the target can be killed, in its order, and which is the change.

    Returns ([(call, n), ...], index); n counts in the process that makes the call, as strace does.
    """
    attempt = _under_strace(vm, f"-s 512 -e trace={','.join(STEP_CALLS)} -e signal=none", "a trace")
    assert attempt["phase"] == "done", attempt
    points, change, seen = [], None, collections.Counter()
    for line in vm.read(STEP_TRACE).decode(errors="replace").splitlines():
        found = re.match(r"(\[pid +\d+\] )?(\w+)\(", line)
        if not found or found[2] not in STEP_CALLS:
            continue
        seen[found[1], found[2]] += 1
        points.append((found[2], seen[found[1], found[2]]))
        if found[2] == "sendmsg" and "RestartUnit" in line:
            change = len(points) - 1
    vm.run(["rm", STEP_TRACE])
    assert change, f"no request to systemd among {points}"
    return points, change


def step(vm, call, n):
    """Kill a step as it makes system call CALL for the Nth time. Returns how it ended."""
    attempt = _under_strace(vm, f"-o /dev/null -e trace={call} -e inject={call}:signal=KILL:when={n}",
                            f"step killed at {call} {n}")
    vm.run(["rm", STEP_TRACE])
    vm.assert_nothing_left()
    return attempt["phase"]

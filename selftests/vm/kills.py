# SPDX-License-Identifier: LGPL-2.1-or-later
"""Killing what acts, at a chosen moment, and what must be true after it."""

import product

ENDS = {"done", "failed", "unknown", "reverted"}
STEP_DROPIN = "/run/systemd/system/aiops-step@.service.d/50-strace.conf"
# strace must be let in: what the unit forbids the step is not what is tested here.
STEP_UNIT = """[Service]
ExecStart=
ExecStart=/usr/bin/strace -D -f -o /dev/null -e trace={call} -e inject={call}:signal=KILL:when={n} \
/usr/libexec/aiops/aiops-step run %i
SystemCallFilter=
TasksMax=32
"""


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


def step(vm, call, n):
    """Kill a step as it makes system call CALL for the Nth time. Returns how it ended."""
    what = f"step killed at {call} {n}"
    product.wait_ready(vm)
    vm.run(["mkdir", "-p", STEP_DROPIN.rsplit("/", 1)[0]])
    vm.write(STEP_DROPIN, STEP_UNIT.format(call=call, n=n))
    vm.run("systemctl daemon-reload")
    begun = product.starts(vm)
    attempt = wait_end(vm, ask_restart(vm), what)
    assert_once(vm, begun, attempt, what)
    vm.run(f"rm -r {STEP_DROPIN.rsplit('/', 1)[0]} && systemctl daemon-reload")
    vm.assert_nothing_left()
    return attempt["phase"]

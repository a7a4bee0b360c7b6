# SPDX-License-Identifier: LGPL-2.1-or-later
"""Somebody else holds the executor's user: what aiops-agent(8) says of that is so, no more and no less."""

import product
import provision

TAGS = {"long"}
SUMMARY = "the executor's user can start steps and nothing else, each key once, and few in an hour"
TOOL = provision.TOP / "build" / "integration" / "steprecord"
THERE = "/usr/local/bin/steprecord"
STEPS = "/run/aiops/steps"
POLICY = "/etc/aiops/policy.d/99-few.yaml"
# As in the policy as installed, one action an hour: steps do twice that and no more.
FEW = ("mode: auto\nallow:\n  - {action: unit.restart, on: managed, autonomy: approve}\n"
       "limits:\n  per_host_per_hour: 1\n")


def as_executor(vm, *command, check=False):
    return vm.run(["setpriv", "--reuid=aiops-exec", "--regid=aiops-exec", "--init-groups",
                   *command], check=check, timeout_s=90)


def key(number):
    return f"{0xabc000 + number:032x}"


def step(vm, number, unit=product.TARGET):
    """A record of its own making, and the step started; (phase, text) of what came of it."""
    as_executor(vm, THERE, "ask", STEPS, key(number), "unit.restart", f"unit={unit}", check=True)
    return start(vm, number)


def start(vm, number):
    as_executor(vm, "systemctl", "--no-ask-password", "start", f"aiops-step@{key(number)}.service")
    return vm.out([THERE, "result", STEPS, key(number)])


def refuse_other_units(vm):
    name = f"aiops-step@{key(0)}.service"
    for words in (["stop", name], ["restart", name], ["start", f"aiops-fault@{key(0)}.service"],
                  ["restart", "cron.service"], ["stop", product.TARGET], ["daemon-reload"],
                  ["set-property", product.TARGET, "CPUQuota=1%"], ["kill", product.TARGET]):
        code, out, _ = as_executor(vm, "systemctl", "--no-ask-password", *words)
        assert code, f"the executor's user may '{' '.join(words)}': {out}"
    code, out, _ = as_executor(vm, "systemd-run", "--no-ask-password", "--quiet", "--wait", "true")
    assert code, f"the executor's user may run commands: {out}"


def run(vm):
    product.wait_ready(vm)
    vm.write(THERE, TOOL.read_bytes(), 0o755)
    vm.run(["mkdir", "-p", POLICY.rsplit("/", 1)[0]])
    vm.write(POLICY, FEW)
    # It would forget what it does not know.
    vm.run("systemctl kill --kill-who=main -s STOP aiops-executor")
    refuse_other_units(vm)
    assert "protected" in step(vm, 0, "dbus.service"), "a protected unit was restarted"
    before = product.starts(vm)
    said = step(vm, 1)
    assert said.startswith("done"), said  # what policy lets a person approve; nobody was asked
    # The same again, all traces of it removed.
    as_executor(vm, "rm", "-f", *(f"{STEPS}/{key(1)}{end}" for end in (".claim", ".result")))
    said = start(vm, 1)
    assert said.startswith("failed") and "it was used before" in said, said
    said = step(vm, 2)
    assert said.startswith("done"), said
    said = step(vm, 3)
    assert said.startswith("failed") and "within an hour" in said, said
    assert product.starts(vm) == before + 2
    vm.run(["systemctl", "kill", "--kill-who=main", "-s", "CONT", "aiops-executor"])

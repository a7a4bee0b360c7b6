# SPDX-License-Identifier: LGPL-2.1-or-later
"""A crash that comes back after each repair: a few tries, then a person is told, once."""

import product

TAGS = {"quick"}
SUMMARY = "a crash that comes back opens the breaker: escalated, told once, left alone"
SABOTAGE = {"force-improved"}
TIMEOUT_S = 400
DROPIN = f"/run/systemd/system/{product.TARGET}.d/50-loop.conf"
POLICY = "/etc/aiops/policy.d/60-soon.yaml"  # the same tries, but not 60 s apart
TRIES_MAX = 3  # of the policy as installed, for one unit in an hour


def run(vm):
    product.wait_ready(vm)
    # Else the limit ends the one that runs by now, and that is an incident of its own.
    vm.run(["systemctl", "stop", product.TARGET])
    stopped = product.wait_incident(vm, {"cleared"}, 30)["id"]
    vm.run(["mkdir", "-p", DROPIN.rsplit("/", 1)[0]])
    # It comes up, answers, and dies: the next time, too.
    vm.write(DROPIN, "[Service]\nRuntimeMaxSec=4\n")
    vm.run("systemctl daemon-reload")
    vm.run(["mkdir", "-p", POLICY.rsplit("/", 1)[0]])
    vm.write(POLICY, "limits: {cooldown_s: 0}\n")
    vm.run("systemctl reload aiops-executor")
    begun = product.starts(vm)
    vm.run(["systemctl", "start", product.TARGET])
    incident = product.wait_incident(vm, {"escalated"}, 330, {stopped}, never={"resolved"})
    tries = len(product.acted(vm))
    assert 1 <= tries <= TRIES_MAX, f"{tries} tries"
    started = product.starts(vm) - begun
    assert started <= 1 + tries, f"{started} starts for {tries} tries"
    verdicts = [one["result"] for one in product.records(vm, incident["id"], "verdict")]
    assert "improved" not in verdicts, verdicts
    calls = [text for text in product.told(vm, incident["id"]) if "person" in text]
    assert len(calls) == 1, calls
    vm.note(f"{tries} tries, then: {calls[0][:90]}")
    there = {one["id"] for one in product.incidents(vm)}
    assert there == {stopped, incident["id"]}, product.brief(product.incidents(vm))

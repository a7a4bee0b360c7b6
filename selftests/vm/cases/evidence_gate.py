# SPDX-License-Identifier: LGPL-2.1-or-later
"""A runbook that would act on the word of one witness, or of the log, is not believed."""

import time

import product

TAGS = {"quick"}
SUMMARY = "one source of evidence, or the log, is not enough to act on, whatever a runbook says"
SABOTAGE = {"no-evidence-gate"}
FOLDER = "/etc/aiops/runbooks.d"
HASTY = """---
id: hasty
title: Acts on the word of one witness
owner: vmtest
risk: disruptive
autonomy: auto
match:
  alerts: [endpoint-slow, endpoint-down]
when_not_to_use: always
evidence:
  - {inspector: unit_status, fact: unit.active_state, in: [active], weight: 5, required: true}
  - {inspector: journal_tail, fact: log.lines_count, above: 0, weight: 5}
min_score: 3
root: entity
cause: "one witness says so"
plan:
  - {action: unit.restart, params: {unit: "$root"}}
verify: {signal: unit.active_bool, above: 0.5, settle_s: 1, sustain_s: 5, within_s: 30}
limits: {per_hour: 3, cooldown_s: 10}
---
# Acts on the word of one witness
"""


def run(vm):
    product.wait_ready(vm)
    vm.run(["mkdir", "-p", FOLDER])
    vm.write(f"{FOLDER}/hasty.md", HASTY)
    vm.run("systemctl reload aiops-agent")
    vm.wait_for(lambda: "hasty" in [one["id"] for one in
                                    product.get(vm, "control", "/v1/runbooks")["runbooks"]], 10,
                "the hasty runbook")
    before = product.started_by(vm)
    watch = vm.observe("/healthz", slow_s=product.SLOW_S)
    watch.wait_up(20)
    broken_s = time.monotonic()
    product.inject(vm, "net.delay", f"unit={product.TARGET}", "delay_ms=1000", for_s=60)
    watch.wait_down(15, broken_s)
    incident = product.wait_incident(vm, product.SETTLED | {"acting", "verifying"}, 60)
    assert incident["cause"] == "unknown" and incident["state"] == "escalated", \
        product.brief([incident])
    assert "hasty" in incident["reason"], incident["reason"]
    product.assert_no_action(vm)
    assert product.started_by(vm) == before

# SPDX-License-Identifier: LGPL-2.1-or-later
"""The agent is killed while its attempt is under way: it goes on where it was."""

import time

import product

TAGS = {"quick"}
SUMMARY = "the agent killed in the middle of an attempt: nothing is done twice, the story ends"
TIMEOUT_S = 400
# What the executor logs when the agent is killed.
MOMENTS = ["*unit.start*starting*", "*unit.start*applied*"]


def run(vm):
    for moment in MOMENTS:
        vm.restore()
        once(vm, moment)


def once(vm, moment):
    product.wait_ready(vm)
    begun = product.starts(vm)
    watch = vm.observe()
    watch.wait_up(20)
    product.kill_at(vm, "aiops-executor", moment, "aiops-agent.service")
    broken_s = time.monotonic()
    product.inject(vm, "unit.kill", f"unit={product.TARGET}")
    watch.wait_healed(60, 5, broken_s)
    vm.wait_for(lambda: product.unit(vm, "aiops-agent", "NRestarts")["NRestarts"] == "1", 20,
                "the agent to be killed and started")
    product.wait_ready(vm, 60)
    incident = product.wait_incident(vm, {"resolved"}, 60)
    assert incident["cause"] == "service-crashed", product.brief([incident])
    assert len(product.incidents(vm)) == 1, product.brief(product.incidents(vm))
    assert product.starts(vm) == begun + 1, "started more than once"
    assert len(product.acted(vm)) == 1, product.acted(vm)
    watch.stop()

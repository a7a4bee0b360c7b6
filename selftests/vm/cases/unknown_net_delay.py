# SPDX-License-Identifier: LGPL-2.1-or-later
"""Packets of the service are late: nothing on this host explains that, so nothing is touched."""

import time

import product

TAGS = {"quick"}
SUMMARY = "what nobody understands is told once, with what was measured, and left alone"


def run(vm):
    product.wait_ready(vm)
    before = product.started_by(vm)
    watch = vm.observe("/healthz", slow_s=product.SLOW_S)
    watch.wait_up(20)
    broken_s = time.monotonic()
    product.inject(vm, "net.delay", f"unit={product.TARGET}", "delay_ms=800", for_s=120)
    watch.wait_down(15, broken_s)
    incident = product.wait_incident(vm, {"escalated"}, 60)
    product.assert_as_expected(vm, "net.delay", incident)
    measured = product.records(vm, incident["id"], "evidence")
    assert {one["inspector"] for one in measured} >= {"unit_status", "endpoint"}, measured
    messages = product.told(vm, incident["id"])
    assert sum("unknown" in text for text in messages) == 1, messages
    product.wait_samples(vm, 300)
    assert product.told(vm, incident["id"]) == messages, "told more than once"

    product.recover(vm)
    watch.wait_healed(20, 2, broken_s)
    product.wait_incident(vm, {"cleared"}, 60)
    product.assert_no_action(vm)
    assert product.started_by(vm) == before
    vm.assert_nothing_left()

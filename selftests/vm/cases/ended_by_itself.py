# SPDX-License-Identifier: LGPL-2.1-or-later
"""A daemon that ends well although nobody stopped it is down all the same: a person is told, and how to
start it."""

import time

import product

TAGS = {"quick"}
SUMMARY = "a service that ended by itself with code 0 is told of, and left to a person"
SABOTAGE = {"mask-agent"}


def run(vm):
    product.wait_ready(vm)
    watch = vm.observe("/healthz", slow_s=product.SLOW_S)
    watch.wait_up(20)
    ended_s = time.monotonic()
    # No job of systemd: it gets the signal as from anybody, and ends in order.
    vm.run(f"systemctl kill -s TERM --kill-who=main {product.TARGET}")
    watch.wait_down(15, ended_s)
    incident = product.wait_incident(vm, {"escalated"}, 60, never={"cleared", "acting"})
    end = product.unit(vm, product.TARGET, "Result", "ExecMainStatus", "ActiveState")
    assert end == {"Result": "success", "ExecMainStatus": "0", "ActiveState": "inactive"}, end
    assert incident["cause"] == "service-ended", product.brief([incident])
    told = product.told(vm, incident["id"])
    command = f"aiopsctl do unit.start unit={product.TARGET}"
    assert any("nobody had asked systemd to stop it" in line for line in told), told
    assert any(line.endswith(f"If you agree: {command}") for line in told), told
    product.assert_no_action(vm)
    # What it says helps.
    vm.run(f"{command} --yes")
    watch.wait_healed(60, product.SUSTAIN_S, ended_s)
    product.wait_incident(vm, {"cleared"}, 60)
    vm.assert_nothing_left()

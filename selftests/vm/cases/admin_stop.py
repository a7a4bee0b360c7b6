# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who stops a service in order wants it stopped, and who masks it, too."""

import time

import product

TAGS = {"quick"}
SUMMARY = "what an administrator stopped, or masked, stays as it is"
SABOTAGE = {"guard-stopped"}
WATCH_S = 8


def stays_down(vm, watch, line, told):
    vm.run(line)
    stopped_s = time.monotonic()
    assert watch.stays_down(WATCH_S, stopped_s), f"it came back after: {line}"
    assert vm.unit_state(product.TARGET) != "active"
    open_ones = [one for one in product.incidents(vm) if one["state"] not in product.CLOSED]
    assert not open_ones, product.brief(open_ones)
    product.wait_told(vm, f"is left alone: {told}")


def run(vm):
    product.wait_ready(vm)
    watch = vm.observe()
    watch.wait_up(20)
    stays_down(vm, watch, f"systemctl stop {product.TARGET}",
               "it was stopped in order")
    product.assert_no_action(vm)
    vm.run(f"systemctl start {product.TARGET}")
    watch.wait_healed(20, 2)
    stays_down(vm, watch, f"systemctl mask --now {product.TARGET}", "it is masked")
    product.assert_no_action(vm)
    vm.run(f"systemctl unmask {product.TARGET} && systemctl start {product.TARGET}")
    watch.wait_healed(20, 2)
    vm.assert_nothing_left()

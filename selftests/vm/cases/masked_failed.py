# SPDX-License-Identifier: LGPL-2.1-or-later
"""A unit that crashes after it was masked is off on purpose, whatever its last end was."""

import time

import product

TAGS = {"long"}
SUMMARY = "a masked unit that fails is left alone"


def run(vm):
    product.wait_ready(vm)
    watch = vm.observe()
    watch.wait_up(20)
    vm.run(f"systemctl mask {product.TARGET}")
    killed_s = time.monotonic()
    vm.run(f"systemctl kill -s KILL {product.TARGET}")
    watch.wait_down(5, killed_s)
    assert watch.stays_down(10), "a masked unit was started"
    product.wait_told(vm, "is left alone: it is masked")
    product.assert_no_action(vm)
    waiting = product.get(vm, "approve", "/v1/approvals")["approvals"]
    assert not waiting, f"a person was asked: {waiting}"

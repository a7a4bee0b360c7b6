# SPDX-License-Identifier: LGPL-2.1-or-later
"""A main process that is killed: the unit fails, and is started again."""

import product

TAGS = {"quick"}
SUMMARY = "a service that crashed is started again, and nothing is left behind"
SABOTAGE = {"mask-agent", "plant-dropin"}


def run(vm):
    before = product.started_by(vm)
    product.heal(vm, "unit.kill", f"unit={product.TARGET}")
    assert product.started_by(vm) != before
    assert product.starts(vm) == 2, "started more than once"
    vm.assert_nothing_left()

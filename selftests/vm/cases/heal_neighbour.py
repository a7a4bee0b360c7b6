# SPDX-License-Identifier: LGPL-2.1-or-later
"""Another unit takes the CPU; a person is asked before it is slowed down, and it gets it back."""

import product

TAGS = {"quick"}
SUMMARY = "a person approves, a neighbour is slowed down, and gets its CPU back afterwards"
TIMEOUT_S = 400


def dropins(vm):
    return vm.out("find /run/systemd/system -name '90-aiops-*.conf'").splitlines()


def run(vm):
    incident = product.heal(vm, "cpu.stress", "weight=4000", for_s=300, within_s=150, person=True)
    assert len(dropins(vm)) == 1, dropins(vm)
    throttled = [one["params"]["unit"] for one in product.acted(vm)]
    assert throttled[0].startswith("batch-"), throttled
    assert product.unit(vm, product.TARGET, "CPUQuotaPerSecUSec").popitem()[1] == "infinity"
    assert product.told(vm, incident["id"])
    product.recover(vm)
    vm.wait_for(lambda: not dropins(vm), 90, "the quota to be taken back with its reason gone")
    vm.assert_nothing_left(product.REVERT_S)

# SPDX-License-Identifier: LGPL-2.1-or-later
"""A process in the unit's cgroup grows until the kernel kills: systemd stops the whole unit."""

import product

TAGS = {"quick"}
SUMMARY = "a service killed for lack of memory is started again, and the story says why it died"


def run(vm):
    incident = product.heal(vm, "mem.hog", f"unit={product.TARGET}")
    text = " ".join(product.told(vm, incident["id"]))
    assert "memory" in text and "MemoryMax" in text, text
    product.recover(vm)
    vm.assert_nothing_left()

# SPDX-License-Identifier: LGPL-2.1-or-later
"""All processes of the unit get SIGSTOP: it stays active and does not answer."""

import product

TAGS = {"quick"}
SUMMARY = "a service that hangs while systemd calls it active is restarted"


def run(vm):
    product.heal(vm, "proc.freeze", f"unit={product.TARGET}", for_s=120)
    assert product.starts(vm) == 2, "started more than once"
    product.recover(vm)
    vm.assert_nothing_left()

# SPDX-License-Identifier: LGPL-2.1-or-later
"""The unit has Restart= of its own: systemd goes first, and that is enough."""

import time

import product

TAGS = {"quick"}
SUMMARY = "a unit with Restart= of its own is left to systemd"
DROPIN = f"/run/systemd/system/{product.TARGET}.d/50-own.conf"


def run(vm):
    product.wait_ready(vm)
    vm.run(["mkdir", "-p", DROPIN.rsplit("/", 1)[0]])
    vm.write(DROPIN, "[Service]\nRestart=always\nRestartSec=3\n")
    vm.run("systemctl daemon-reload")
    watch = vm.observe()
    watch.wait_up(20)
    killed_s = time.monotonic()
    vm.run(f"systemctl kill -s KILL {product.TARGET}")
    watch.wait_healed(30, 3, killed_s)
    assert product.unit(vm, product.TARGET, "NRestarts")["NRestarts"] == "1"
    vm.wait_for(lambda: not [one for one in product.incidents(vm)
                             if one["state"] not in product.CLOSED], 40, "no open incident")
    product.assert_no_action(vm)
    vm.run(f"rm -r {DROPIN.rsplit('/', 1)[0]} && systemctl daemon-reload")
    vm.assert_nothing_left()

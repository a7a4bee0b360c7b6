# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every process of ours gets SIGKILL while a fault is in force: it ends, and nothing is left."""

import time

import product

TAGS = {"long"}
SUMMARY = "all of ours killed with -9 during each fault: it ends by its deadline, nothing left"
TIMEOUT_S = 900
FOR_S = 20
LATE_S = 15  # for PID 1 to see the deadline, run the undo and forget the unit
FAULTS = [("proc.freeze", [f"unit={product.TARGET}"]), ("cpu.stress", []),
          ("net.delay", [f"unit={product.TARGET}", "delay_ms=800"]),
          ("mem.hog", [f"unit={product.TARGET}", "rate_mib_per_s=4"]),
          ("unit.kill", [f"unit={product.TARGET}"])]


def run(vm):
    for fault, params in FAULTS:
        vm.restore()
        once(vm, fault, params)


def once(vm, fault, params):
    product.wait_ready(vm)
    begin_s = time.monotonic()
    product.inject(vm, fault, *params, for_s=FOR_S)
    vm.run("systemctl kill -s KILL 'aiops-*.service'", check=False)
    vm.wait_for(lambda: not vm.json("aiopsctl faults list --json")["faults"],
                FOR_S + LATE_S - (time.monotonic() - begin_s), f"{fault} to end")
    vm.note(f"{fault}: over after {time.monotonic() - begin_s:.0f} of {FOR_S} s")
    # What it broke may need the agent, which systemd has started again by now.
    vm.wait_for(lambda: vm.unit_state(product.TARGET) == "active", 90, f"life after {fault}")
    product.wait_ready(vm, 60)
    vm.wait_for(lambda: all(one["state"] in product.CLOSED for one in product.incidents(vm)), 90,
                f"the end of the incidents of {fault}")
    vm.assert_nothing_left(product.REVERT_S)

# SPDX-License-Identifier: LGPL-2.1-or-later
"""A reboot ends no pause and gives back no budget, though the executor itself waits for no disk."""

import product

TAGS = {"quick"}
SUMMARY = "mode, pause and what was spent of the budget survive a power cut"
TIMEOUT_S = 240
RUN, DISK = "/run/aiops/exec", "/var/lib/aiops-executor"


def run(vm):
    product.wait_ready(vm)
    vm.run(["aiopsctl", "do", "unit.restart", f"unit={product.TARGET}", "--yes"], timeout_s=90)
    vm.run("aiopsctl mode suggest && aiopsctl pause")
    vm.wait_for(lambda: vm.run(f"cmp {RUN}/state {DISK}/state && cmp {RUN}/budget {DISK}/budget",
                               check=False)[0] == 0, 10, "state and budget on the disk")
    vm.run("sync")  # the rest of the guest; what counts here is synced by itself
    vm.power_cut()
    vm.settle()
    product.wait_ready(vm, 60)
    status = product.get(vm, "approve", "/v1/status")
    assert status["paused"] is True, status
    assert status["mode"] == "suggest", status
    assert status["budget"]["used_last_hour_count"] == 1, status
    code, out, err = vm.run(["aiopsctl", "do", "unit.restart", f"unit={product.TARGET}", "--yes"],
                            check=False)
    assert code and "paused" in out + err, (code, out, err)
    assert code == 5, f"a refusal is exit code 5, not {code}"
    # Nothing else was forgotten, and nothing is in the way of the next.
    vm.run("aiopsctl resume")
    vm.run(["aiopsctl", "do", "unit.restart", f"unit={product.TARGET}", "--yes"], timeout_s=90)
    status = product.get(vm, "approve", "/v1/status")
    assert status["budget"]["used_last_hour_count"] == 2, status

# SPDX-License-Identifier: LGPL-2.1-or-later
"""Nothing happened: nothing may differ, not even after services were restarted."""

TAGS = {"bare", "quick"}
SABOTAGE = {"plant-qdisc", "plant-dropin", "plant-bpf-link"}
SUMMARY = "an untouched guest, and one whose services restarted, show no difference"


def run(vm):
    vm.assert_nothing_left()
    vm.run("systemctl restart systemd-logind.service systemd-udevd.service")
    vm.settle()
    vm.assert_nothing_left()

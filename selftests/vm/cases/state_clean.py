# SPDX-License-Identifier: LGPL-2.1-or-later
"""Nothing happened: nothing may differ, not even after services were restarted."""

from leaks import LEAKS

TAGS = {"bare", "quick"}
SABOTAGE = set(LEAKS)
SUMMARY = "an untouched guest, and one whose services restarted, show no difference"


def run(vm):
    vm.assert_nothing_left()
    vm.run("systemctl restart systemd-logind.service systemd-udevd.service")
    vm.settle()
    vm.assert_nothing_left()

# SPDX-License-Identifier: LGPL-2.1-or-later
"""A package is installed and its script takes the service down for a while, not in order."""

import time

import product

TAGS = {"quick"}
SUMMARY = "a package that takes the service down while it is installed makes no incident"
# The script kills, waits as a slow one does, and starts it again.
CONTROL = """Package: aiops-vmtest-upgrade
Version: 1
Architecture: all
Maintainer: nobody <nobody@example.invalid>
Description: takes the target down for a while
"""
POSTINST = f"""#!/bin/sh
set -e
systemctl kill -s KILL {product.TARGET}
sleep 8
systemctl start {product.TARGET}
"""


def run(vm):
    product.wait_ready(vm)
    vm.run("mkdir -p /run/vmtest/up/DEBIAN")
    vm.write("/run/vmtest/up/DEBIAN/control", CONTROL)
    vm.write("/run/vmtest/up/DEBIAN/postinst", POSTINST, 0o755)
    vm.run("dpkg-deb -b /run/vmtest/up /run/vmtest/up.deb")
    watch = vm.observe()
    watch.wait_up(20)
    begun = product.starts(vm)
    upgrade_s = time.monotonic()
    # As anybody's process, not in the tests' own slice.
    vm.run("systemd-run --quiet --wait --pipe --collect dpkg -i /run/vmtest/up.deb", timeout_s=60)
    watch.wait_healed(30, 3, upgrade_s)
    product.assert_no_action(vm)
    assert product.starts(vm) == begun + 1, "somebody else started it, too"
    told = [entry["MESSAGE"] for entry in product.story(vm) if entry.get("AIOPS_INCIDENT")]
    assert not [text for text in told if "person" in text], told
    assert not product.incidents(vm) or not told, product.brief(product.incidents(vm))

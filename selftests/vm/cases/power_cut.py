# SPDX-License-Identifier: LGPL-2.1-or-later
"""A power cut loses what was not synced, nothing else, and does not touch the next case."""

TAGS = {"bare"}
SUMMARY = "synced data survives a power cut, and so does the snapshot"


def run(vm):
    vm.run("echo kept >/root/kept && sync && echo gone >/run/gone")
    vm.power_cut()
    vm.settle()
    assert vm.read("/root/kept") == b"kept\n"
    assert vm.run("test -e /run/gone", check=False)[0] != 0
    vm.restore()
    assert vm.run("test -e /root/kept", check=False)[0] != 0
    vm.assert_nothing_left()

# SPDX-License-Identifier: LGPL-2.1-or-later
"""Some points of kill_step: before, in the middle of, and after the change."""

import kills

TAGS = {"quick"}
SUMMARY = "a step killed before, in and after its change ends, and nothing is done twice"
TIMEOUT_S = 400
POINTS = [("linkat", 1), ("write", 6), ("renameat", 1)]


def run(vm):
    for call, n in POINTS:
        vm.restore()
        kills.step(vm, call, n)

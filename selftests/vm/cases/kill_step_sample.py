# SPDX-License-Identifier: LGPL-2.1-or-later
"""Some points of kill_step: before the change, at it, and after it."""

import kills

TAGS = {"quick"}
SUMMARY = "a step killed before, in and after its change ends, and nothing is done twice"
TIMEOUT_S = 600


def run(vm):
    points, change = kills.step_points(vm)
    ends = []
    for call, n in (points[0], points[change], points[-1]):
        vm.restore()
        ends.append(kills.step(vm, call, n))
    assert ends[0] == "failed", f"killed before the change: {ends}"
    assert ends[-1] == "done", f"killed after the change: {ends}"

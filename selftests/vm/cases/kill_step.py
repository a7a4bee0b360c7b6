# SPDX-License-Identifier: LGPL-2.1-or-later
"""A step is killed at a system call of its own: strace in its unit does it, systemd settles it."""

import kills

TAGS = {"long"}
SUMMARY = "a step killed at every call that changes something ends, and nothing is done twice"
TIMEOUT_S = 1800


def run(vm):
    ends = set()
    points, _ = kills.step_points(vm)
    for call, n in points:
        vm.restore()
        ends.add(kills.step(vm, call, n))
    assert {"done", "failed"} <= ends, f"not all of an action was met: {ends}"

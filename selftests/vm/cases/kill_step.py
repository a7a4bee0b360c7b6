# SPDX-License-Identifier: LGPL-2.1-or-later
"""A step is killed at a system call of its own: strace in its unit does it, systemd settles it."""

import kills

TAGS = {"long"}
SUMMARY = "a step killed at every call that changes something ends, and nothing is done twice"
TIMEOUT_S = 1800
# The claim, the phases in it, D-Bus, the undo record and the result.
POINTS = [("linkat", 1), *(("write", n) for n in range(1, 8)),
          *(("sendmsg", n) for n in range(1, 13)), ("renameat", 1), ("renameat", 2)]


def run(vm):
    ends = set()
    for call, n in POINTS:
        vm.restore()
        ends.add(kills.step(vm, call, n))
    assert {"done", "failed"} <= ends, f"not all of an action was met: {ends}"

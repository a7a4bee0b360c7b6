# SPDX-License-Identifier: LGPL-2.1-or-later
"""The executor is killed at each phase of an attempt that it sees."""

import kills

TAGS = {"long"}
SUMMARY = "the executor killed in each phase: the attempt ends, and nothing is done twice"
TIMEOUT_S = 900
PHASES = ["starting", "claimed", "checked", "snapshot", "applied"]


def run(vm):
    for phase in PHASES:
        vm.restore()
        kills.executor(vm, phase)

# SPDX-License-Identifier: LGPL-2.1-or-later
"""One phase of kill_executor, the most dangerous: the step has begun and nobody has heard of it."""

import kills

TAGS = {"quick"}
SUMMARY = "the executor killed as its step begins: the attempt ends, and nothing is done twice"


def run(vm):
    kills.executor(vm, "starting")

# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each kind of leak is seen and named; all are planted at once, as one digest costs seconds."""

from leaks import LEAKS

TAGS = {"bare", "quick"}
SUMMARY = f"each of {len(LEAKS)} kinds of planted leaks is seen and named"


def run(vm):
    for line, _ in LEAKS.values():
        vm.run(line)
    lines = vm.state_diff()
    unseen = [f"{name}: no line has '{text}'" for name, (_, text) in LEAKS.items()
              if not any(text in line for line in lines)]
    assert not unseen, "\n".join(unseen + ["the difference is:"] + lines)

# SPDX-License-Identifier: LGPL-2.1-or-later
"""The one list of what the table of actions leaves out, each with its reason; what stands here and is not
left out fails the table, too."""

# (action, deployment, cell): reason
CELLS = {
    ("net.remove_rule", "units", "verify fails"):
        "the kernel gives a rule that is put back another handle, so that very one is never there again",
    ("proc.renice", "units", "apply fails"):
        "setpriority(2) fails only where the process is gone, and then there is nothing to undo",
}
# (action, deployment): reason
ROWS = {
    ("service.keep_config", "units"):
        "a unit must have run well for ten minutes of the guest's own time; met in containers, whose start is a date",
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/approval.h"

static int run(struct ctl *ctl, int argc, char **argv)
{
	return approval_decide(ctl, argc, argv, "approve");
}

const struct verb_ops verb_approve = {
	.name = "approve",
	.group = "Act",
	.usage = "ID",
	.summary = "let the agent do one thing that it asks for",
	.help = "Shows the exact action and its undo first. The answer is bound to what was\n"
		"shown.",
	.options = OPT_YES | OPT_REASON,
	.run = run,
};

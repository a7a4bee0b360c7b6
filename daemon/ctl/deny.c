/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/approval.h"

static int run(struct ctl *ctl, int argc, char **argv)
{
	return approval_decide(ctl, argc, argv, "deny");
}

const struct verb_ops verb_deny = {
	.name = "deny",
	.group = "Act",
	.usage = "ID",
	.summary = "refuse one thing that the agent asks for",
	.help = "The incident is then left to you.",
	.options = OPT_YES | OPT_REASON,
	.run = run,
};

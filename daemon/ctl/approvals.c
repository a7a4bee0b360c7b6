/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/str.h"
#include "ctl/approval.h"

#define KEY_SHORT 8 /* characters of a key that tables show */

static int run(struct ctl *ctl, int argc, char **argv)
{
	static const struct table_column columns[] = {
		{ "ID", false, false },      { "ACTION", false, true }, { "RISK", false, false },
		{ "EXPIRES", false, false }, { "WHY", false, true },
	};
	_cleanup_json_ struct json_object *answer = NULL;
	struct json_object *all;
	struct table *t;
	int r;

	(void)argv;
	if (argc > 1)
		return ctl_fail(ctl, CTL_USAGE, NULL, "approvals takes no argument");
	r = approval_fetch(ctl, &answer);
	if (r != CTL_OK)
		return r;
	if (ctl->json != JSON_MODE_OFF)
		return ctl_print_json(ctl, answer);
	t = table_new(ctl, columns, ELEMENTSOF(columns));
	all = json_items(answer, "approvals");
	for (size_t i = 0; all && i < json_object_array_length(all); i++) {
		struct json_object *o = json_object_array_get_idx(all, i);
		char what[512] = "", ago[AGO_MAX] = "";

		table_row(t);
		table_cell(t, COLOUR_BLUE, "%.*s", KEY_SHORT, json_text(o, "key", "?"));
		table_cell(t, COLOUR_BOLD, "%s", approval_describe(o, what, sizeof(what)));
		table_cell(t, COLOUR_NONE, "%s", json_text(o, "risk", "?"));
		table_cell(t, COLOUR_YELLOW, "%s",
			   format_ago((uint64_t)json_int(o, "expires_usec"), ago));
		table_cell(t, COLOUR_NONE, "%s", json_text(o, "reason", ""));
	}
	table_print(t, "pending approval");
	if (all && json_object_array_length(all) > 0)
		ctl_hint(ctl, "aiopsctl approve ID, or aiopsctl deny ID");
	return CTL_OK;
}

const struct verb_ops verb_approvals = {
	.name = "approvals",
	.group = "Act",
	.usage = "",
	.summary = "what the agent asks a person for",
	.help = "What nobody answers in time is denied.",
	.run = run,
};

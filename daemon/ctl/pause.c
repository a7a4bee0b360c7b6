/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/str.h"
#include "ctl/api.h"

static int run(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_json_ struct json_object *answer = NULL;
	int r;

	(void)argv;
	if (argc > 1)
		return ctl_fail(ctl, CTL_USAGE, NULL, "pause takes no argument");
	r = api_call(ctl, API_APPROVE, "POST", "/v1/pause", NULL, &answer);
	if (r == CTL_OK && ctl->json != JSON_MODE_OFF)
		return ctl_print_json(ctl, answer);
	if (r == CTL_OK)
		puts("Paused: nothing new is started; what runs may end, and undo goes on.");
	return r;
}

const struct verb_ops verb_pause = {
	.name = "pause",
	.group = "Act",
	.usage = "",
	.summary = "start nothing new; go on watching",
	.help = "Ends with 'aiopsctl resume' or the next boot. Without the daemons:\n"
		"touch /run/aiops/STOP.",
	.run = run,
};

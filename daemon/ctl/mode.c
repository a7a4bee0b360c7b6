/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/str.h"
#include "ctl/api.h"
#include "model/record.h"

static int show(const struct ctl *ctl)
{
	_cleanup_json_ struct json_object *answer = NULL;
	int r = api_call(ctl, API_APPROVE, "GET", "/v1/status", NULL, &answer);

	if (r != CTL_OK)
		return r;
	if (ctl->json != JSON_MODE_OFF)
		return ctl_print_json(ctl, answer);
	puts(json_text(answer, "mode", "?"));
	return CTL_OK;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_json_ struct json_object *body = json_object_new_object(), *answer = NULL;
	int r;

	if (argc == 1)
		return show(ctl);
	if (argc != 2 || autonomy_from_string(argv[1]) < 0)
		return ctl_fail(ctl, CTL_USAGE, NULL,
				"mode: 'observe', 'suggest', 'approve' or 'auto'");
	(void)json_add_string(body, "mode", argv[1]);
	r = api_call(ctl, API_APPROVE, "POST", "/v1/mode", body, &answer);
	if (r == CTL_OK && ctl->json != JSON_MODE_OFF)
		return ctl_print_json(ctl, answer);
	if (r == CTL_OK)
		printf("Mode is %s now, until the next boot.\n", argv[1]);
	return r;
}

const struct verb_ops verb_mode = {
	.name = "mode",
	.group = "Act",
	.usage = "[observe|suggest|approve|auto]",
	.summary = "how much the agent may do by itself",
	.help = "observe: only record. suggest: say what would help. approve: ask and wait.\n"
		"auto: do what policy allows. A runbook or a policy rule can only lower it.",
	.run = run,
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/tally.h"

#include <stdio.h>

void tally_add(const struct ctl *ctl, struct tally *t, const char *name, int r,
	       const struct err *err)
{
	struct json_object *o = json_object_new_object();

	if (!t->results)
		t->results = json_object_new_array();
	t->passed += r >= 0;
	t->failed += r < 0;
	(void)json_add_string(o, "name", name);
	(void)json_add_bool(o, "passed", r >= 0);
	if (r < 0)
		(void)json_add_string(o, "message", err_text(err));
	(void)json_object_array_add(t->results, o);
	if (ctl->json == JSON_MODE_OFF)
		printf("%s%s%s  %s%s%s\n", colour_on(ctl, r < 0 ? COLOUR_RED : COLOUR_GREEN),
		       r < 0 ? "FAIL" : "ok  ", colour_off(ctl), name, r < 0 ? ": " : "",
		       r < 0 ? err_text(err) : "");
}

int tally_finish(const struct ctl *ctl, struct tally *t)
{
	_cleanup_json_ struct json_object *root = json_object_new_object();

	if (!t->results)
		t->results = json_object_new_array();
	(void)json_add_u64(root, "passed_count", t->passed);
	(void)json_add_u64(root, "failed_count", t->failed);
	(void)json_add(root, "results", TAKE_PTR(t->results));
	if (ctl->json != JSON_MODE_OFF)
		(void)ctl_print_json(ctl, root);
	else if (!ctl->quiet)
		printf("%u passed, %u failed\n", t->passed, t->failed);
	return t->failed ? CTL_FAILED : CTL_OK;
}

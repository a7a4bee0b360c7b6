/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: daemon/ctl.a gen/registry_verb.o gen/action_table.o gen/fault_table.o gen/agent_table.o gen/recorder_table.o gen/registry_rule.o daemon/rules.a */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "ctl/api.h"
#include "ctl/dispatch.h"
#include "ctl/output.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever a daemon of another version, or a broken one, answers: aiopsctl prints it or says what is
 * wrong. In place of daemon/ctl/api.c, whose answers these are. */

static struct json_object *given;

int api_call(const struct ctl *ctl, enum api_socket where, const char *method, const char *path,
	     struct json_object *body, struct json_object **ret)
{
	(void)ctl;
	(void)where;
	(void)method;
	(void)path;
	(void)body;
	*ret = json_object_get(given);
	return CTL_OK;
}

int api_try(const struct ctl *ctl, enum api_socket where, const char *path,
	    struct json_object **ret, struct err *reterr)
{
	(void)ctl;
	(void)where;
	(void)path;
	(void)reterr;
	*ret = json_object_get(given);
	return 0;
}

const char *api_daemon(enum api_socket where)
{
	(void)where;
	return "daemon";
}

/* What has a terminal is another program's; what asks again until an answer changes has no end here. */
static const char *const verbs[][4] = {
	{ "status" },      { "incidents" },    { "incidents", "show", "abcdefghijk" },
	{ "why", "abcd" }, { "approvals" },    { "approve", "0123456789abcdef0123456789abcdef" },
	{ "mode" },        { "mode", "auto" }, { "pause" },
	{ "resume" },
};

static void run(const struct ctl *how, const char *const *verb)
{
	struct ctl ctl = *how;
	char *argv[ELEMENTSOF(verbs[0]) + 1] = { 0 }, words[ELEMENTSOF(verbs[0])][64];
	int argc = 0, r;

	for (; argc < (int)ELEMENTSOF(verbs[0]) && verb[argc]; argc++) {
		(void)str_copy(words[argc], sizeof(words[argc]), verb[argc]);
		argv[argc] = words[argc];
	}
	r = ctl_dispatch(&ctl, 0, argc, argv);
	assert(r >= CTL_OK && r <= CTL_UNVERIFIED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ctl people = { .legend = true, .yes = true },
				terminal = { .legend = true,
					     .yes = true,
					     .colour = true,
					     .full = true },
				script = { .json = JSON_MODE_SHORT, .yes = true };

	static bool quiet;

	if (!quiet) {
		stdout = fopen("/dev/null", "we");
		stderr = fopen("/dev/null", "we");
		assert(stdout && stderr);
		ctl_use_utf8();
		quiet = true;
	}
	if (size == 0 || json_parse((const char *)data + 1, size - 1, &given, NULL) < 0)
		return 0;
	for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
		run(data[0] % 3 == 0 ? &people : data[0] % 3 == 1 ? &terminal : &script, verbs[i]);
	(void)json_object_put(given);
	given = NULL;
	return 0;
}

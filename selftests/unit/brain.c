/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "selftests/unit/brain.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"

#define FILES_MAX 128

static const struct param_spec unit_params[] = {
	{ .name = "unit", .type = PARAM_TYPE_UNIT },
	{ .name = NULL },
};
static const struct param_spec quota_params[] = {
	{ .name = "unit", .type = PARAM_TYPE_UNIT },
	{ .name = "quota_pct", .type = PARAM_TYPE_INTEGER, .min = 1, .max = 1000 },
	{ .name = PARAM_DURATION,
	  .type = PARAM_TYPE_SPAN,
	  .min = 1,
	  .max = INT64_C(86400000000000),
	  .default_text = "60s" },
	{ .name = NULL },
};
const struct action_info brain_actions[] = {
	{ .name = "unit.start",
	  .summary = "",
	  .params = unit_params,
	  .target = "unit",
	  .risk = RISK_REVERSIBLE,
	  .undo = "takes it back",
	  .idempotent = true,
	  .timeout_ms = 90000 },
	{ .name = "unit.restart",
	  .summary = "",
	  .params = unit_params,
	  .target = "unit",
	  .risk = RISK_DISRUPTIVE,
	  .idempotent = true,
	  .timeout_ms = 90000 },
	{ .name = "unit.set_cpu_quota",
	  .summary = "",
	  .params = quota_params,
	  .target = "unit",
	  .risk = RISK_REVERSIBLE,
	  .undo = "takes it back",
	  .idempotent = true,
	  .timeout_ms = 30000 },
	{ .name = NULL },
};

static struct service services[] = {
	{ .name = "api",
	  .unit = "api.service",
	  .n_endpoints = 1,
	  .endpoints = { { .name = "api-health",
			   .url = "http://127.0.0.1:8080/",
			   .interval_ms = 500,
			   .timeout_ms = 1000,
			   .slow_ms = 250,
			   .expect_status = 200 } } },
	{ .name = "db", .unit = "db.service" },
	{ .name = "bus", .unit = "dbus.service" },
};

static int is_source(const struct dirent *d)
{
	return strstr(d->d_name, ".md") || strstr(d->d_name, ".yaml");
}

/* Reads every file of a folder of the source tree, in order of names. */
static int for_each(const char *folder,
		    int (*use)(struct brain *b, const char *name, const char *text, size_t size),
		    struct brain *b)
{
	struct dirent **list = NULL;
	int n = scandir(folder, &list, is_source, alphasort), r = n < 0 ? -1 : 0;

	for (int i = 0; i < n; i++) {
		char path[512], text[32 * 1024];
		ssize_t size;

		(void)snprintf(path, sizeof(path), "%s/%s", folder, list[i]->d_name);
		size = fd_read_file(AT_FDCWD, path, text, sizeof(text));
		if (size < 0 || use(b, list[i]->d_name, text, (size_t)size) < 0)
			r = -1;
		free(list[i]);
	}
	free(list);
	return r;
}

static int use_runbook(struct brain *b, const char *name, const char *text, size_t size)
{
	struct err err = { 0 };
	int r = b->runbooks.n < FILES_MAX ?
			runbook_parse(name, text, size, &b->runbooks.v[b->runbooks.n], &err) :
			-1;

	if (r < 0)
		(void)fprintf(stderr, "%s\n", err_text(&err));
	else if (runbook_is_guide(&b->runbooks.v[b->runbooks.n]))
		runbook_done(&b->runbooks.v[b->runbooks.n]);
	else
		b->runbooks.n++;
	return r;
}

static int use_alert(struct brain *b, const char *name, const char *text, size_t size)
{
	struct err err = { 0 };
	int r = b->alerts.n < FILES_MAX ?
			alert_parse(name, text, size, &b->alerts.v[b->alerts.n], &err) :
			-1;

	if (r < 0)
		(void)fprintf(stderr, "%s\n", err_text(&err));
	else
		b->alerts.n++;
	return r;
}

int brain_setup(void **state)
{
	struct brain *b = calloc(1, sizeof(*b));

	if (!b)
		return -1;
	*state = b;
	b->runbooks.v = calloc(FILES_MAX, sizeof(*b->runbooks.v));
	b->alerts.v = calloc(FILES_MAX, sizeof(*b->alerts.v));
	if (!b->runbooks.v || !b->alerts.v || for_each("runbooks", use_runbook, b) < 0 ||
	    for_each("runbooks/alerts", use_alert, b) < 0)
		return -1;
	b->services = (struct services){ ELEMENTSOF(services), services };
	b->config = (struct engine_config){ .services = &b->services,
					    .alerts = &b->alerts,
					    .runbooks = &b->runbooks,
					    .actions = brain_actions,
					    .mode = AUTONOMY_AUTO };
	return 0;
}

int brain_teardown(void **state)
{
	struct brain *b = *state;

	for (uint32_t i = 0; i < b->runbooks.n; i++)
		runbook_done(&b->runbooks.v[i]);
	free(b->runbooks.v);
	free(b->alerts.v);
	free(b);
	return 0;
}

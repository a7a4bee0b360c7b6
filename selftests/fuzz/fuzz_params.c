/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "model/param.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXTS_MAX (PARAMS_MAX + 2)

static const char *const choices[] = { "SIGTERM", "SIGKILL", NULL };
static const struct param_spec specs[] = {
	{ .name = "unit", .type = PARAM_TYPE_UNIT, .default_text = "a.service" },
	{ .name = "n", .type = PARAM_TYPE_INTEGER, .min = -5, .max = 100, .default_text = "1" },
	{ .name = "signal",
	  .type = PARAM_TYPE_ENUM,
	  .choices = choices,
	  .default_text = "SIGTERM" },
	{ .name = "span",
	  .type = PARAM_TYPE_SPAN,
	  .min = NS_PER_MS,
	  .max = 600 * (int64_t)NS_PER_S,
	  .default_text = "1s" },
	{ .name = "container", .type = PARAM_TYPE_CONTAINER, .default_text = "web-1" },
	{ .name = "process", .type = PARAM_TYPE_PROCESS, .default_text = "2:3" },
	{ .name = "service", .type = PARAM_TYPE_SERVICE, .default_text = "api" },
	{ .name = "name", .type = PARAM_TYPE_NAME, .default_text = "newest" },
	{ .name = NULL },
};

/* Splits "name=value" lines in place. */
static size_t split(char *text, struct param_text *texts)
{
	char *save = NULL;
	size_t n = 0;

	for (char *l = strtok_r(text, "\n", &save); l && n < TEXTS_MAX;
	     l = strtok_r(NULL, "\n", &save)) {
		char *value = strchr(l, '=');

		if (value)
			*value++ = '\0';
		texts[n++] = (struct param_text){ l, value ? value : "" };
	}
	return n;
}

/* What parses passes the check of a receiver, and its canonical text parses to the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct param_text texts[TEXTS_MAX] = { 0 }, again[PARAMS_MAX] = { 0 };
	struct params params = { 0 }, back = { 0 };
	char text[1024] = "";
	struct err err = { 0 };

	memcpy(text, data, size < sizeof(text) - 1 ? size : sizeof(text) - 1);
	if (params_parse(specs, texts, split(text, texts), &params, &err) < 0) {
		assert(str_is_clean_utf8(err.text, strlen(err.text)) || strlen(err.text) > 300);
		return 0;
	}
	assert(params.n == 8 && params_check(specs, &params, &err) == 0);
	for (uint32_t i = 0; i < params.n; i++)
		again[i] = (struct param_text){ params.v[i].name, params.v[i].text };
	assert(params_parse(specs, again, params.n, &back, &err) == 0);
	assert(memcmp(&params, &back, sizeof(params)) == 0);
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/params.h"

#include <string.h>

#include "base/str.h"

int params_from_arguments(const struct ctl *ctl, const struct param_spec *specs, int argc,
			  char **argv, struct params *ret)
{
	struct param_text texts[PARAMS_MAX] = { 0 };
	struct err err = { 0 };

	if (argc > PARAMS_MAX)
		return ctl_fail(ctl, CTL_USAGE, NULL, "at most %d parameters", PARAMS_MAX);
	for (int i = 0; i < argc; i++) {
		char *equals = strchr(argv[i], '=');

		if (!equals)
			return ctl_fail(ctl, CTL_USAGE, "write NAME=VALUE",
					"parameter '%s' has no value", argv[i]);
		*equals = '\0';
		texts[i] = (struct param_text){ argv[i], equals + 1 };
	}
	return params_parse(specs, texts, (size_t)argc, ret, &err) < 0 ?
		       ctl_fail_err(ctl, CTL_USAGE, NULL, &err) :
		       CTL_OK;
}

const char *params_synopsis(const struct param_spec *specs, char *buf, size_t size)
{
	buf[0] = '\0';
	for (const struct param_spec *p = specs; p->name; p++) {
		const char *space = buf[0] ? " " : "";

		if (p->default_text)
			str_append(buf, size, "%s[%s=%s]", space, p->name, p->default_text);
		else
			str_append(buf, size, "%s%s=", space, p->name);
	}
	return buf;
}

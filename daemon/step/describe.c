/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "model/param_source.h"
#include "step/step.h"

const struct action_ops *action_find(const char *name)
{
	for (const struct action_ops *const *a = action_registry; *a; a++)
		if (str_equal((*a)->name, name))
			return *a;
	return NULL;
}

static void print_action(FILE *out, unsigned n, const struct action_ops *a)
{
	(void)fputs("\t{ ", out);
	param_source_text(out, "name", a->name);
	param_source_text(out, "summary", a->summary);
	param_source_text(out, "target", a->target);
	param_source_text(out, "undo", a->undo);
	(void)fprintf(out,
		      "\n\t  .params = params_%u, .profile = %d, .risk = %d, .idempotent = %d,\n"
		      "\t  .timeout_ms = %u, .settle_ms = %u, .cooldown_ms = %u },\n",
		      n, (int)a->profile, (int)a->risk, a->idempotent, a->timeout_ms, a->settle_ms,
		      a->cooldown_ms);
}

int step_describe(FILE *out)
{
	unsigned n = 0;

	(void)fputs("/* SPDX-License-Identifier: LGPL-2.1-or-later */\n"
		    "#include \"model/action_info.h\"\n\n",
		    out);
	for (const struct action_ops *const *a = action_registry; *a; a++)
		param_source_specs(out, n++, (*a)->params);
	n = 0;
	(void)fputs("const struct action_info action_table[] = {\n", out);
	for (const struct action_ops *const *a = action_registry; *a; a++)
		print_action(out, n++, *a);
	(void)fputs("\t{ .name = NULL },\n};\n", out);
	return fflush(out) == 0 && !ferror(out) ? 0 : -EIO;
}

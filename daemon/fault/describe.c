/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "fault/fault.h"
#include "model/param_source.h"

static void print_actions(FILE *out, unsigned n, const char *const *actions)
{
	(void)fprintf(out, "static const char *const actions_%u[] = { ", n);
	for (; *actions; actions++)
		(void)fprintf(out, "\"%s\", ", *actions);
	(void)fputs("NULL };\n", out);
}

static void print_fault(FILE *out, unsigned n, const struct fault_ops *f)
{
	(void)fputs("\t{ ", out);
	param_source_text(out, "name", f->name);
	param_source_text(out, "summary", f->summary);
	param_source_text(out, "source", f->source);
	(void)fprintf(out, "\n\t  .params = params_%u, .reverts = %d, .expects = { ", n,
		      (int)f->reverts);
	param_source_text(out, "cause", f->expects.cause);
	param_source_text(out, "effect", f->expects.effect);
	(void)fprintf(out, ".actions = actions_%u } },\n", n);
}

int fault_describe(FILE *out)
{
	unsigned n = 0;

	(void)fputs("/* SPDX-License-Identifier: LGPL-2.1-or-later */\n"
		    "#include \"model/fault_info.h\"\n\n",
		    out);
	for (const struct fault_ops *const *f = fault_registry; *f; f++, n++) {
		print_actions(out, n, (*f)->expects.actions);
		param_source_specs(out, n, (*f)->params);
	}
	n = 0;
	(void)fputs("const struct fault_info fault_table[] = {\n", out);
	for (const struct fault_ops *const *f = fault_registry; *f; f++)
		print_fault(out, n++, *f);
	(void)fputs("\t{ .name = NULL },\n};\n", out);
	return fflush(out) == 0 && !ferror(out) ? 0 : -EIO;
}

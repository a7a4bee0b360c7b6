/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>

#include "step/step.h"

const struct action_ops *action_find(const char *name)
{
	for (const struct action_ops *const *a = action_registry; *a; a++)
		if (str_equal((*a)->name, name))
			return *a;
	return NULL;
}

/* A C string literal; our own texts hold no control characters. */
static void print_text(FILE *out, const char *key, const char *text)
{
	if (!text)
		return;
	(void)fprintf(out, ".%s = \"", key);
	for (; *text; text++)
		(void)fprintf(out, "%s%c", *text == '"' || *text == '\\' ? "\\" : "", *text);
	(void)fputs("\", ", out);
}

static void print_choices(FILE *out, unsigned n, const struct param_spec *p)
{
	(void)fprintf(out, "static const char *const choices_%u_%s[] = { ", n, p->name);
	for (const char *const *c = p->choices; *c; c++)
		(void)fprintf(out, "\"%s\", ", *c);
	(void)fputs("NULL };\n", out);
}

static void print_param(FILE *out, unsigned n, const struct param_spec *p)
{
	(void)fputs("\t{ ", out);
	print_text(out, "name", p->name);
	(void)fputs(".type = PARAM_TYPE_", out);
	for (const char *t = param_type_to_string(p->type); *t; t++)
		(void)fputc(toupper((unsigned char)*t), out);
	(void)fprintf(out, ", .min = INT64_C(%" PRId64 "), .max = INT64_C(%" PRId64 "), ", p->min,
		      p->max);
	print_text(out, "unit", p->unit);
	print_text(out, "default_text", p->default_text);
	print_text(out, "help", p->help);
	if (p->choices)
		(void)fprintf(out, ".choices = choices_%u_%s, ", n, p->name);
	(void)fputs("},\n", out);
}

static void print_params(FILE *out, unsigned n, const struct action_ops *a)
{
	for (const struct param_spec *p = a->params; p->name; p++)
		if (p->choices)
			print_choices(out, n, p);
	(void)fprintf(out, "static const struct param_spec params_%u[] = {\n", n);
	for (const struct param_spec *p = a->params; p->name; p++)
		print_param(out, n, p);
	(void)fputs("\t{ .name = NULL },\n};\n\n", out);
}

static void print_action(FILE *out, unsigned n, const struct action_ops *a)
{
	(void)fputs("\t{ ", out);
	print_text(out, "name", a->name);
	print_text(out, "summary", a->summary);
	(void)fprintf(out,
		      "\n\t  .params = params_%u, .risk = %d, .revertible = %d, .idempotent = %d,\n"
		      "\t  .timeout_ms = %u, .settle_ms = %u, .cooldown_ms = %u },\n",
		      n, (int)a->risk, a->revertible, a->idempotent, a->timeout_ms, a->settle_ms,
		      a->cooldown_ms);
}

int step_describe(FILE *out)
{
	unsigned n = 0;

	(void)fputs("/* SPDX-License-Identifier: LGPL-2.1-or-later */\n"
		    "#include \"model/action_info.h\"\n\n",
		    out);
	for (const struct action_ops *const *a = action_registry; *a; a++)
		print_params(out, n++, *a);
	n = 0;
	(void)fputs("const struct action_info action_table[] = {\n", out);
	for (const struct action_ops *const *a = action_registry; *a; a++)
		print_action(out, n++, *a);
	(void)fputs("\t{ .name = NULL },\n};\n", out);
	return fflush(out) == 0 && !ferror(out) ? 0 : -EIO;
}

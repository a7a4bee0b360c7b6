/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/param_source.h"

#include <ctype.h>
#include <inttypes.h>

void param_source_text(FILE *out, const char *key, const char *text)
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
	param_source_text(out, "name", p->name);
	(void)fputs(".type = PARAM_TYPE_", out);
	for (const char *t = param_type_to_string(p->type); *t; t++)
		(void)fputc(toupper((unsigned char)*t), out);
	(void)fprintf(out, ", .min = INT64_C(%" PRId64 "), .max = INT64_C(%" PRId64 "), ", p->min,
		      p->max);
	param_source_text(out, "unit", p->unit);
	param_source_text(out, "default_text", p->default_text);
	param_source_text(out, "help", p->help);
	if (p->choices)
		(void)fprintf(out, ".choices = choices_%u_%s, ", n, p->name);
	(void)fputs("},\n", out);
}

void param_source_specs(FILE *out, unsigned n, const struct param_spec *specs)
{
	for (const struct param_spec *p = specs; p->name; p++)
		if (p->choices)
			print_choices(out, n, p);
	(void)fprintf(out, "static const struct param_spec params_%u[] = {\n", n);
	for (const struct param_spec *p = specs; p->name; p++)
		print_param(out, n, p);
	(void)fputs("\t{ .name = NULL },\n};\n\n", out);
}

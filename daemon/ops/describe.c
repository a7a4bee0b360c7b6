/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/describe.h"

void describe_head(FILE *out)
{
	(void)fputs("/* SPDX-License-Identifier: LGPL-2.1-or-later */\n"
		    "#include \"model/runbook.h\"\n\n",
		    out);
}

/* A C string literal; our own texts hold no control characters. */
static void print_text(FILE *out, const char *text)
{
	(void)fputc('"', out);
	for (; text && *text; text++)
		(void)fprintf(out, "%s%c", *text == '"' || *text == '\\' ? "\\" : "", *text);
	(void)fputc('"', out);
}

static void print_specs(FILE *out, const struct signal_spec *s)
{
	for (; s && s->name; s++) {
		(void)fputs("\t{ .name = ", out);
		print_text(out, s->name);
		(void)fprintf(out, ", .entity_kind = %d, .source = %d, .provenance = %d, .help = ",
			      (int)s->entity_kind, (int)s->source, (int)s->provenance);
		print_text(out, s->help);
		(void)fputs(" },\n", out);
	}
}

void describe_inspectors(FILE *out, const char *table, const struct inspector_ops *const *registry)
{
	for (size_t i = 0; registry[i]; i++) {
		(void)fprintf(out, "static const struct signal_spec %s_%zu[] = {\n", table, i);
		print_specs(out, registry[i]->facts);
		(void)fputs("\t{ .name = NULL },\n};\n\n", out);
	}
	(void)fprintf(out, "const struct inspector_info %s[] = {\n", table);
	for (size_t i = 0; registry[i]; i++)
		(void)fprintf(out, "\t{ \"%s\", %s_%zu },\n", registry[i]->name, table, i);
	(void)fputs("\t{ NULL, NULL },\n};\n\n", out);
}

void describe_signals(FILE *out, const char *table, const struct probe_ops *const *registry)
{
	(void)fprintf(out, "const struct signal_spec %s[] = {\n", table);
	for (size_t i = 0; registry[i]; i++)
		print_specs(out, registry[i]->signals);
	print_specs(out, endpoint_signals);
	(void)fputs("\t{ .name = NULL },\n};\n\n", out);
}

void describe_rules(FILE *out, const char *table, const struct rule_ops *const *registry)
{
	(void)fprintf(out, "const char *const %s[] = { ", table);
	for (size_t i = 0; registry[i]; i++)
		(void)fprintf(out, "\"%s\", ", registry[i]->name);
	(void)fputs("NULL };\n", out);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/openmetrics.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

bool openmetrics_is_asked_for(const char *accept)
{
	return accept && strstr(accept, "application/openmetrics-text");
}

/* The same numbers as node_exporter's, under its names. Source: prometheus/node_exporter 1.5, collector/. */
static const struct {
	const char *signal, *name;
} node_names[] = {
	{ "host.load1", "node_load1" },
	{ "host.load5", "node_load5" },
	{ "host.load15", "node_load15" },
};

/* What the end of a signal's name says, and what is in its place. The longer first. */
static const struct {
	const char *end, *instead, *unit;
	double scale;
} units[] = {
	{ "_bytes_per_s", "_bytes_per_second", "", 1 },
	{ "_per_s", "_per_second", "", 1 },
	{ "_bytes", "_bytes", "bytes", 1 },
	{ "_ratio", "_ratio", "ratio", 1 },
	{ "_count", "", "", 1 },
	{ "_bool", "", "", 1 },
	{ "_pct", "_ratio", "ratio", 0.01 },
	{ "_ns", "_seconds", "seconds", 1e-9 },
	{ "_us", "_seconds", "seconds", 1e-6 },
	{ "_ms", "_seconds", "seconds", 1e-3 },
	{ "_s", "_seconds", "seconds", 1 },
};

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n > m && str_equal(s + n - m, end);
}

int openmetrics_family(const char *signal, struct metric_family *ret)
{
	struct metric_family m = { .type = METRIC_TYPE_GAUGE, .unit = "", .scale = 1 };
	size_t n = strlen(signal);

	if (ends_with(signal, "_event"))
		return -ENOENT;
	for (size_t i = 0; i < ELEMENTSOF(node_names); i++)
		if (str_equal(signal, node_names[i].signal)) {
			str_append(m.name, sizeof(m.name), "%s", node_names[i].name);
			*ret = m;
			return 0;
		}
	str_append(m.name, sizeof(m.name), "aiops_%s", signal);
	for (size_t i = 0; i < ELEMENTSOF(units); i++)
		if (ends_with(signal, units[i].end)) {
			m.name[strlen("aiops_") + n - strlen(units[i].end)] = '\0';
			str_append(m.name, sizeof(m.name), "%s", units[i].instead);
			m.unit = units[i].unit;
			m.scale = units[i].scale;
			break;
		}
	for (char *c = m.name; *c; c++)
		*c = *c == '.' ? '_' : *c;
	*ret = m;
	return 0;
}

const char *openmetrics_label(enum entity_kind kind, bool *ret_exported)
{
	*ret_exported = kind != ENTITY_KIND_PROCESS && kind != ENTITY_KIND_SESSION;
	return kind == ENTITY_KIND_HOST ? NULL : entity_kind_to_string(kind);
}

static void put_escaped(FILE *f, const char *text, bool with_quotes)
{
	char clean[ENTITY_NAME_MAX * 4] = "";

	/* What is no clean UTF-8 or a control character is shown as \xHH. */
	for (const char *c = str_escape(clean, sizeof(clean), text); *c; c++) {
		if (*c == '\\' || (*c == '"' && with_quotes))
			(void)fputc('\\', f);
		(void)fputc(*c, f);
	}
}

void openmetrics_head(FILE *f, bool modern, const struct metric_family *m, const char *help)
{
	const char *total = m->type == METRIC_TYPE_COUNTER && !modern ? "_total" : "";

	fprintf(f, "# HELP %s%s ", m->name, total);
	put_escaped(f, help, modern);
	fprintf(f, "\n# TYPE %s%s %s\n", m->name, total,
		m->type == METRIC_TYPE_COUNTER ? "counter" : "gauge");
	if (modern && m->unit[0])
		fprintf(f, "# UNIT %s %s\n", m->name, m->unit);
}

void openmetrics_sample(FILE *f, const struct metric_family *m, const char *label,
			const char *label_value, double value)
{
	fprintf(f, "%s%s", m->name, m->type == METRIC_TYPE_COUNTER ? "_total" : "");
	if (label) {
		fprintf(f, "{%s=\"", label);
		put_escaped(f, label_value, true);
		(void)fputs("\"}", f);
	}
	fprintf(f, " %.15g\n", value * m->scale);
}

void openmetrics_end(FILE *f, bool modern)
{
	if (modern)
		(void)fputs("# EOF\n", f);
}

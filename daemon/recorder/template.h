/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* What a log says, without what varies in it: "accept from 10.0.0.7:5123 failed" and a thousand like
 * it are "accept from <IP>:<NUM> failed". Log text is data from strangers: it is masked, escaped and
 * bounded here, and nothing is ever decided by it.
 * Source: P. He et al., Drain: an online log parsing approach with fixed depth tree, ICWS 2017; with
 * at most TEMPLATE_LINES_MAX lines a list does instead of the tree. */

#define TEMPLATE_LINE_MAX    1024 /* bytes of a line that are looked at */
#define TEMPLATE_TEXT_MAX    256
#define TEMPLATE_TOKENS_MAX  48
#define TEMPLATES_MAX        64
#define TEMPLATE_SIMILAR_PCT 40 /* of the tokens alike: one template (sim_th 0.4 of Drain3) */

/* Writes line with each variable part as a typed placeholder: <NUM> <HEX> <UUID> <IP> <TIME> <PATH>
 * <URL> <MAIL>, quoted text as "<STR>"; control characters escaped. Returns buf. */
char *template_mask(const char *line, char buf[static TEMPLATE_TEXT_MAX]);

struct template
{
	char text[TEMPLATE_TEXT_MAX]; /* tokens that differ are <*> */
	uint32_t lines_count;
	uint32_t error_lines_count;
	int priority; /* the most severe of its lines, syslog(3) */
};

struct templates {
	uint32_t n, lines_count, error_lines_count;
	uint32_t overflow_count; /* lines that found no room */
	struct template v[TEMPLATES_MAX];
};

/* Adds a line to the template it is like, or begins one. */
void templates_add(struct templates *t, const char *line, int priority);

/* Most severe first, then by number of lines. */
void templates_sort(struct templates *t);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "ops/inspector.h"
#include "recorder/template.h"
#include "sys/journal.h"

#define LINES_MAX 50
#define TOP_MAX   8               /* templates that are shown */
#define BEFORE_NS (60 * NS_PER_S) /* what led to it is said before it shows */

static const struct signal_spec facts[] = {
	{ "log.lines_count", ENTITY_KIND_UNIT, SOURCE_JOURNAL, PROVENANCE_UNTRUSTED,
	  "lines since a minute before the incident, at most 50" },
	{ "log.error_lines_count", ENTITY_KIND_UNIT, SOURCE_JOURNAL, PROVENANCE_UNTRUSTED,
	  "of them of priority err or worse" },
	{ "log.templates_count", ENTITY_KIND_UNIT, SOURCE_JOURNAL, PROVENANCE_UNTRUSTED,
	  "different kinds of lines among them" },
	{ "log.top_template", ENTITY_KIND_UNIT, SOURCE_JOURNAL, PROVENANCE_UNTRUSTED,
	  "the most severe, most frequent kind" },
	{ .name = NULL },
};

/* since_ns is of CLOCK_BOOTTIME, the journal of CLOCK_REALTIME. */
static uint64_t since_wall_us(uint64_t since_ns)
{
	uint64_t now_ns = clock_boot_ns(), wall_us = clock_wall_us();
	uint64_t back_ns = BEFORE_NS + (since_ns < now_ns ? now_ns - since_ns : 0);

	return wall_us > back_ns / NS_PER_US ? wall_us - back_ns / NS_PER_US : 0;
}

static void describe(const struct templates *t, struct evidence *e)
{
	char text[RECORD_TEXT_MAX] = "";

	for (uint32_t i = 0; i < t->n && i < TOP_MAX; i++)
		str_append(text, sizeof(text), "%s%ux %s", i > 0 ? " | " : "", t->v[i].lines_count,
			   t->v[i].text);
	if (t->n > TOP_MAX)
		str_append(text, sizeof(text), " | and %u other kinds", t->n - TOP_MAX);
	if (t->n == 0)
		str_append(text, sizeof(text), "the unit has logged nothing");
	str_escape(e->text, sizeof(e->text), text); /* the cut may have gone through a character */
}

static void state_facts(const struct templates *t, struct evidence *e)
{
	(void)evidence_add_number(e, "log.lines_count", t->lines_count);
	(void)evidence_add_number(e, "log.error_lines_count", t->error_lines_count);
	(void)evidence_add_number(e, "log.templates_count", t->n);
	if (t->n > 0)
		(void)evidence_add_text(e, "log.top_template", t->v[0].text);
}

static int journal_tail_collect(const struct inspector_context *c,
				const struct inspector_request *rq, struct err *reterr)
{
	_cleanup_free_ struct journal_line *lines = calloc(LINES_MAX, sizeof(*lines));
	_cleanup_free_ struct templates *t = calloc(1, sizeof(*t));
	struct evidence e = { .inspector = "journal_tail",
			      .source = SOURCE_JOURNAL,
			      .provenance = PROVENANCE_UNTRUSTED };
	int n;

	if (!lines || !t)
		return err_set(reterr, -ENOMEM, "read journal: Out of memory");
	n = journal_read_unit(c->root_fd, rq->entity.name, since_wall_us(rq->since_ns), LINES_MAX,
			      lines, reterr);
	if (n < 0)
		return n;
	for (int i = 0; i < n; i++)
		templates_add(t, lines[i].message, lines[i].priority);
	templates_sort(t);
	state_facts(t, &e);
	describe(t, &e);
	c->item(c->userdata, rq, &e);
	c->done(c->userdata, rq, 0, NULL);
	return 0;
}

const struct inspector_ops inspector_journal_tail = {
	.name = "journal_tail",
	.summary = "What the unit has logged lately, as templates with counts",
	.source_text =
		"systemd journal, trusted fields _SYSTEMD_UNIT=, UNIT=, OBJECT_SYSTEMD_UNIT=",
	.facts = facts,
	.entity_kind = ENTITY_KIND_UNIT,
	.collect = journal_tail_collect,
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/silence.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/yaml.h"

#define DAY_S 86400

static const struct yaml_field silence_fields[] = {
	YAML_OTHER("alerts", false),        YAML_OTHER("of", false),
	YAML_TEXT("by", silence, by, true), YAML_TEXT("reason", silence, reason, true),
	YAML_OTHER("from", false),          YAML_OTHER("until", false),
	YAML_OTHER("days", false),          YAML_OTHER("at", false),
	YAML_OTHER("for", false),           YAML_END,
};

static const char *const day_names[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };

static int read_alerts(const struct yaml_doc *doc, const struct yaml_node *list, struct silence *s,
		       struct err *reterr)
{
	int r;

	if (!list)
		return 0;
	r = yaml_check_list(doc, list, SILENCE_ALERTS_MAX, reterr);
	for (const struct yaml_node *n = list->child; r == 0 && n; n = n->next)
		r = yaml_copy_text(doc, n, s->alerts[s->n_alerts++], RULE_NAME_MAX, reterr);
	if (r == 0 && s->n_alerts == 0)
		return yaml_error(doc, list, -EINVAL, reterr, "'alerts' names none");
	return r;
}

static int read_entity(const struct yaml_doc *doc, const struct yaml_node *node, struct silence *s,
		       struct err *reterr)
{
	struct err err = { 0 };

	if (!node)
		return 0;
	if (node->kind != YAML_KIND_SCALAR || entity_parse(node->value, &s->entity, &err) < 0)
		return yaml_error(doc, node, -EINVAL, reterr, "'of': %s", err_text(&err));
	s->has_entity = true;
	return 0;
}

static int read_time(const struct yaml_doc *doc, const char *key, uint64_t *ret_us,
		     struct err *reterr)
{
	const struct yaml_node *node = yaml_find(yaml_root(doc), key);
	struct tm tm = { 0 };
	const char *end;
	time_t t;

	if (!node)
		return 0;
	end = node->kind == YAML_KIND_SCALAR ? strptime(node->value, "%Y-%m-%dT%H:%M:%S", &tm) :
					       NULL;
	t = end ? timegm(&tm) : -1;
	if (!end || !str_equal(end, "Z") || t <= 0)
		return yaml_error(doc, node, -EINVAL, reterr,
				  "'%s': expected a time as 2026-11-24T00:30:00Z", key);
	*ret_us = (uint64_t)t * US_PER_S;
	return 1;
}

static int read_once(const struct yaml_doc *doc, struct silence *s, struct err *reterr)
{
	const struct yaml_node *root = yaml_root(doc);
	int r = read_time(doc, "from", &s->from_us, reterr);

	if (r > 0)
		r = read_time(doc, "until", &s->until_us, reterr);
	if (r < 0)
		return r;
	if (r == 0)
		return yaml_error(doc, root, -EINVAL, reterr,
				  "'from' and 'until', or 'at' and 'for', are missing");
	if (s->until_us <= s->from_us || s->until_us - s->from_us > SILENCE_SPAN_MAX_US)
		return yaml_error(doc, yaml_find(root, "until"), -EINVAL, reterr,
				  "'until' is not within 30 days of 'from'");
	return 0;
}

static int read_days(const struct yaml_doc *doc, const struct yaml_node *list, struct silence *s,
		     struct err *reterr)
{
	int r = 0;

	s->days = list ? 0 : 0x7f;
	if (list)
		r = yaml_check_list(doc, list, ELEMENTSOF(day_names), reterr);
	for (const struct yaml_node *n = list ? list->child : NULL; r == 0 && n; n = n->next) {
		size_t d = 0;

		while (d < ELEMENTSOF(day_names) &&
		       !(n->kind == YAML_KIND_SCALAR && str_equal(n->value, day_names[d])))
			d++;
		if (d == ELEMENTSOF(day_names))
			return yaml_error(doc, n, -EINVAL, reterr,
					  "expected mon, tue, wed, thu, fri, sat or sun");
		s->days |= 1U << d;
	}
	return r;
}

static int read_weekly(const struct yaml_doc *doc, struct silence *s, struct err *reterr)
{
	const struct yaml_node *root = yaml_root(doc), *at = yaml_find(root, "at");
	const struct yaml_node *span = yaml_find(root, "for");
	struct tm tm = { 0 };
	uint64_t span_ns = 0;
	const char *end;

	if (yaml_find(root, "from") || yaml_find(root, "until") || !at || !span)
		return yaml_error(doc, root, -EINVAL, reterr,
				  "either 'from' and 'until' or 'at' and 'for'");
	end = at->kind == YAML_KIND_SCALAR ? strptime(at->value, "%H:%M", &tm) : NULL;
	if (!end || *end)
		return yaml_error(doc, at, -EINVAL, reterr, "'at': expected HH:MM");
	if (span->kind != YAML_KIND_SCALAR || str_parse_span_ns(span->value, &span_ns) < 0 ||
	    span_ns < NS_PER_S || span_ns > DAY_S * NS_PER_S)
		return yaml_error(doc, span, -EINVAL, reterr, "'for': expected a time up to 24h");
	s->at_s = (uint32_t)(tm.tm_hour * 3600 + tm.tm_min * 60);
	s->for_s = (uint32_t)(span_ns / NS_PER_S);
	return read_days(doc, yaml_find(root, "days"), s, reterr);
}

static int read_silence(const struct yaml_doc *doc, struct silence *s, struct err *reterr)
{
	const struct yaml_node *root = yaml_root(doc);
	int r = yaml_read(doc, root, silence_fields, s, reterr);

	if (r == 0)
		r = read_alerts(doc, yaml_find(root, "alerts"), s, reterr);
	if (r == 0)
		r = read_entity(doc, yaml_find(root, "of"), s, reterr);
	if (r < 0)
		return r;
	if (yaml_find(root, "at") || yaml_find(root, "for") || yaml_find(root, "days"))
		return read_weekly(doc, s, reterr);
	return read_once(doc, s, reterr);
}

int silence_parse(const char *file_name, const char *text, size_t length, struct silence *ret,
		  struct err *reterr)
{
	_cleanup_(yaml_doc_freep) struct yaml_doc *doc = NULL;
	struct silence s = { 0 };
	int r = yaml_parse(file_name, text, length, &doc, reterr);

	if (r == 0)
		r = read_silence(doc, &s, reterr);
	if (r == 0)
		*ret = s;
	return r;
}

static int add_file(const struct confdir_file *file, const char *text, size_t length,
		    void *userdata, struct err *reterr)
{
	struct silences *all = userdata;
	struct silence *s = &all->v[all->n];
	int r;

	if (all->n >= SILENCES_MAX)
		return err_set(reterr, -E2BIG, "%s:1:1: more than %d silences", file->path,
			       SILENCES_MAX);
	r = silence_parse(file->path, text, length, s, reterr);
	if (r < 0)
		return r;
	(void)confdir_stem(file, s->name, sizeof(s->name));
	all->n++;
	return 0;
}

const struct confdir_kind silence_files = { "silences", ".yaml", YAML_TEXT_MAX, false };

int silences_load(int root_fd, struct silences *ret, struct err *reterr)
{
	struct silences all = { 0 };
	int r;

	all.v = calloc(SILENCES_MAX, sizeof(*all.v));
	if (!all.v)
		return err_set(reterr, -ENOMEM, "load silences: %s", strerror(ENOMEM));
	r = confdir_load(root_fd, &silence_files, add_file, &all, reterr);
	if (r < 0) {
		silences_done(&all);
		return r;
	}
	*ret = all;
	return 0;
}

void silences_done(struct silences *s)
{
	free(s->v);
	*s = (struct silences){ 0 };
}

/* The window that began today, or yesterday and goes past midnight. */
static bool is_in_window(const struct silence *s, uint64_t wall_us)
{
	uint64_t now_s = wall_us / US_PER_S, day = now_s / DAY_S, second = now_s % DAY_S;

	for (uint64_t ago = 0; ago <= 1; ago++) {
		/* The epoch's day 0 was a Thursday. */
		uint32_t weekday = (uint32_t)((day - ago + 3) % 7);
		uint64_t since_s = second + ago * DAY_S;

		if ((s->days >> weekday & 1) && since_s >= s->at_s && since_s < s->at_s + s->for_s)
			return true;
	}
	return false;
}

bool silence_is_on(const struct silence *s, uint64_t wall_us)
{
	if (s->until_us > 0)
		return wall_us >= s->from_us && wall_us < s->until_us;
	return is_in_window(s, wall_us);
}

static bool names_alert(const struct silence *s, const char *alert)
{
	for (uint32_t i = 0; i < s->n_alerts; i++) {
		size_t length = strlen(s->alerts[i]);

		if (length > 0 && s->alerts[i][length - 1] == '*' ?
			    strncmp(s->alerts[i], alert, length - 1) == 0 :
			    str_equal(s->alerts[i], alert))
			return true;
	}
	return s->n_alerts == 0;
}

const struct silence *silences_find(const struct silences *all, const char *alert,
				    const struct entity *entity, const struct entity *primary,
				    uint64_t wall_us)
{
	for (uint32_t i = 0; all && i < all->n; i++) {
		const struct silence *s = &all->v[i];

		if (silence_is_on(s, wall_us) && names_alert(s, alert) &&
		    (!s->has_entity || entity_equal(&s->entity, entity) ||
		     entity_equal(&s->entity, primary)))
			return s;
	}
	return NULL;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "ctl/api.h"

#define TREND_COLUMNS 20 /* of the sparkline */
#define RECENT_S      60 /* what the agent remembers */

/* Eight heights of a block, as UTF-8. Source: Unicode, Block Elements, U+2581 to U+2588. */
static const char *const blocks[] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };

struct summary {
	size_t n;
	double last, low, high, total;
};

static double number_at(struct json_object *point, size_t i)
{
	return json_object_get_double(json_object_array_get_idx(point, i));
}

static struct summary sum_up(struct json_object *points)
{
	struct summary s = { .low = INFINITY, .high = -INFINITY };

	for (; points && s.n < json_object_array_length(points); s.n++) {
		struct json_object *p = json_object_array_get_idx(points, s.n);

		s.last = number_at(p, 1);
		s.total += s.last;
		if (number_at(p, 2) < s.low)
			s.low = number_at(p, 2);
		if (number_at(p, 3) > s.high)
			s.high = number_at(p, 3);
	}
	return s;
}

/* One block for each of the last points, from the lowest to the highest of them. A step without a point
 * is a space. */
static void draw(struct json_object *points, const struct summary *s, uint64_t step_s, char *buf,
		 size_t size)
{
	uint64_t end_us = (uint64_t)json_object_get_int64(
		json_object_array_get_idx(json_object_array_get_idx(points, s->n - 1), 0));
	uint64_t start_us = end_us - (TREND_COLUMNS - 1) * step_s * US_PER_S;
	size_t i = 0;

	for (unsigned column = 0; column < TREND_COLUMNS; column++) {
		uint64_t from_us = start_us + column * step_s * US_PER_S, at_us = 0;
		const char *block = " ";

		for (; i < s->n && at_us < from_us + step_s * US_PER_S; i++) {
			struct json_object *p = json_object_array_get_idx(points, i);
			double span = s->high - s->low, v = number_at(p, 1);
			size_t height = span > 0 ? (size_t)((v - s->low) / span * 7.99) : 0;

			at_us = (uint64_t)json_object_get_int64(json_object_array_get_idx(p, 0));
			if (at_us >= from_us + step_s * US_PER_S)
				break;
			if (at_us >= from_us)
				block = blocks[height < 8 ? height : 7];
		}
		str_append(buf, size, "%s", block);
	}
}

static void print_series(struct table *t, struct json_object *series, uint64_t step_s)
{
	struct json_object *points = json_items(series, "points");
	struct summary s = sum_up(points);
	char trend[TREND_COLUMNS * 4 + 1] = "";

	if (s.n == 0)
		return;
	draw(points, &s, step_s, trend, sizeof(trend));
	table_row(t);
	table_cell(t, COLOUR_NONE, "%s", json_text(series, "entity", "?"));
	table_cell(t, COLOUR_NONE, "%s", json_text(series, "signal", "?"));
	table_cell(t, COLOUR_BOLD, "%.6g", s.last);
	table_cell(t, COLOUR_NONE, "%.6g", s.low);
	table_cell(t, COLOUR_NONE, "%.6g", s.total / (double)s.n);
	table_cell(t, COLOUR_NONE, "%.6g", s.high);
	table_cell(t, COLOUR_BLUE, "%s", trend);
}

static int print_all(const struct ctl *ctl, struct json_object *answer)
{
	static const struct table_column columns[] = {
		{ "ENTITY", false, true }, { "SIGNAL", false, true }, { "LAST", true, false },
		{ "MIN", true, false },    { "MEAN", true, false },   { "MAX", true, false },
		{ "TREND", false, false },
	};
	struct json_object *series = json_items(answer, "series");
	size_t n = series ? json_object_array_length(series) : 0;
	struct table *t = table_new(ctl, columns, ELEMENTSOF(columns));

	for (size_t i = 0; i < n; i++)
		print_series(t, json_object_array_get_idx(series, i),
			     (uint64_t)json_int(answer, "step_s"));
	table_print(t, "signal");
	if (json_object_get_boolean(json_member(answer, "more")))
		ctl_hint(ctl, "there are more; name a signal ('unit.*') or a unit (--unit)");
	else if (n == 0)
		ctl_hint(ctl, "none; 'aiopsctl metrics' shows which there are");
	return CTL_OK;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_json_ struct json_object *answer = NULL;
	uint64_t now_us = clock_wall_us(), window_s = RECENT_S;
	char path[768] = "/v1/metrics/query?";
	int r;

	if (argc > 2)
		return ctl_fail(ctl, CTL_USAGE, "try: aiopsctl metrics 'unit.*' --since=1h",
				"metrics takes at most one signal");
	if (argc > 1 &&
	    strspn(argv[1], "abcdefghijklmnopqrstuvwxyz0123456789_.*") != strlen(argv[1]))
		return ctl_fail(ctl, CTL_USAGE, "try: aiopsctl metrics", "'%s' is no signal's name",
				argv[1]);
	if (ctl->since_usec && ctl->since_usec < now_us)
		window_s = (now_us - ctl->since_usec) / US_PER_S + 1;
	str_append(path, sizeof(path), "step_s=%" PRIu64,
		   (window_s + TREND_COLUMNS - 1) / TREND_COLUMNS);
	if (argc > 1)
		str_append(path, sizeof(path), "&signal=%s", argv[1]);
	if (ctl->unit)
		str_append(path, sizeof(path), "&unit=%s", ctl->unit);
	if (ctl->since_usec)
		str_append(path, sizeof(path), "&since_usec=%" PRIu64, ctl->since_usec);
	r = api_call(ctl, ctl->since_usec ? API_HISTORY : API_CONTROL, "GET", path, NULL, &answer);
	if (r != CTL_OK)
		return r;
	return ctl->json != JSON_MODE_OFF ? ctl_print_json(ctl, answer) : print_all(ctl, answer);
}

const struct verb_ops verb_metrics = {
	.name = "metrics",
	.group = "See",
	.usage = "[SIGNAL]",
	.summary = "measurements, now or since a time",
	.help = "The last minute from the agent, or what the history has since a time. SIGNAL\n"
		"may hold '*' for any characters. The trend goes from the lowest to the highest.\n\n"
		"  aiopsctl metrics 'host.*'\n"
		"  aiopsctl metrics unit.memory_bytes --unit=nginx.service --since=2h",
	.options = OPT_SINCE | OPT_UNIT,
	.run = run,
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api.h"
#include "base/log.h"
#include "model/openmetrics.h"

/* GET /metrics: the newest value of each signal, and how we are ourselves. */

#define SCRAPE_SERIES_MAX 1024
#define SCRAPE_STALE_NS   (300 * NS_PER_S) /* Prometheus' own: older is no value of now */

struct scrape {
	FILE *f;
	bool modern;
	uint64_t now_ns;
	unsigned n, n_dropped;
};

static const char *find_help(const struct agent *a, const char *signal)
{
	for (size_t i = 0; i < a->n_probes; i++)
		for (const struct signal_spec *s = a->probes[i].ops->signals; s && s->name; s++)
			if (str_equal(s->name, signal))
				return s->help;
	for (const struct signal_spec *s = endpoint_signals; s->name; s++)
		if (str_equal(s->name, signal))
			return s->help;
	return "a signal";
}

static bool is_exported(const struct scrape *sc, const struct series *s)
{
	bool exported = false;

	(void)openmetrics_label(s->rollup.entity.kind, &exported);
	return exported && isfinite(s->rollup.last) && sc->now_ns < s->t_ns + SCRAPE_STALE_NS;
}

/* All series of one signal, the first of which is at i. */
static void put_family(struct scrape *sc, const struct agent *a, uint32_t first)
{
	const char *signal = a->rollups.v[first].rollup.signal;
	struct metric_family m;
	bool has_head = false, exported;

	if (openmetrics_family(signal, &m) < 0)
		return;
	for (uint32_t i = first; i < a->rollups.n; i++) {
		const struct series *s = &a->rollups.v[i];

		if (!str_equal(s->rollup.signal, signal) || !is_exported(sc, s))
			continue;
		if (sc->n == SCRAPE_SERIES_MAX) {
			sc->n_dropped++;
			continue;
		}
		if (!has_head)
			openmetrics_head(sc->f, sc->modern, &m, find_help(a, signal));
		has_head = true;
		openmetrics_sample(sc->f, &m, openmetrics_label(s->rollup.entity.kind, &exported),
				   s->rollup.entity.name, s->rollup.last);
		sc->n++;
	}
}

static bool is_first(const struct rollup_table *t, uint32_t i)
{
	for (uint32_t k = 0; k < i; k++)
		if (str_equal(t->v[k].rollup.signal, t->v[i].rollup.signal))
			return false;
	return true;
}

struct own {
	const char *name, *help;
	double value;
	enum metric_type type;
	const char *unit;
};

static void put_own(struct scrape *sc, const struct own *o)
{
	struct metric_family m = { .type = o->type, .unit = o->unit ? o->unit : "", .scale = 1 };

	str_append(m.name, sizeof(m.name), "aiops_%s", o->name);
	openmetrics_head(sc->f, sc->modern, &m, o->help);
	openmetrics_sample(sc->f, &m, NULL, NULL, o->value);
}

static void put_probes(struct scrape *sc, const struct agent *a)
{
	struct metric_family up = { "aiops_probe_running", METRIC_TYPE_GAUGE, "", 1 };
	struct metric_family dropped = { "aiops_probe_events_dropped", METRIC_TYPE_COUNTER, "", 1 };

	if (a->n_probes == 0)
		return;
	openmetrics_head(sc->f, sc->modern, &up, "1 if the probe measures, else 0");
	for (size_t i = 0; i < a->n_probes; i++)
		openmetrics_sample(sc->f, &up, "probe", a->probes[i].ops->name,
				   a->probes[i].state != NULL);
	openmetrics_head(sc->f, sc->modern, &dropped, "events that a probe found no room for");
	for (size_t i = 0; i < a->n_probes; i++) {
		const struct agent_probe *p = &a->probes[i];

		openmetrics_sample(sc->f, &dropped, "probe", p->ops->name,
				   p->state && p->ops->dropped ? (double)p->ops->dropped(p->state) :
								 0);
	}
}

static void put_selves(struct scrape *sc, const struct agent *a)
{
	static const struct metric_family build = { "aiops_build_info", METRIC_TYPE_GAUGE, "", 1 };
	const struct engine_stats *s = engine_stats(a->engine);
	const struct own own[] = {
		{ "incidents_open", "incidents that are open", s->open, METRIC_TYPE_GAUGE, NULL },
		{ "incidents", "incidents since the start", (double)s->incidents,
		  METRIC_TYPE_COUNTER, NULL },
		{ "samples", "measurements taken", (double)s->samples, METRIC_TYPE_COUNTER, NULL },
		{ "records_lost", "records that were told to nobody", (double)a->ring.n_lost,
		  METRIC_TYPE_COUNTER, NULL },
		{ "log_lines_dropped", "log messages that journald did not take",
		  (double)log_dropped(), METRIC_TYPE_COUNTER, NULL },
		{ "series_refused", "measurements of new series that found no room",
		  (double)a->rollups.n_refused, METRIC_TYPE_COUNTER, NULL },
		{ "loop_stall_max_seconds", "longest turn of the loop",
		  (double)a->stall.max_ns / (double)NS_PER_S, METRIC_TYPE_GAUGE, "seconds" },
		{ "scrape_series_dropped", "series that found no room in this answer",
		  sc->n_dropped, METRIC_TYPE_GAUGE, NULL },
	};

	openmetrics_head(sc->f, sc->modern, &build, "always 1; which version this is");
	openmetrics_sample(sc->f, &build, "version", AIOPS_VERSION, 1);
	for (size_t i = 0; i < ELEMENTSOF(own); i++)
		put_own(sc, &own[i]);
	put_probes(sc, a);
}

int api_get_scrape(void *userdata, const struct http_request *rq, struct http_answer *ret,
		   struct err *reterr)
{
	const struct agent *a = userdata;
	struct scrape sc = { .modern = openmetrics_is_asked_for(http_header(rq, "Accept")),
			     .now_ns = clock_boot_ns() };
	char *text = NULL;
	size_t length = 0;
	bool failed;

	sc.f = open_memstream(&text, &length);
	if (!sc.f)
		return err_set(reterr, -ENOMEM, "answer: %s", strerror(ENOMEM));
	for (uint32_t i = 0; i < a->rollups.n; i++)
		if (is_first(&a->rollups, i))
			put_family(&sc, a, i);
	put_selves(&sc, a);
	openmetrics_end(sc.f, sc.modern);
	failed = ferror(sc.f) != 0;
	if (fclose(sc.f) != 0 || failed) {
		free(text);
		return err_set(reterr, -ENOMEM, "answer: %s", strerror(ENOMEM));
	}
	ret->text = text;
	ret->text_type = sc.modern ? OPENMETRICS_TYPE : OPENMETRICS_OLD_TYPE;
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "agent/rollup.h"

#include <errno.h>
#include <math.h>
#include <string.h>

_Static_assert(ROLLUP_INDEX_SIZE >= 2 * ROLLUP_SERIES_MAX, "the index must keep free places");

int rollup_init(struct rollup_table *t, struct err *reterr)
{
	*t = (struct rollup_table){ .v = calloc(ROLLUP_SERIES_MAX, sizeof(*t->v)),
				    .index = calloc(ROLLUP_INDEX_SIZE, sizeof(*t->index)) };
	if (t->v && t->index)
		return 0;
	rollup_done(t);
	return err_set(reterr, -ENOMEM, "keep metrics: %s", strerror(ENOMEM));
}

void rollup_done(struct rollup_table *t)
{
	free(t->v);
	free(t->index);
	*t = (struct rollup_table){ 0 };
}

/* FNV-1a, 32 bits. */
static uint32_t hash_text(uint32_t h, const char *s)
{
	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619u;
	return h;
}

static bool is_of(const struct series *s, const char *signal, const struct entity *e)
{
	return str_equal(s->rollup.signal, signal) && entity_equal(&s->rollup.entity, e);
}

/* The place in the index where the series is, or where it would go. */
static uint16_t *find_place(const struct rollup_table *t, const char *signal,
			    const struct entity *e)
{
	uint32_t h = hash_text(hash_text(2166136261u, signal), e->name);

	for (;; h++) {
		uint16_t *place = &t->index[h % ROLLUP_INDEX_SIZE];

		if (*place == 0 || is_of(&t->v[*place - 1], signal, e))
			return place;
	}
}

static struct series *find_or_add(struct rollup_table *t, const struct sample *s)
{
	uint16_t *place = find_place(t, s->signal, &s->entity);
	struct series *series;

	if (*place)
		return &t->v[*place - 1];
	if (t->n == ROLLUP_SERIES_MAX) {
		t->n_refused++;
		return NULL;
	}
	series = &t->v[t->n++];
	*series = (struct series){ .source = s->source, .t_ns = s->t_ns };
	for (size_t i = 0; i < ROLLUP_RECENT_S; i++)
		series->recent[i] = NAN;
	(void)str_copy(series->rollup.signal, sizeof(series->rollup.signal), s->signal);
	series->rollup.entity = s->entity;
	*place = (uint16_t)t->n;
	return series;
}

/* Seconds between the last value and this one had none. A value from before the last is of no second. */
static void remember(struct series *series, const struct sample *s)
{
	uint64_t last = series->t_ns / NS_PER_S, now = s->t_ns / NS_PER_S;

	if (now < last)
		return;
	for (uint64_t i = last + 1; i < now && i <= last + ROLLUP_RECENT_S; i++)
		series->recent[i % ROLLUP_RECENT_S] = NAN;
	series->recent[now % ROLLUP_RECENT_S] = (float)s->value;
}

bool series_value_at(const struct series *s, uint64_t second, double *ret)
{
	uint64_t last = s->t_ns / NS_PER_S;

	if (second > last || second + ROLLUP_RECENT_S <= last ||
	    isnan(s->recent[second % ROLLUP_RECENT_S]))
		return false;
	*ret = (double)s->recent[second % ROLLUP_RECENT_S];
	return true;
}

void rollup_add(struct rollup_table *t, const struct sample *s, uint64_t wall_us)
{
	struct series *series = find_or_add(t, s);
	struct rollup *r;

	if (!series)
		return;
	r = &series->rollup;
	remember(series, s);
	if (r->n++ == 0) {
		r->wall_us = wall_us - wall_us % (ROLLUP_INTERVAL_NS / NS_PER_US);
		r->min = r->max = s->value;
		r->sum = 0;
	}
	if (s->value < r->min)
		r->min = s->value;
	if (s->value > r->max)
		r->max = s->value;
	r->sum += s->value;
	r->last = s->value;
	if (s->t_ns > series->t_ns)
		series->t_ns = s->t_ns;
}

static void forget_idle(struct rollup_table *t, uint64_t now_ns)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < t->n; i++) {
		if (now_ns > t->v[i].t_ns + ROLLUP_IDLE_NS)
			continue;
		if (kept != i)
			t->v[kept] = t->v[i];
		kept++;
	}
	if (kept == t->n)
		return;
	t->n = kept;
	memset(t->index, 0, ROLLUP_INDEX_SIZE * sizeof(*t->index));
	for (uint32_t i = 0; i < t->n; i++)
		*find_place(t, t->v[i].rollup.signal, &t->v[i].rollup.entity) = (uint16_t)(i + 1);
}

void rollup_flush(struct rollup_table *t, uint64_t now_ns,
		  void (*send)(void *userdata, const struct rollups *batch), void *userdata)
{
	struct rollups batch = { .n = 0 };

	for (uint32_t i = 0; i < t->n; i++) {
		if (t->v[i].rollup.n == 0)
			continue;
		batch.v[batch.n++] = t->v[i].rollup;
		t->v[i].rollup.n = 0;
		if (batch.n == FRAME_ROLLUPS_MAX) {
			send(userdata, &batch);
			batch.n = 0;
		}
	}
	if (batch.n > 0)
		send(userdata, &batch);
	forget_idle(t, now_ns);
}

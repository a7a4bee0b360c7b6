/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "selftests/target/app/measure.h"

#include <errno.h>
#include <stdlib.h>

#define ROOM_FIRST 1024

void measure_done(struct measure *m)
{
	free(m->took_us);
	*m = (struct measure){ 0 };
}

static int make_room(struct measure *m)
{
	uint64_t room = m->room > 0 ? m->room * 2 : ROOM_FIRST;
	uint32_t *more;

	if (m->n < m->room)
		return 0;
	if (m->n >= MEASURE_MAX)
		return -E2BIG;
	more = reallocarray(m->took_us, room, sizeof(*more));
	if (!more)
		return -ENOMEM;
	m->took_us = more;
	m->room = room;
	return 0;
}

int measure_add(struct measure *m, uint64_t took_us, bool is_good, uint64_t slow_us)
{
	int r = make_room(m);

	if (r < 0)
		return r;
	m->took_us[m->n++] = took_us < UINT32_MAX ? (uint32_t)took_us : UINT32_MAX;
	m->errors += !is_good;
	m->in_time += is_good && took_us <= slow_us;
	m->is_sorted = false;
	return 0;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

uint64_t measure_permille_us(struct measure *m, unsigned permille)
{
	uint64_t rank = (m->n * permille + 999) / 1000;

	if (m->n == 0)
		return 0;
	if (!m->is_sorted)
		qsort(m->took_us, m->n, sizeof(*m->took_us), compare);
	m->is_sorted = true;
	return m->took_us[rank > 0 ? rank - 1 : 0];
}

double measure_healthy_pct(const struct measure *m)
{
	return m->n > 0 ? 100.0 * (double)m->in_time / (double)m->n : 0;
}

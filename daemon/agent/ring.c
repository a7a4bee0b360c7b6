/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "agent/ring.h"

#include <errno.h>
#include <string.h>

int ring_init(struct ring *r, struct err *reterr)
{
	*r = (struct ring){ .v = calloc(RING_RECORDS_MAX, sizeof(*r->v)) };
	return r->v ? 0 : err_set(reterr, -ENOMEM, "keep records: %s", strerror(ENOMEM));
}

void ring_done(struct ring *r)
{
	free(r->v);
	r->v = NULL;
}

static uint64_t oldest(const struct ring *r)
{
	return r->n_added > RING_RECORDS_MAX ? r->n_added - RING_RECORDS_MAX : 0;
}

void ring_add(struct ring *r, const struct record *record)
{
	r->v[r->n_added++ % RING_RECORDS_MAX] = *record;
	if (r->n_sent < oldest(r)) {
		r->n_lost += oldest(r) - r->n_sent;
		r->n_sent = oldest(r);
	}
}

const struct record *ring_recent(const struct ring *r, uint64_t i)
{
	if (i >= RING_RECORDS_MAX || i >= r->n_added)
		return NULL;
	return &r->v[(r->n_added - 1 - i) % RING_RECORDS_MAX];
}

const struct record *ring_next_unsent(struct ring *r)
{
	return r->n_sent < r->n_added ? &r->v[r->n_sent % RING_RECORDS_MAX] : NULL;
}

void ring_sent(struct ring *r)
{
	r->n_sent++;
}

void ring_resend(struct ring *r, uint64_t n)
{
	uint64_t first = r->n_sent > n ? r->n_sent - n : 0;

	r->n_sent = first > oldest(r) ? first : oldest(r);
}

int ring_find(const struct ring *r, uint64_t ending, uint64_t mask, const struct record **ret)
{
	const struct record *found = NULL, *record;

	for (uint64_t i = 0; (record = ring_recent(r, i)); i++) {
		if ((record->id & mask) != (ending & mask))
			continue;
		if (found && found->id != record->id)
			return -ENOTUNIQ;
		found = record;
	}
	if (!found)
		return -ENOENT;
	*ret = found;
	return 0;
}

const struct record *ring_find_last(const struct ring *r, uint64_t incident_id,
				    enum record_kind kind)
{
	const struct record *record;

	for (uint64_t i = 0; (record = ring_recent(r, i)); i++)
		if (record->incident_id == incident_id && record->kind == kind)
			return record;
	return NULL;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "model/record.h"

/* The last records, in memory taken once and touched only as they come: what control.sock shows, and the
 * queue of what the recorder has not got yet. */

#define RING_RECORDS_MAX 512

struct ring {
	struct record *v;
	uint64_t n_added; /* ever; the newest is v[(n_added - 1) % RING_RECORDS_MAX] */
	uint64_t n_sent;  /* of them handed to the recorder */
	uint64_t n_lost;  /* overwritten before that */
};

int ring_init(struct ring *r, struct err *reterr) _warn_unused_;
void ring_done(struct ring *r);
void ring_add(struct ring *r, const struct record *record);

/* The i-th newest (0: the last), or NULL. */
const struct record *ring_recent(const struct ring *r, uint64_t i);

/* The next record the recorder should get, or NULL; ring_sent() when it has been handed over. */
const struct record *ring_next_unsent(struct ring *r);
void ring_sent(struct ring *r);
/* The recorder was away: hands over again the last n, in case they were lost with the connection. It
 * knows records by their ids and keeps each once. */
void ring_resend(struct ring *r, uint64_t n);

/* The record whose id ends in these bits. Returns 0; -ENOENT; -ENOTUNIQ when several do. */
int ring_find(const struct ring *r, uint64_t ending, uint64_t mask,
	      const struct record **ret) _warn_unused_;
/* The newest record of an incident and kind, or NULL. */
const struct record *ring_find_last(const struct ring *r, uint64_t incident_id,
				    enum record_kind kind);

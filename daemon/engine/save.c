/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What must outlive the agent, as bytes for the same build: head, then entries of four kinds. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/message_id.h"
#include "engine/state.h"

/* After a restart the windows are empty; so long the lack of an alert means nothing. */
#define RESTORE_GRACE_NS (15 * NS_PER_S)

_Static_assert(sizeof(struct save_head) + ENGINE_INCIDENTS_MAX * SLOT_SAVED_SIZE +
			       ENGINE_LEASES_MAX * sizeof(struct lease) +
			       ENGINE_BREAKERS_MAX * sizeof(struct breaker) +
			       RUNBOOKS_MAX * sizeof(struct learnt) <=
		       ENGINE_SAVE_MAX,
	       "ENGINE_SAVE_MAX is too small");

/* FNV-1a, 64 bit. Source: Fowler, Noll, Vo. */
uint64_t save_checksum(const uint8_t *data, size_t size)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < size; i++)
		h = (h ^ data[i]) * UINT64_C(1099511628211);
	return h;
}

struct writer {
	uint8_t *data;
	size_t used, size;
	bool full;
};

static void put(struct writer *w, const void *data, size_t size)
{
	if (w->size - w->used < size) {
		w->full = true;
		return;
	}
	memcpy(w->data + w->used, data, size);
	w->used += size;
}

static void put_all(const struct engine *e, struct writer *w, struct save_head *head)
{
	for (size_t i = 0; i < ELEMENTSOF(e->slots); i++)
		if (e->slots[i].stage != STAGE_FREE) {
			put(w, &e->slots[i], SLOT_SAVED_SIZE);
			head->n_slots++;
		}
	for (size_t i = 0; i < ELEMENTSOF(e->leases); i++)
		if (e->leases[i].used) {
			put(w, &e->leases[i], sizeof(e->leases[i]));
			head->n_leases++;
		}
	for (size_t i = 0; i < ELEMENTSOF(e->breakers); i++)
		if (e->breakers[i].unit[0]) {
			put(w, &e->breakers[i], sizeof(e->breakers[i]));
			head->n_breakers++;
		}
	put(w, e->learnt, e->n_learnt * sizeof(e->learnt[0]));
	head->n_learnt = e->n_learnt;
}

ssize_t engine_save(const struct engine *e, void *buf, size_t size)
{
	struct save_head head = {
		.magic = SAVE_MAGIC,
		.version = SAVE_VERSION,
		.slot_size = SLOT_SAVED_SIZE,
		.lease_size = sizeof(struct lease),
		.breaker_size = sizeof(struct breaker),
		.learnt_size = sizeof(struct learnt),
		.last_id = e->last_id,
		.package_ns = e->package_ns,
	};
	struct writer w = { .data = buf, .size = size };
	size_t covered = offsetof(struct save_head, version);

	put(&w, &head, sizeof(head));
	put_all(e, &w, &head);
	if (w.full)
		return -ENOSPC;
	memcpy(buf, &head, sizeof(head));
	head.checksum = save_checksum(w.data + covered, w.used - covered);
	memcpy(buf, &head, sizeof(head));
	return (ssize_t)w.used;
}

static int check_head(const struct save_head *h, const uint8_t *data, size_t size,
		      struct err *reterr)
{
	size_t covered = offsetof(struct save_head, version);

	if (h->magic != SAVE_MAGIC || h->version != SAVE_VERSION)
		return err_set(reterr, -EBADMSG, "restore engine: not a state of this version");
	if (h->slot_size != SLOT_SAVED_SIZE || h->lease_size != sizeof(struct lease) ||
	    h->breaker_size != sizeof(struct breaker) || h->learnt_size != sizeof(struct learnt))
		return err_set(reterr, -EBADMSG, "restore engine: a state of another build");
	if (h->n_slots > ENGINE_INCIDENTS_MAX || h->n_leases > ENGINE_LEASES_MAX ||
	    h->n_breakers > ENGINE_BREAKERS_MAX || h->n_learnt > RUNBOOKS_MAX ||
	    size != sizeof(*h) + h->n_slots * SLOT_SAVED_SIZE + h->n_leases * sizeof(struct lease) +
			    h->n_breakers * sizeof(struct breaker) +
			    h->n_learnt * sizeof(struct learnt))
		return err_set(reterr, -EBADMSG, "restore engine: size and counts disagree");
	if (h->last_id > INT64_MAX)
		return err_set(reterr, -EBADMSG, "restore engine: an id out of range");
	if (h->checksum != save_checksum(data + covered, size - covered))
		return err_set(reterr, -EBADMSG, "restore engine: the checksum is wrong");
	return 0;
}

/* What was in the middle of something starts that again; only an attempt is asked after. */
static void revive(struct engine *e, struct slot *s)
{
	s->watch_from_ns = e->now_ns + RESTORE_GRACE_NS;
	switch (s->stage) {
	case STAGE_SETTLE:
	case STAGE_COLLECT:
	case STAGE_WAIT:
		s->stage = STAGE_WAIT;
		s->due_ns = e->now_ns + 2 * NS_PER_S; /* values first */
		break;
	case STAGE_ACT:
	case STAGE_REVERT:
		execute_restored(e, s);
		break;
	case STAGE_VERIFY:
		verify_resume(e, s);
		break;
	case STAGE_FREE:
	case STAGE_REST:
	case STAGE_LEFT:
	case _STAGE_MAX:
		s->due_ns = CLOCK_NEVER_NS;
		break;
	}
}

static const uint8_t *take(const uint8_t *from, void *to, size_t size)
{
	memcpy(to, from, size);
	return from + size;
}

/* What is not sane is left out: the rest is still true. */
static const uint8_t *take_slots(struct engine *e, const uint8_t *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct slot *s = &e->slots[i];
		struct item *items = s->items;

		memset(s, 0, sizeof(*s));
		p = take(p, s, SLOT_SAVED_SIZE);
		if (!save_slot_is_sane(s, e->now_ns))
			memset(s, 0, sizeof(*s));
		s->items = items;
	}
	return p;
}

static const uint8_t *take_leases(struct engine *e, const uint8_t *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct lease *l = &e->leases[i];

		p = take(p, l, sizeof(*l));
		if (!save_lease_is_sane(l, e->now_ns))
			memset(l, 0, sizeof(*l));
	}
	return p;
}

static const uint8_t *take_breakers(struct engine *e, const uint8_t *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct breaker *b = &e->breakers[i];

		p = take(p, b, sizeof(*b));
		if (!save_breaker_is_sane(b, e->now_ns))
			memset(b, 0, sizeof(*b));
	}
	return p;
}

static void take_learnt(struct engine *e, const uint8_t *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		p = take(p, &e->learnt[e->n_learnt], sizeof(e->learnt[0]));
		e->n_learnt += save_learnt_is_sane(&e->learnt[e->n_learnt]);
	}
}

int engine_restore(struct engine *e, const void *buf, size_t size, uint64_t now_ns,
		   struct err *reterr)
{
	const uint8_t *p = buf;
	struct save_head head;
	int r;

	if (size < sizeof(head))
		return err_set(reterr, -EBADMSG, "restore engine: too short");
	memcpy(&head, buf, sizeof(head));
	r = check_head(&head, buf, size, reterr);
	if (r < 0)
		return r;
	e->now_ns = now_ns;
	e->last_id = head.last_id;
	e->wall_us = head.last_id;
	e->package_ns = head.package_ns > now_ns ? now_ns : head.package_ns;
	p = take_slots(e, p + sizeof(head), head.n_slots);
	p = take_leases(e, p, head.n_leases);
	p = take_breakers(e, p, head.n_breakers);
	take_learnt(e, p, head.n_learnt);
	lease_restored(e);
	for (size_t i = 0; i < head.n_slots; i++)
		if (e->slots[i].stage != STAGE_FREE)
			revive(e, &e->slots[i]);
	correlate_count(e);
	return 0;
}

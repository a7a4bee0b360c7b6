/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/message_id.h"
#include "recorder/recorder.h"

/* Between the executor's audit frames and the trail on the disk: order kept, acknowledged only when
 * synced, held back while the disk refuses. */

static void tell_found(const struct audit_found *found)
{
	const struct log_field broken[] = { { "MESSAGE_ID", MESSAGE_ID_AUDIT_BROKEN } };
	const struct log_field repaired[] = { { "MESSAGE_ID", MESSAGE_ID_AUDIT_REPAIRED } };
	char text[ERR_TEXT_MAX + 64] = "";

	if (found->broken) {
		str_append(text, sizeof(text), "the audit trail is broken: %s", found->text);
		log_fields(LOG_CRIT, text, broken, ELEMENTSOF(broken));
	} else if (found->repaired) {
		str_append(text, sizeof(text), "the audit trail is repaired: %s", found->text);
		log_fields(LOG_WARNING, text, repaired, ELEMENTSOF(repaired));
	}
}

/* The head goes to the journal as well, which another user writes: a trail that was cut off or made
 * anew does not end in it. */
static void tell_added(const struct recorder *r, const struct audit_entry *e)
{
	const struct audit_head *head = audit_head(r->audit);
	char text[RECORD_TEXT_MAX + 256] = "", anchor[AUDIT_HASH_MAX + 24] = "";
	const struct log_field fields[] = { { "MESSAGE_ID", MESSAGE_ID_AUDIT_ADDED },
					    { "AIOPS_AUDIT_HEAD", anchor },
					    { "AIOPS_ACTION", e->attempt.action },
					    { "AIOPS_KEY", e->attempt.key } };

	str_append(anchor, sizeof(anchor), "%" PRIu64 " %s", head->n, head->hash);
	/* What is no action says itself what it is: "mode suggest". */
	if (e->attempt.action[0])
		str_append(text, sizeof(text), "audit %" PRIu64 ": %s %s by %s", head->n, e->what,
			   e->attempt.action, e->actor);
	else
		str_append(text, sizeof(text), "audit %" PRIu64 ": %s by %s", head->n,
			   e->attempt.text[0] ? e->attempt.text : e->what, e->actor);
	log_fields(LOG_INFO, text, fields, ELEMENTSOF(fields));
}

/* When a segment has begun, and when we have: rarely, and a clock that is wrong costs little. */
static void cut(struct recorder *r)
{
	static const struct audit_bounds bounds = {
		.bytes = AUDIT_KEEP_BYTES,
		.age_us = AUDIT_KEEP_DAYS * 24 * 3600 * US_PER_S,
	};
	struct audit_entry entry = { 0 };
	struct err err = { 0 };
	int n = audit_cut(r->audit, &bounds, clock_wall_us(), &entry, &err);

	if (n < 0)
		log_line(LOG_ERR, "%s", err_text(&err));
	if (n <= 0)
		return;
	tell_added(r, &entry);
	log_line(LOG_NOTICE, "%d audit segment%s over %d MiB or %d days removed", n,
		 n == 1 ? "" : "s", AUDIT_KEEP_BYTES / 1024 / 1024, AUDIT_KEEP_DAYS);
}

int recorder_audit_open(struct recorder *r, struct err *reterr)
{
	struct audit_found found = { 0 };
	int q;

	if (r->audit)
		return 0;
	q = audit_open(r->audit_dir, &r->audit, &found, reterr);
	if (q < 0)
		return q;
	tell_found(&found);
	cut(r);
	return 0;
}

static void acknowledge(const struct recorder *r, uint64_t seq)
{
	struct frame f;

	if (!r->executor)
		return;
	frame_init(&f, FRAME_AUDIT_ACK);
	f.audit_ack.seq = seq;
	(void)peer_send(r->executor, &f); /* without it the executor sends the entry again */
}

static void note_error(struct recorder *r, const struct err *err)
{
	if (!r->audit_error[0])
		log_line(LOG_CRIT, "%s; kept in memory and tried again", err_text(err));
	(void)str_copy(r->audit_error, sizeof(r->audit_error), err_text(err));
}

bool recorder_audit_flush(struct recorder *r)
{
	struct err err = { 0 };

	while (r->n_audit > 0) {
		const struct audit_entry *e = &r->audit_queue[r->audit_head];
		int q = recorder_audit_open(r, &err);

		if (q >= 0)
			q = audit_append(r->audit, e, &err);
		if (q > 0)
			tell_added(r, e);
		/* An entry that was there already may not be in the spool. */
		if (q >= 0 && recorder_ship_audit(r, e, &err) < 0)
			q = -EAGAIN;
		if (q < 0) {
			note_error(r, &err);
			return false;
		}
		if (q > 0 && audit_begins_segment(r->audit))
			cut(r);
		acknowledge(r, e->seq);
		r->audit_head = (r->audit_head + 1) % RECORDER_AUDIT_MAX;
		r->n_audit--;
	}
	if (r->audit_error[0])
		log_line(LOG_NOTICE, "write audit line: goes on");
	r->audit_error[0] = '\0';
	return true;
}

void recorder_audit_add(struct recorder *r, const struct audit_entry *entry)
{
	if (r->n_audit == RECORDER_AUDIT_MAX) {
		r->audit_dropped++; /* not acknowledged: the executor still has it */
		return;
	}
	r->audit_queue[(r->audit_head + r->n_audit++) % RECORDER_AUDIT_MAX] = *entry;
	(void)recorder_audit_flush(r);
}

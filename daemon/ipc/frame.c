/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ipc/frame.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static const char *const frame_type_table[] = {
	[FRAME_HELLO] = "hello",
	[FRAME_SAMPLE] = "sample",
	[FRAME_RECORD] = "record",
	[FRAME_ROLLUP] = "rollup",
	[FRAME_INSPECT] = "inspect",
	[FRAME_EVIDENCE] = "evidence",
	[FRAME_INSPECT_DONE] = "inspect-done",
	[FRAME_PROPOSE] = "propose",
	[FRAME_REVERT] = "revert",
	[FRAME_QUERY] = "query",
	[FRAME_ATTEMPT] = "attempt",
	[FRAME_AUDIT] = "audit",
	[FRAME_AUDIT_ACK] = "audit-ack",
	[FRAME_BYE] = "bye",
};
LOOKUP_DEFINE(frame_type, enum frame_type, frame_type_table);

static size_t body_size(enum frame_type type)
{
	static const size_t sizes[] = {
		[FRAME_HELLO] = sizeof(struct hello),
		[FRAME_SAMPLE] = sizeof(struct sample),
		[FRAME_RECORD] = sizeof(struct record),
		[FRAME_ROLLUP] = sizeof(struct rollups),
		[FRAME_INSPECT] = sizeof(struct inspect),
		[FRAME_EVIDENCE] = sizeof(struct inspect_item),
		[FRAME_INSPECT_DONE] = sizeof(struct inspect_done),
		[FRAME_PROPOSE] = sizeof(struct proposal),
		[FRAME_REVERT] = sizeof(struct revert_request),
		[FRAME_QUERY] = sizeof(struct attempt_query),
		[FRAME_ATTEMPT] = sizeof(struct attempt_update),
		[FRAME_AUDIT] = sizeof(struct audit_entry),
		[FRAME_AUDIT_ACK] = sizeof(struct audit_ack),
		[FRAME_BYE] = 0,
	};

	return sizes[type];
}

void frame_init(struct frame *f, enum frame_type type)
{
	memset(f, 0, FRAME_HEAD_SIZE + body_size(type));
	f->magic = FRAME_MAGIC;
	f->version = FRAME_VERSION;
	f->type = (uint16_t)type;
	f->size = (uint32_t)(FRAME_HEAD_SIZE + body_size(type));
}

static int bad(struct err *reterr, const char *field)
{
	return err_set(reterr, -EBADMSG, "check frame: field '%s' is invalid", field);
}

#define CHECK_TEXT(s)                                   \
	do {                                            \
		if (!str_is_terminated((s), sizeof(s))) \
			return bad(reterr, #s);         \
	} while (0)

#define CHECK_THAT(condition, name)               \
	do {                                      \
		if (!(condition))                 \
			return bad(reterr, name); \
	} while (0)

static int check_sample(const struct sample *s, struct err *reterr)
{
	CHECK_TEXT(s->signal);
	CHECK_THAT(entity_is_valid(&s->entity), "sample.entity");
	CHECK_THAT(s->source < _SOURCE_MAX, "sample.source");
	CHECK_THAT(s->provenance < _PROVENANCE_MAX, "sample.provenance");
	CHECK_THAT(isfinite(s->value), "sample.value");
	return 0;
}

static int check_rollups(const struct rollups *r, struct err *reterr)
{
	CHECK_THAT(r->n <= FRAME_ROLLUPS_MAX, "rollups.n");
	for (uint32_t i = 0; i < r->n; i++) {
		const struct rollup *v = &r->v[i];

		CHECK_TEXT(v->signal);
		CHECK_THAT(entity_is_valid(&v->entity), "rollup.entity");
		CHECK_THAT(isfinite(v->min) && isfinite(v->max) && isfinite(v->sum) &&
				   isfinite(v->last),
			   "rollup.value");
	}
	return 0;
}

/* A record's check on something that is part of one: wrapped as a record of that kind. */
static int check_as_record(enum record_kind kind, const void *body, size_t size, struct err *reterr)
{
	struct record r = { .id = 1, .kind = kind, .entity = { .kind = ENTITY_KIND_HOST } };

	memcpy(&r.event, body, size);
	return record_check(&r, reterr);
}

static int check_proposal(const struct proposal *p, struct err *reterr)
{
	CHECK_THAT(str_is_hex128(p->key), "proposal.key");
	CHECK_THAT(entity_is_valid(&p->root), "proposal.root");
	return check_as_record(RECORD_KIND_PLAN, &p->plan, sizeof(p->plan), reterr);
}

static int check_attempt(const struct attempt_update *u, struct err *reterr)
{
	int r;

	CHECK_THAT(str_is_hex128(u->attempt.key), "attempt.key");
	r = check_as_record(RECORD_KIND_ATTEMPT, &u->attempt, sizeof(u->attempt), reterr);
	return r < 0 ? r :
		       check_as_record(RECORD_KIND_DECISION, &u->decision, sizeof(u->decision),
				       reterr);
}

static int check_audit(const struct audit_entry *a, struct err *reterr)
{
	CHECK_TEXT(a->boot_id);
	CHECK_TEXT(a->actor);
	CHECK_TEXT(a->what);
	CHECK_TEXT(a->action_hash);
	return check_as_record(RECORD_KIND_ATTEMPT, &a->attempt, sizeof(a->attempt), reterr);
}

static int check_inspect(const struct inspect *i, struct err *reterr)
{
	CHECK_TEXT(i->inspector);
	CHECK_THAT(entity_is_valid(&i->entity), "inspect.entity");
	return 0;
}

static int check_body(const struct frame *f, struct err *reterr)
{
	switch ((enum frame_type)f->type) {
	case FRAME_HELLO:
		CHECK_TEXT(f->hello.process);
		return 0;
	case FRAME_SAMPLE:
		return check_sample(&f->sample, reterr);
	case FRAME_RECORD:
		return record_check(&f->record, reterr);
	case FRAME_ROLLUP:
		return check_rollups(&f->rollups, reterr);
	case FRAME_INSPECT:
		return check_inspect(&f->inspect, reterr);
	case FRAME_EVIDENCE:
		return check_as_record(RECORD_KIND_EVIDENCE, &f->inspect_item.evidence,
				       sizeof(f->inspect_item.evidence), reterr);
	case FRAME_INSPECT_DONE:
		CHECK_TEXT(f->inspect_done.text);
		return 0;
	case FRAME_PROPOSE:
		return check_proposal(&f->proposal, reterr);
	case FRAME_REVERT:
		CHECK_THAT(str_is_hex128(f->revert.key), "revert.key");
		CHECK_TEXT(f->revert.reason);
		return 0;
	case FRAME_QUERY:
		CHECK_THAT(str_is_hex128(f->query.key), "query.key");
		return 0;
	case FRAME_ATTEMPT:
		return check_attempt(&f->attempt, reterr);
	case FRAME_AUDIT:
		return check_audit(&f->audit, reterr);
	case FRAME_AUDIT_ACK:
	case FRAME_BYE:
		return 0;
	case _FRAME_TYPE_MAX:
		break;
	}
	return bad(reterr, "type");
}

int frame_check(const struct frame *f, size_t size, struct err *reterr)
{
	if (size < FRAME_HEAD_SIZE)
		return err_set(reterr, -EBADMSG, "check frame: %zu bytes are less than a head",
			       size);
	CHECK_THAT(f->magic == FRAME_MAGIC, "magic");
	if (f->version != FRAME_VERSION)
		return err_set(reterr, -EBADMSG, "check frame: version %u is not %u", f->version,
			       FRAME_VERSION);
	CHECK_THAT(f->type < _FRAME_TYPE_MAX, "type");
	CHECK_THAT(f->size == size && size == FRAME_HEAD_SIZE + body_size(f->type), "size");
	return check_body(f, reterr);
}

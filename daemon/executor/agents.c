/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "executor/executor.h"

/* An answer about something that is not kept. error: -ENOENT means that it was never known, so nothing
 * was done for it. */
static void send_unkept(struct peer *p, const char *key, enum attempt_phase phase, int error,
			const char *by, const char *text)
{
	struct entry e;

	memset(&e, 0, sizeof(e));
	e.attempt.phase = phase;
	e.attempt.error = error;
	e.decision.verdict = DECISION_DENY;
	(void)str_copy(e.decision.by, sizeof(e.decision.by), by);
	(void)str_escape(e.decision.text, sizeof(e.decision.text), text);
	(void)str_escape(e.attempt.text, sizeof(e.attempt.text), text);
	executor_send_attempt(p, &e, key, 0, 0);
}

static void send_known(struct peer *p, const struct entry *e, const char *key)
{
	for (uint32_t i = 0; i < e->n_aliases; i++)
		if (str_equal(e->aliases[i].key, key)) {
			executor_send_attempt(p, e, key, e->aliases[i].incident_id,
					      e->aliases[i].plan_id);
			return;
		}
	executor_send_attempt(p, e, key, e->incident_id, e->plan_id);
}

static void on_propose(struct executor *x, struct peer *p, const struct proposal *proposal)
{
	struct broker *b = executor_broker(x);
	bool known = attempts_find(&b->attempts, proposal->key) != NULL;
	struct err err = { 0 };
	const struct entry *e = broker_propose(b, proposal, &err);

	/* A new one was told already. */
	if (e && known)
		send_known(p, e, proposal->key);
	if (e)
		return;
	/* How many came too often is counted, not told one by one. */
	if (err.code != -EAGAIN || b->proposals.dropped == 1)
		log_line(LOG_WARNING, "%s", err_text(&err));
	send_unkept(p, proposal->key, ATTEMPT_PHASE_DENIED, err.code,
		    err.code == -EAGAIN ? "rate" : "invalid", err_text(&err));
}

static void on_revert(struct executor *x, struct peer *p, const struct revert_request *rq)
{
	struct broker *b = executor_broker(x);
	const struct entry *e = attempts_find(&b->attempts, rq->key);
	struct err err = { 0 };
	struct entry answer;

	if (e && e->by_person)
		(void)err_set(&err, -EPERM, "undo attempt '%s': a person did it", rq->key);
	else if (broker_revert(b, rq->key, "agent", rq->reason, &err) == 0)
		return;
	if (!e) {
		send_unkept(p, rq->key, ATTEMPT_PHASE_FAILED, -ENOENT, "not-known", err_text(&err));
		return;
	}
	/* As it is, with why it stays so. */
	answer = *e;
	if (e->attempt.phase != ATTEMPT_PHASE_REVERTED) {
		answer.attempt.error = err.code;
		(void)str_escape(answer.attempt.text, sizeof(answer.attempt.text), err_text(&err));
	}
	send_known(p, &answer, rq->key);
}

static void on_query(struct executor *x, struct peer *p, const struct attempt_query *q)
{
	const struct entry *e = attempts_find(&executor_broker(x)->attempts, q->key);

	if (e)
		send_known(p, e, q->key);
	else
		send_unkept(p, q->key, ATTEMPT_PHASE_FAILED, -ENOENT, "not-known",
			    "no such attempt: nothing was done for it");
}

static void on_agent_frame(void *userdata, struct peer *p, const struct frame *f)
{
	struct executor *x = userdata;

	switch ((enum frame_type)f->type) {
	case FRAME_PROPOSE:
		on_propose(x, p, &f->proposal);
		break;
	case FRAME_REVERT:
		on_revert(x, p, &f->revert);
		break;
	case FRAME_QUERY:
		on_query(x, p, &f->query);
		break;
	case FRAME_HELLO:
	case FRAME_SAMPLE:
	case FRAME_RECORD:
	case FRAME_ROLLUP:
	case FRAME_INSPECT:
	case FRAME_EVIDENCE:
	case FRAME_INSPECT_DONE:
	case FRAME_ATTEMPT:
	case FRAME_AUDIT:
	case FRAME_AUDIT_ACK:
	case FRAME_BYE:
	case _FRAME_TYPE_MAX:
		break; /* not for us: nothing of it is taken */
	}
	executor_turn(x);
}

static void on_recorder_frame(void *userdata, struct peer *p, const struct frame *f)
{
	struct executor *x = userdata;

	(void)p;
	if (f->type != FRAME_AUDIT_ACK)
		return;
	audit_queue_ack(&x->audit, f->audit_ack.seq);
	audit_queue_send(&x->audit, x->recorder);
}

static void on_recorder_up(void *userdata, struct peer *p)
{
	struct executor *x = userdata;

	audit_queue_restart(&x->audit);
	audit_queue_send(&x->audit, p);
}

const struct peer_handlers executor_agent_handlers = { .frame = on_agent_frame };
const struct peer_handlers executor_recorder_handlers = { .frame = on_recorder_frame,
							  .up = on_recorder_up };

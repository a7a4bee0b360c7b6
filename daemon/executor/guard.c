/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "executor/guard.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/paths.h"

static void say(struct decision *d, enum decision_verdict verdict, const char *by, const char *text)
{
	*d = (struct decision){ .verdict = verdict };
	(void)str_copy(d->by, sizeof(d->by), by);
	(void)str_copy(d->text, sizeof(d->text), text);
}

static bool deny(struct decision *d, const char *by, const char *text)
{
	say(d, DECISION_DENY, by, text);
	return false;
}

/* What holds whoever asks and whatever the policy says. */
static bool host_allows(const struct guard_view *v, const struct guard_request *rq,
			struct decision *d)
{
	char text[RECORD_TEXT_MAX] = "", name[ENTITY_TEXT_MAX];
	struct entity now = { 0 };
	struct err err = { 0 };

	if (action_entity(rq->info->target, &rq->entry->attempt.params, v->services, &now, &err) <
	    0)
		return deny(d, "target", err_text(&err));
	/* services.d changed since: what was wanted, and approved, was about another. */
	if (!entity_equal(&now, &rq->entry->entity)) {
		str_append(text, sizeof(text), "its target is '%s' by now",
			   entity_format(&now, name));
		return deny(d, "target", text);
	}
	if (policy_protects(v->policy, &now)) {
		str_append(text, sizeof(text), "'%s' is protected: nobody touches it through us",
			   entity_format(&now, name));
		return deny(d, "protected", text);
	}
	if (v->stopped)
		return deny(d, "stop-file", PATH_STOP_FILE " is there: nothing new is started");
	if (v->paused)
		return deny(d, "paused", "a person paused it: nothing new is started");
	if (v->audit_full)
		return deny(d, "audit-full", "what was done is not on record yet");
	if (v->audit_behind && rq->info->risk == RISK_DESTRUCTIVE)
		return deny(d, "audit-behind",
			    "a destructive action waits for the record of others");
	return true;
}

/* The agent's word is worth what its evidence is. */
static bool evidence_allows(const struct guard_view *v, const struct guard_request *rq,
			    struct decision *d)
{
	char text[RECORD_TEXT_MAX] = "";

	if (rq->entry->by_person)
		return true;
	if (rq->n_sources < EVIDENCE_SOURCES_MIN || rq->n_trusted < EVIDENCE_TRUSTED_MIN) {
		str_append(text, sizeof(text),
			   "%u independent sources of which %u trusted; %d and %d are needed",
			   rq->n_sources, rq->n_trusted, EVIDENCE_SOURCES_MIN,
			   EVIDENCE_TRUSTED_MIN);
		return deny(d, "evidence", text);
	}
	if (!rq->root || !entity_equal(rq->root, &rq->entry->entity))
		return deny(d, "evidence", "the evidence is about something else than the target");
	if (rq->deadline_ns <= v->now_ns && !rq->approved)
		return deny(d, "deadline", "it came too late: what it is based on is old");
	return true;
}

static enum autonomy lower(enum autonomy a, enum autonomy b)
{
	return a < b ? a : b;
}

/* Returns false when the policy ends it; else *d is ALLOW or ASK. */
static bool policy_allows(const struct guard_view *v, const struct guard_request *rq,
			  struct decision *d)
{
	/* The mode is how much goes without a person; here one asks. */
	enum autonomy mode = rq->entry->by_person ? AUTONOMY_AUTO : v->mode;
	enum autonomy most = lower(rq->autonomy, mode);
	char text[RECORD_TEXT_MAX] = "";
	struct err err = { 0 };

	/* What destroys is never done without a person, whatever a rule says. */
	if (rq->info->risk == RISK_DESTRUCTIVE)
		most = lower(most, AUTONOMY_APPROVE);
	if (!v->policy) {
		str_append(text, sizeof(text), "no valid policy: %s",
			   v->policy_error && v->policy_error[0] ? v->policy_error :
								   "none is loaded");
		return deny(d, "no-policy", text);
	}
	if (policy_check_duration(v->policy, &rq->entry->attempt.params, &err) < 0)
		return deny(d, "duration", err_text(&err));
	policy_decide(v->policy, v->services, rq->info->name, &rq->entry->entity, most, d);
	return d->verdict == DECISION_ALLOW || d->verdict == DECISION_ASK;
}

static bool load_allows(const struct guard_view *v, const struct guard_request *rq,
			struct decision *d)
{
	const struct entry *writer = attempts_find_writer(v->attempts, rq->entry);
	const struct entity *on = &rq->entry->entity;
	const struct budget_wish wish = { rq->info->name, rq->info->cooldown_ms, on };
	char text[RECORD_TEXT_MAX] = "", name[ENTITY_TEXT_MAX];
	struct budget_refusal refusal = { 0 };
	struct err err = { 0 };

	if (writer) {
		str_append(text, sizeof(text), "%s is at work on '%s' already",
			   writer->attempt.action, entity_format(on, name));
		return deny(d, "busy", text);
	}
	if (budget_check(v->budget, &v->policy->limits, &wish, v->now_ns, &refusal, &err) < 0)
		return deny(d, refusal.by, err_text(&err));
	return true;
}

void guard_decide(const struct guard_view *view, const struct guard_request *rq,
		  struct decision *ret)
{
	if (!host_allows(view, rq, ret) || !evidence_allows(view, rq, ret) ||
	    !policy_allows(view, rq, ret))
		return;
	/* Nothing changes in a dry run: it costs no budget and takes no approval. */
	if (rq->entry->op == STEP_OP_DRY_RUN) {
		ret->verdict = DECISION_ALLOW;
		return;
	}
	if (!load_allows(view, rq, ret))
		return;
	if (rq->approved)
		ret->verdict = DECISION_ALLOW;
}

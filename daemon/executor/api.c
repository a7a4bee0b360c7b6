/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "executor/executor.h"
#include "ipc/health.h"

#define LIST_MAX 64 /* attempts in one answer, newest first: the loop must not be held up */

static int out_of_memory(struct err *reterr)
{
	return err_set(reterr, -ENOMEM, "write answer: %s", strerror(ENOMEM));
}

static int get_health(void *userdata, const struct http_request *rq, struct http_answer *ret,
		      struct err *reterr)
{
	const struct executor *x = userdata;
	bool policy = x->broker.policy != NULL, bus = starter_is_connected(x->starter);
	const struct health_part parts[] = {
		{ "policy", policy ? NULL : "none is loaded: everything is denied" },
		{ "bus", bus ? NULL : "no connection to systemd: no step can be started" },
	};
	_cleanup_json_ struct json_object *o = json_object_new_object();

	if (!o || health_add(o, parts, ELEMENTSOF(parts)) < 0 ||
	    json_add_bool(o, "ok", policy && bus) < 0 ||
	    json_add_bool(o, "policy_loaded", policy) < 0 ||
	    json_add_bool(o, "bus_connected", bus) < 0)
		return out_of_memory(reterr);
	ret->status = policy && bus ? 200 : 503;
	ret->json = TAKE_PTR(o);
	return health_answer(rq, ret) < 0 ? out_of_memory(reterr) : 0;
}

static int get_status(void *userdata, const struct http_request *rq, struct http_answer *ret,
		      struct err *reterr)
{
	struct executor *x = userdata;

	(void)rq;
	(void)executor_broker(x);
	return executor_json_status(x, &ret->json) < 0 ? out_of_memory(reterr) : 0;
}

/* The attempts, newest first, as {KEY: [...]}. */
static int list_attempts(struct executor *x, const char *key, bool waiting, struct http_answer *ret,
			 struct err *reterr)
{
	_cleanup_json_ struct json_object *o = json_object_new_object(),
					  *all = json_object_new_array();
	const struct broker *b = executor_broker(x);

	if (!o || !all)
		return out_of_memory(reterr);
	for (size_t i = b->attempts.n; i-- > 0 && json_object_array_length(all) < LIST_MAX;) {
		const struct entry *e = b->attempts.v[i];
		struct json_object *one = NULL;

		if (waiting && e->attempt.phase != ATTEMPT_PHASE_WAITING)
			continue;
		if (executor_json_attempt(e, b, &one) < 0 || json_object_array_add(all, one) < 0)
			return out_of_memory(reterr);
	}
	if (json_add(o, key, TAKE_PTR(all)) < 0)
		return out_of_memory(reterr);
	ret->json = TAKE_PTR(o);
	return 0;
}

static int get_approvals(void *userdata, const struct http_request *rq, struct http_answer *ret,
			 struct err *reterr)
{
	(void)rq;
	return list_attempts(userdata, "approvals", true, ret, reterr);
}

static int get_attempts(void *userdata, const struct http_request *rq, struct http_answer *ret,
			struct err *reterr)
{
	(void)rq;
	return list_attempts(userdata, "attempts", false, ret, reterr);
}

const struct entry *executor_find(struct executor *x, const struct http_request *rq,
				  struct err *reterr)
{
	const struct broker *b = executor_broker(x);
	const struct entry *e = attempts_find_part(&b->attempts, rq->tail);

	if (!e)
		(void)err_set(reterr, -ENOENT, "find attempt '%.64s': no such key", rq->tail);
	return e;
}

static bool is_true(const char *s)
{
	return str_equal(s, "1") || str_equal(s, "true") || str_equal(s, "yes");
}

int executor_answer_attempt(struct executor *x, const struct http_request *rq,
			    const struct entry *e, unsigned status, struct http_answer *ret,
			    struct err *reterr)
{
	ret->status = status;
	ret->location[0] = '\0';
	str_append(ret->location, sizeof(ret->location), "/v1/attempts/%s", e->attempt.key);
	if (is_true(http_query(rq, "follow"))) {
		ret->stream = executor_follow(x, e->attempt.key);
		return ret->stream ? 0 : out_of_memory(reterr);
	}
	return executor_json_attempt(e, &x->broker, &ret->json) < 0 ? out_of_memory(reterr) : 0;
}

static int get_attempt(void *userdata, const struct http_request *rq, struct http_answer *ret,
		       struct err *reterr)
{
	const struct entry *e = executor_find(userdata, rq, reterr);

	return e ? executor_answer_attempt(userdata, rq, e, 0, ret, reterr) : reterr->code;
}

static int get_approval(void *userdata, const struct http_request *rq, struct http_answer *ret,
			struct err *reterr)
{
	const struct broker *b = executor_broker(userdata);
	const struct entry *e = attempts_find_part(&b->attempts, rq->tail);

	if (!e || e->attempt.phase != ATTEMPT_PHASE_WAITING)
		return err_set(reterr, -ENOENT, "find approval '%.64s': nothing waits by that key",
			       rq->tail);
	return get_attempt(userdata, rq, ret, reterr);
}

static int post_approval(void *userdata, const struct http_request *rq, struct http_answer *ret,
			 struct err *reterr)
{
	const char *decision = NULL, *hash = NULL, *reason = "";
	struct broker *b = executor_broker(userdata);
	const struct entry *e = attempts_find_part(&b->attempts, rq->tail);
	char key[STR_HEX128_MAX] = "";
	bool approve;
	int r;

	if (!e)
		return err_set(reterr, -ENOENT, "find approval '%.64s': nothing waits by that key",
			       rq->tail);
	r = rq->body ? json_get_string(rq->body, "decision", &decision, reterr) : -ENOENT;
	if (r == 0)
		r = json_get_string(rq->body, "hash", &hash, reterr);
	if (r == -ENOENT)
		return err_set(reterr, -EINVAL, "decide: fields 'decision' and 'hash' are needed");
	if (r == 0)
		r = json_get_string(rq->body, "reason", &reason, reterr);
	if (r < 0 && r != -ENOENT)
		return r;
	approve = str_equal(decision, "approve");
	if (!approve && !str_equal(decision, "deny"))
		return err_set(reterr, -EINVAL, "field 'decision': 'approve' or 'deny'");
	(void)str_copy(key, sizeof(key), e->attempt.key);
	r = broker_decide(b, key, hash, approve, rq->caller.uid, rq->caller.name, reason, reterr);
	executor_turn(userdata);
	if (r < 0)
		return r;
	e = attempts_find(&b->attempts, key);
	if (!e)
		return err_set(reterr, -ENOENT, "find attempt '%s': no such key", key);
	return executor_answer_attempt(userdata, rq, e, 0, ret, reterr);
}

static int get_actions(void *userdata, const struct http_request *rq, struct http_answer *ret,
		       struct err *reterr)
{
	_cleanup_json_ struct json_object *o = json_object_new_object(),
					  *all = json_object_new_array();

	(void)rq;
	if (!o || !all)
		return out_of_memory(reterr);
	for (const struct action_info *a = action_table; a->name; a++) {
		struct json_object *one = NULL;

		if (executor_json_action(a, &one) < 0 || json_object_array_add(all, one) < 0)
			return out_of_memory(reterr);
	}
	if (json_add(o, "actions", TAKE_PTR(all)) < 0 || executor_json_aliases(userdata, o) < 0 ||
	    executor_json_limits(userdata, o) < 0)
		return out_of_memory(reterr);
	ret->json = TAKE_PTR(o);
	return 0;
}

/* What becomes of an attempt when a person says so. */
static int change_attempt(struct executor *x, const struct http_request *rq, const char *op,
			  struct http_answer *ret, struct err *reterr)
{
	const struct entry *e = executor_find(x, rq, reterr);
	const char *reason = "asked by a person";
	char key[STR_HEX128_MAX] = "";
	int r = rq->body ? json_get_string(rq->body, "reason", &reason, reterr) : 0;

	if (!e)
		return reterr->code;
	if (r < 0 && r != -ENOENT)
		return r;
	ret->record_id = e->record_id;
	(void)str_copy(key, sizeof(key), e->attempt.key);
	r = str_equal(op, "revert") ?
		    broker_revert(&x->broker, key, rq->caller.name, reason, reterr) :
		    broker_cancel(&x->broker, key, rq->caller.name, reterr);
	executor_turn(x);
	if (r < 0)
		return r;
	e = executor_find(x, rq, reterr);
	return e ? executor_answer_attempt(x, rq, e, 202, ret, reterr) : reterr->code;
}

static int post_attempt(void *userdata, const struct http_request *rq, struct http_answer *ret,
			struct err *reterr)
{
	const char *op = NULL;
	int r = rq->body ? json_get_string(rq->body, "op", &op, reterr) : -ENOENT;

	if (r < 0 || (!str_equal(op, "revert") && !str_equal(op, "cancel")))
		return err_set(reterr, -EINVAL, "field 'op': 'revert' or 'cancel'");
	return change_attempt(userdata, rq, op, ret, reterr);
}

static int delete_attempt(void *userdata, const struct http_request *rq, struct http_answer *ret,
			  struct err *reterr)
{
	return change_attempt(userdata, rq, "cancel", ret, reterr);
}

static int post_mode(void *userdata, const struct http_request *rq, struct http_answer *ret,
		     struct err *reterr)
{
	const char *mode = NULL;
	int r = rq->body ? json_get_string(rq->body, "mode", &mode, reterr) : -ENOENT;

	r = r < 0 ? r : autonomy_from_string(mode);
	if (r < 0)
		return err_set(reterr, -EINVAL,
			       "field 'mode': 'observe', 'suggest', 'approve' or 'auto'");
	r = broker_set_mode(executor_broker(userdata), (enum autonomy)r, rq->caller.name, reterr);
	executor_turn(userdata);
	return r < 0 ? r : get_status(userdata, rq, ret, reterr);
}

static int set_paused(struct executor *x, const struct http_request *rq, bool paused,
		      struct http_answer *ret, struct err *reterr)
{
	int r = broker_set_paused(executor_broker(x), paused, rq->caller.name, reterr);

	executor_turn(x);
	return r < 0 ? r : get_status(x, rq, ret, reterr);
}

static int post_pause(void *userdata, const struct http_request *rq, struct http_answer *ret,
		      struct err *reterr)
{
	return set_paused(userdata, rq, true, ret, reterr);
}

static int post_resume(void *userdata, const struct http_request *rq, struct http_answer *ret,
		       struct err *reterr)
{
	return set_paused(userdata, rq, false, ret, reterr);
}

/* The members of the answers, for openapi.json; the integration case "plane" holds them against it. */
#define ATTEMPT                                                                                      \
	"key, action, params{}, risk, phase, dry_run!, revertible!, ran!, error#, actor, text, op, " \
	"entity, reason, undo, approver, target_key?, revert_key?, incident_id?, plan_id?, "         \
	"created, created_usec#, decision{}, hash?, expires?, expires_usec#?"
#define STATUS                                                                               \
	"process, version, mode, paused!, stop_file!, bus_connected!, recorder_connected!, " \
	"attempts_active_count#, approvals_pending_count#, policy{}, budget{}, audit{}, "    \
	"proposals_dropped_count#, requests_dropped_count#"
#define WISH "params{}?, reason?"

static int get_openapi(void *userdata, const struct http_request *rq, struct http_answer *ret,
		       struct err *reterr)
{
	return executor_json_openapi(userdata, rq->is_adopted, &ret->json) < 0 ?
		       out_of_memory(reterr) :
		       0;
}

const struct http_endpoint executor_endpoints[] = {
	{ "GET",
	  "/healthz",
	  ROLE_READ,
	  get_health,
	  { "whether there is a policy and a bus",
	    .answer = "200/503 status, parts[], ok!, policy_loaded!, bus_connected!" } },
	{ "GET",
	  "/openapi.json",
	  ROLE_READ,
	  get_openapi,
	  { "this document", .answer = "200 openapi, info{}, paths{}, components{}" } },
	{ "GET",
	  "/v1/status",
	  ROLE_READ,
	  get_status,
	  { "mode, policy, budget, audit, and what runs and waits", .answer = "200 " STATUS } },
	{ "GET",
	  "/v1/approvals",
	  ROLE_READ,
	  get_approvals,
	  { "what waits for a person", .answer = "200 approvals[]" } },
	{ "GET",
	  "/v1/approvals/*",
	  ROLE_READ,
	  get_approval,
	  { "one of them", .answer = "200 " ATTEMPT } },
	{ "POST",
	  "/v1/approvals/*",
	  ROLE_APPROVE,
	  post_approval,
	  { "approve or deny exactly what was shown", .body = "decision, hash, reason?",
	    .answer = "200 " ATTEMPT } },
	{ "GET",
	  "/v1/actions",
	  ROLE_READ,
	  get_actions,
	  { "what can be done, with its parameters, limits, risk and undo",
	    .answer = "200 actions[], aliases[], limits{}?" } },
	{ "POST",
	  "/v1/actions/*",
	  ROLE_PROPOSE,
	  executor_post_action,
	  { "do it, or ask for it", .query = "dry_run, follow", .body = WISH,
	    .answer = "202 " ATTEMPT, .header = "Idempotency-Key" } },
	{ "POST",
	  "/action/*",
	  ROLE_PROPOSE,
	  executor_post_alias,
	  { "the same by an alias", .query = "dry_run, follow", .body = WISH,
	    .answer = "202 " ATTEMPT, .header = "Idempotency-Key" } },
	{ "GET",
	  "/v1/attempts",
	  ROLE_READ,
	  get_attempts,
	  { "what was tried lately", .answer = "200 attempts[]" } },
	{ "GET",
	  "/v1/attempts/*",
	  ROLE_READ,
	  get_attempt,
	  { "one of them", .query = "follow", .answer = "200 " ATTEMPT } },
	{ "POST",
	  "/v1/attempts/*",
	  ROLE_OPERATE,
	  post_attempt,
	  { "undo or cancel it", .body = "op, reason?", .answer = "202 " ATTEMPT } },
	{ "DELETE",
	  "/v1/attempts/*",
	  ROLE_OPERATE,
	  delete_attempt,
	  { "cancel it", .answer = "202 " ATTEMPT } },
	{ "GET",
	  "/v1/mode",
	  ROLE_READ,
	  get_status,
	  { "what the executor's /v1/status says, on any socket", .answer = "200 " STATUS } },
	{ "POST",
	  "/v1/mode",
	  ROLE_APPROVE,
	  post_mode,
	  { "how much is done without a person", .body = "mode", .answer = "200 " STATUS } },
	{ "POST",
	  "/v1/pause",
	  ROLE_APPROVE,
	  post_pause,
	  { "start nothing new", .answer = "200 " STATUS } },
	{ "POST",
	  "/v1/resume",
	  ROLE_APPROVE,
	  post_resume,
	  { "start again", .answer = "200 " STATUS } },
	{ 0 },
};

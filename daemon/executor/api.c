/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "executor/executor.h"

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
	_cleanup_json_ struct json_object *o = json_object_new_object();

	(void)rq;
	if (!o || json_add_bool(o, "ok", policy && bus) < 0 ||
	    json_add_bool(o, "policy_loaded", policy) < 0 ||
	    json_add_bool(o, "bus_connected", bus) < 0)
		return out_of_memory(reterr);
	ret->status = policy && bus ? 200 : 503;
	ret->json = TAKE_PTR(o);
	return 0;
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

static int get_attempt(void *userdata, const struct http_request *rq, struct http_answer *ret,
		       struct err *reterr)
{
	const struct broker *b = executor_broker(userdata);
	const struct entry *e = attempts_find_part(&b->attempts, rq->tail);

	if (!e)
		return err_set(reterr, -ENOENT, "find attempt '%.64s': no such key", rq->tail);
	return executor_json_attempt(e, b, &ret->json) < 0 ? out_of_memory(reterr) : 0;
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

/* The state of an attempt after something was done about it. */
static int answer_attempt(struct executor *x, const struct entry *e, unsigned status,
			  struct http_answer *ret, struct err *reterr)
{
	ret->status = status;
	ret->location[0] = '\0';
	str_append(ret->location, sizeof(ret->location), "/v1/attempts/%s", e->attempt.key);
	return executor_json_attempt(e, &x->broker, &ret->json) < 0 ? out_of_memory(reterr) : 0;
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
	return answer_attempt(userdata, e, 0, ret, reterr);
}

static int get_actions(void *userdata, const struct http_request *rq, struct http_answer *ret,
		       struct err *reterr)
{
	_cleanup_json_ struct json_object *o = json_object_new_object(),
					  *all = json_object_new_array();

	(void)userdata;
	(void)rq;
	if (!o || !all)
		return out_of_memory(reterr);
	for (const struct action_info *a = action_table; a->name; a++) {
		struct json_object *one = NULL;

		if (executor_json_action(a, &one) < 0 || json_object_array_add(all, one) < 0)
			return out_of_memory(reterr);
	}
	if (json_add(o, "actions", TAKE_PTR(all)) < 0)
		return out_of_memory(reterr);
	ret->json = TAKE_PTR(o);
	return 0;
}

/* {"params": {"unit": "x.service", "quota_pct": 20}}: texts and numbers, validated by the one parser. */
static int parse_params(const struct http_request *rq, const struct action_info *info,
			struct params *ret, struct err *reterr)
{
	struct param_text texts[PARAMS_MAX] = { 0 };
	struct json_object *params = NULL;
	size_t n = 0;

	if (rq->body)
		(void)json_object_object_get_ex(rq->body, "params", &params);
	if (params && !json_object_is_type(params, json_type_object))
		return err_set(reterr, -EINVAL, "field 'params': not an object");
	if (params) {
		json_object_object_foreach(params, name, value) {
			enum json_type type = json_object_get_type(value);

			if (type != json_type_string && type != json_type_int)
				return err_set(reterr, -EINVAL,
					       "parameter '%.32s': neither a text nor an integer",
					       name);
			if (n == PARAMS_MAX)
				return err_set(reterr, -EINVAL, "field 'params': more than %d",
					       PARAMS_MAX);
			texts[n++] = (struct param_text){ name, json_object_get_string(value) };
		}
	}
	return params_parse(info->params, texts, n, ret, reterr);
}

static bool is_true(const char *s)
{
	return str_equal(s, "1") || str_equal(s, "true") || str_equal(s, "yes");
}

static int post_action(void *userdata, const struct http_request *rq, struct http_answer *ret,
		       struct err *reterr)
{
	const struct action_info *info = action_info_find(rq->tail);
	struct broker *b = executor_broker(userdata);
	char key[STR_HEX128_MAX] = "";
	struct wish w = {
		.key = key,
		.info = info,
		.dry_run = is_true(http_query(rq, "dry_run")),
		.may_approve = rq->caller.roles[ROLE_APPROVE] || rq->caller.uid == 0,
		.uid = rq->caller.uid,
		.actor = rq->caller.name,
	};
	const struct entry *e;
	int r;

	if (!info)
		return err_set(reterr, -ENOENT, "find action '%.64s': there is none", rq->tail);
	r = parse_params(rq, info, &w.params, reterr);
	if (r == 0 && rq->body)
		r = json_get_string(rq->body, "reason", &w.reason, reterr);
	if (r < 0 && r != -ENOENT)
		return r;
	r = str_random_hex128(key);
	if (r < 0)
		return err_set(reterr, r, "make key: %s", strerror(-r));
	e = broker_do(b, &w, reterr);
	executor_turn(userdata);
	return e ? answer_attempt(userdata, e, 202, ret, reterr) : reterr->code;
}

static int post_attempt(void *userdata, const struct http_request *rq, struct http_answer *ret,
			struct err *reterr)
{
	struct broker *b = executor_broker(userdata);
	const struct entry *e = attempts_find_part(&b->attempts, rq->tail);
	const char *op = NULL, *reason = "asked by a person";
	char key[STR_HEX128_MAX] = "";
	int r = rq->body ? json_get_string(rq->body, "op", &op, reterr) : -ENOENT;

	if (!e)
		return err_set(reterr, -ENOENT, "find attempt '%.64s': no such key", rq->tail);
	if (r < 0 || !str_equal(op, "revert"))
		return err_set(reterr, -EINVAL, "field 'op': only 'revert' is known");
	r = json_get_string(rq->body, "reason", &reason, reterr);
	if (r < 0 && r != -ENOENT)
		return r;
	(void)str_copy(key, sizeof(key), e->attempt.key);
	r = broker_revert(b, key, rq->caller.name, reason, reterr);
	executor_turn(userdata);
	if (r < 0)
		return r;
	e = attempts_find(&b->attempts, key);
	return e ? answer_attempt(userdata, e, 202, ret, reterr) :
		   err_set(reterr, -ENOENT, "find attempt '%s': no such key", key);
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

const struct http_endpoint executor_endpoints[] = {
	{ "GET", "/healthz", ROLE_READ, get_health },
	{ "GET", "/v1/status", ROLE_READ, get_status },
	{ "GET", "/v1/approvals", ROLE_READ, get_approvals },
	{ "GET", "/v1/approvals/*", ROLE_READ, get_approval },
	{ "POST", "/v1/approvals/*", ROLE_APPROVE, post_approval },
	{ "GET", "/v1/actions", ROLE_READ, get_actions },
	{ "POST", "/v1/actions/*", ROLE_OPERATE, post_action },
	{ "GET", "/v1/attempts", ROLE_READ, get_attempts },
	{ "GET", "/v1/attempts/*", ROLE_READ, get_attempt },
	{ "POST", "/v1/attempts/*", ROLE_OPERATE, post_attempt },
	{ "POST", "/v1/mode", ROLE_APPROVE, post_mode },
	{ "POST", "/v1/pause", ROLE_APPROVE, post_pause },
	{ "POST", "/v1/resume", ROLE_APPROVE, post_resume },
	{ 0 },
};

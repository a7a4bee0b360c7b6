/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "executor/executor.h"

/* A caller's wish, from its request to the attempt that it becomes. */

#define REQUEST_TEXT_MAX (PARAMS_MAX * (PARAM_NAME_MAX + PARAM_TEXT_MAX) + 128)

struct texts {
	size_t n;
	struct param_text v[PARAMS_MAX];
};

static bool is_true(const char *s)
{
	return str_equal(s, "1") || str_equal(s, "true") || str_equal(s, "yes");
}

/* {"params": {"unit": "x.service", "quota_pct": 20}}: texts and numbers, for the one parser. */
static int read_texts(const struct http_request *rq, struct texts *t, struct err *reterr)
{
	struct json_object *params = NULL;

	if (rq->body)
		(void)json_object_object_get_ex(rq->body, "params", &params);
	if (!params)
		return 0;
	if (!json_object_is_type(params, json_type_object))
		return err_set(reterr, -EINVAL, "field 'params': not an object");
	json_object_object_foreach(params, name, value) {
		enum json_type type = json_object_get_type(value);

		if (type != json_type_string && type != json_type_int)
			return err_set(reterr, -EINVAL,
				       "parameter '%.32s': neither a text nor an integer", name);
		if (t->n == PARAMS_MAX)
			return err_set(reterr, -EINVAL, "field 'params': more than %d", PARAMS_MAX);
		t->v[t->n++] = (struct param_text){ name, json_object_get_string(value) };
	}
	return 0;
}

/* "?dry_run=yse" must not do it for real. */
static int read_flag(const struct http_request *rq, const char *name, bool *ret, struct err *reterr)
{
	const char *s = http_query(rq, name);

	*ret = is_true(s);
	if (!s || *ret || str_equal(s, "0") || str_equal(s, "false") || str_equal(s, "no"))
		return 0;
	return err_set(reterr, -EINVAL, "parameter '%s': 1 or 0", name);
}

static int read_wish(const struct http_request *rq, const struct action_info *info,
		     struct texts *texts, struct wish *w, struct err *reterr)
{
	static const char *const known[] = { "dry_run", "follow", NULL };
	bool follow = false;
	int r = query_check(rq, known, reterr);

	*w = (struct wish){ .info = info,
			    .may_approve = rq->caller.roles[ROLE_APPROVE],
			    .is_remote = rq->caller.is_remote,
			    .uid = rq->caller.uid,
			    .actor = rq->caller.name };
	if (r == 0)
		r = read_flag(rq, "dry_run", &w->dry_run, reterr);
	if (r == 0)
		r = read_flag(rq, "follow", &follow, reterr);
	if (r == 0)
		r = read_texts(rq, texts, reterr);
	if (r == 0)
		r = params_parse(info->params, texts->v, texts->n, &w->params, reterr);
	if (r == 0 && rq->body)
		r = json_get_string(rq->body, "reason", &w->reason, reterr);
	return r == -ENOENT ? 0 : r;
}

/* What was refused is told as an error; the attempt that says so stands beside it. */
static int answer_denied(struct executor *x, const struct entry *e, struct http_answer *ret,
			 struct err *reterr)
{
	uint64_t retry_ns = broker_retry_ns(&x->broker, e);
	struct json_object *error;
	char hint[64] = "";

	str_append(hint, sizeof(hint), "denied by '%s'", e->decision.by);
	ret->status = retry_ns > 0 ? 429 : 403;
	ret->retry_after_s = (uint32_t)((retry_ns + NS_PER_S - 1) / NS_PER_S);
	error = http_error_json(retry_ns > 0 ? "too-many" : "denied", e->decision.text, hint,
				e->record_id);
	if (!error || executor_json_attempt(e, &x->broker, &ret->json) < 0) {
		(void)json_object_put(error);
		return err_set(reterr, -ENOMEM, "write answer: %s", strerror(ENOMEM));
	}
	str_append(ret->location, sizeof(ret->location), "/v1/attempts/%s", e->attempt.key);
	return json_add(ret->json, "error", error);
}

static int answer(struct executor *x, const struct http_request *rq, const struct entry *e,
		  struct http_answer *ret, struct err *reterr)
{
	if (e->attempt.phase == ATTEMPT_PHASE_DENIED)
		return answer_denied(x, e, ret, reterr);
	return executor_answer_attempt(x, rq, e, 202, ret, reterr);
}

static int want(struct executor *x, const struct http_request *rq, const struct wish *w,
		const struct entry **ret_entry, struct http_answer *ret, struct err *reterr)
{
	*ret_entry = broker_do(executor_broker(x), w, reterr);
	executor_turn(x);
	return *ret_entry ? answer(x, rq, *ret_entry, ret, reterr) : reterr->code;
}

/* The key is kept before anything is done, so that a request which comes again after we died does
 * nothing twice; what was refused may come again. */
static int want_once(struct executor *x, const struct http_request *rq, struct wish *w,
		     struct idempotency_row *row, struct http_answer *ret, struct err *reterr)
{
	const struct entry *e = NULL;
	struct err err = { 0 };
	int r = store_save_keys(&x->store, &x->keys, reterr);

	if (r < 0) {
		idempotency_remove(&x->keys, row);
		return r;
	}
	w->key = row->attempt;
	r = want(x, rq, w, &e, ret, reterr);
	if (!e || e->attempt.phase == ATTEMPT_PHASE_DENIED) {
		idempotency_remove(&x->keys, row);
	} else {
		row->is_done = true;
		(void)str_copy(row->attempt, sizeof(row->attempt), e->attempt.key);
	}
	/* The attempt itself is known by its key. */
	if (store_save_keys(&x->store, &x->keys, &err) < 0)
		log_line(LOG_WARNING, "%s, ignoring", err_text(&err));
	return r;
}

/* Under a key of the caller's own. */
static int want_by_key(struct executor *x, const struct http_request *rq, struct wish *w,
		       const char *caller_key, struct http_answer *ret, struct err *reterr)
{
	char request[REQUEST_TEXT_MAX] = "", params[REQUEST_TEXT_MAX - 128];
	struct idempotency_row *row = NULL;
	struct idempotency_ask ask = { 0 };
	const struct entry *e;
	int r;

	str_append(request, sizeof(request), "%s %s\n%s", w->info->name,
		   w->dry_run ? "dry" : "real", params_format(&w->params, params, sizeof(params)));
	r = idempotency_ask(rq->caller.name, caller_key, request, &ask, reterr);
	if (r == 0)
		r = idempotency_find(&x->keys, &ask, clock_boot_ns(), &row, reterr);
	if (r == 0)
		r = idempotency_add(&x->keys, &ask, w->key, clock_boot_ns(), &row, reterr);
	if (r < 0)
		return r;
	e = attempts_find(&executor_broker(x)->attempts, row->attempt);
	if (e)
		return answer(x, rq, e, ret, reterr);
	if (row->is_done)
		return err_set(reterr, -ESTALE,
			       "repeat request: attempt '%s' is over and no longer kept",
			       row->attempt);
	return want_once(x, rq, w, row, ret, reterr);
}

static int act(struct executor *x, const struct http_request *rq, const struct action_info *info,
	       struct texts *texts, struct http_answer *ret, struct err *reterr)
{
	const char *caller_key = http_header(rq, "Idempotency-Key");
	char key[STR_HEX128_MAX] = "";
	const struct entry *e;
	struct wish w;
	int r = read_wish(rq, info, texts, &w, reterr);

	if (r < 0)
		return r;
	r = str_random_hex128(key);
	if (r < 0)
		return err_set(reterr, r, "make key: %s", strerror(-r));
	w.key = key;
	return caller_key ? want_by_key(x, rq, &w, caller_key, ret, reterr) :
			    want(x, rq, &w, &e, ret, reterr);
}

int executor_post_action(void *userdata, const struct http_request *rq, struct http_answer *ret,
			 struct err *reterr)
{
	const struct action_info *info = action_info_find(rq->tail);
	struct texts texts = { 0 };

	if (!info)
		return err_set(reterr, -ENOENT, "find action '%.64s': there is none", rq->tail);
	return act(userdata, rq, info, &texts, ret, reterr);
}

int executor_post_alias(void *userdata, const struct http_request *rq, struct http_answer *ret,
			struct err *reterr)
{
	const struct executor *x = userdata;
	const struct action_alias *a = aliases_find(&x->aliases, rq->tail);
	struct texts texts = { 0 };

	if (!a && x->aliases_error[0])
		return err_set(reterr, -EBUSY, "find alias '%.64s': none is loaded: %s", rq->tail,
			       x->aliases_error);
	if (!a)
		return err_set(reterr, -ENOENT, "find alias '%.64s': there is none", rq->tail);
	for (uint32_t i = 0; i < a->n_params; i++)
		texts.v[texts.n++] = (struct param_text){ a->params[i].name, a->params[i].value };
	return act(userdata, rq, action_info_find(a->action), &texts, ret, reterr);
}

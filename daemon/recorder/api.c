/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "ipc/openapi.h"

#include "base/log.h"
#include "ipc/health.h"
#include "ipc/metrics.h"
#include "recorder/recorder.h"

/* What history.sock serves. Everything is read from the store and nothing is changed by asking. */

#define INCIDENTS_DEFAULT 50
#define CANDIDATES_MAX    5
#define METRICS_STEPS     60 /* points of a series, unless asked for otherwise */
#define METRICS_SINCE_US  (3600 * US_PER_S)

/* Rows as JSON values of an array. */
struct rows {
	struct json_object *array;
	uint64_t last_incident_id;
	int r;
};

static void on_row(void *userdata, const struct store_row *row)
{
	struct rows *rows = userdata;
	struct json_object *o = NULL;

	if (!row->json || json_parse(row->json, strlen(row->json), &o, NULL) < 0)
		return; /* what cannot be read is no reason to show nothing */
	if (json_object_array_add(rows->array, o) < 0) {
		(void)json_object_put(o);
		rows->r = -ENOMEM;
	}
	rows->last_incident_id = row->incident_id;
}

static int no_memory(struct err *reterr)
{
	return err_set(reterr, -ENOMEM, "answer: Out of memory");
}

/* What an id in a URL stands for: all of it, or a unique ending. Returns 0; -EINVAL; -ENOENT;
 * -ENOTUNIQ naming the candidates. */
static int resolve(struct recorder *rec, const char *text, bool incidents, uint64_t *ret,
		   struct err *reterr)
{
	const char *what = incidents ? "incident" : "record";
	char padded[RECORD_ID_MAX] = "", list[160] = "", id[RECORD_ID_MAX] = "";
	size_t length = strlen(text), full = strlen(record_id_format(0, id));
	uint64_t ids[CANDIDATES_MAX] = { 0 }, ending = 0, mask;
	const struct store_ops *ops;
	void *state;
	int n;

	if (length < STORE_ENDING_MIN || length > full)
		return err_set(reterr, -EINVAL,
			       "find %s: give the last %d to %zu characters of its id", what,
			       STORE_ENDING_MIN, full);
	/* Made whole by a front that is masked away; an id of zeros would be none. */
	memset(padded, '0', full - length);
	if (length < full)
		padded[0] = '1';
	str_append(padded, sizeof(padded), "%s", text);
	if (record_id_parse(padded, &ending) < 0)
		return err_set(reterr, -EINVAL, "find %s '%s': not an id", what, text);
	n = history_query(rec->history, &ops, &state, reterr);
	if (n < 0)
		return n;
	mask = (UINT64_C(1) << (5 * length)) - 1;
	n = ops->find(state, ending & mask, mask, incidents, ids, CANDIDATES_MAX, reterr);
	if (n <= 0)
		return n < 0 ? history_queried(rec->history, n, reterr) :
			       err_set(reterr, -ENOENT, "find %s '%s': there is none", what, text);
	if (n == 1) {
		*ret = ids[0];
		return 0;
	}
	for (int i = 0; i < n; i++)
		str_append(list, sizeof(list), " %s", record_id_format(ids[i], id));
	return err_set(reterr, -ENOTUNIQ, "find %s '%s': that is the ending of several:%s", what,
		       text, list);
}

static int get_incidents(void *userdata, const struct http_request *rq, struct http_answer *ret,
			 struct err *reterr)
{
	struct recorder *rec = userdata;
	_cleanup_json_ struct json_object *o = json_object_new_object();
	struct rows rows = { .array = json_object_new_array() };
	struct query_incidents asked = { .rows_max = INCIDENTS_DEFAULT };
	struct store_query q = { 0 };
	char entity[ENTITY_TEXT_MAX] = "";
	const struct store_ops *ops;
	void *state;
	int r;

	if (!o || !rows.array || json_add(o, "incidents", rows.array) < 0)
		return no_memory(reterr);
	r = query_incidents_parse(rq, STORE_ROWS_MAX, &asked, reterr);
	q = (struct store_query){ .since_us = asked.since_us,
				  .until_us = asked.until_us,
				  .rows_max = (uint32_t)asked.rows_max,
				  .state = asked.state,
				  .entity = asked.has_entity ?
						    entity_format(&asked.entity, entity) :
						    NULL };
	if (r >= 0)
		r = history_query(rec->history, &ops, &state, reterr);
	if (r < 0)
		return r;
	r = ops->incidents(state, &q, on_row, &rows, reterr);
	if (history_queried(rec->history, r, reterr) < 0)
		return r;
	if (rows.r < 0 || json_add_bool(o, "more", (uint32_t)r == q.rows_max) < 0 ||
	    ((uint32_t)r == q.rows_max &&
	     json_add_u64(o, "next_until_usec", rows.last_incident_id) < 0))
		return no_memory(reterr);
	ret->json = TAKE_PTR(o);
	return 0;
}

/* Where the records of an incident go on: behind the record "after". Returns 0; -EINVAL. */
static int query_after(const struct http_request *rq, uint64_t *ret, struct err *reterr)
{
	static const char *const known[] = { "after", NULL };
	const char *text = http_query(rq, "after");
	int r = query_check(rq, known, reterr);

	if (r < 0)
		return r;
	if (text && record_id_parse(text, ret) < 0)
		return err_set(reterr, -EINVAL, "parameter 'after': not the id of a record");
	return 0;
}

/* Adds the newest INCIDENT record of this incident, null if there is none. Returns rows; -errno. */
static int add_newest(struct json_object *o, const struct store_ops *ops, void *state, uint64_t id,
		      struct err *reterr)
{
	_cleanup_json_ struct json_object *array = json_object_new_array();
	struct store_query q = { .state = -1, .until_us = id + 1, .rows_max = 1 };
	struct rows rows = { .array = array };
	struct json_object *newest = NULL;
	int r;

	if (!array)
		return no_memory(reterr);
	r = ops->incidents(state, &q, on_row, &rows, reterr);
	if (r < 0)
		return r;
	if (rows.last_incident_id == id)
		newest = json_object_get(json_object_array_get_idx(array, 0));
	return json_add(o, "incident", newest) < 0 ? no_memory(reterr) : r;
}

static int get_incident(void *userdata, const struct http_request *rq, struct http_answer *ret,
			struct err *reterr)
{
	struct recorder *rec = userdata;
	_cleanup_json_ struct json_object *o = json_object_new_object();
	struct rows rows = { .array = json_object_new_array() };
	const struct store_ops *ops;
	uint64_t id = 0, after = 0;
	void *state;
	int r;

	if (!o || !rows.array || json_add(o, "incident", NULL) < 0 ||
	    json_add(o, "records", rows.array) < 0)
		return no_memory(reterr);
	r = query_after(rq, &after, reterr);
	if (r >= 0)
		r = resolve(rec, rq->tail, true, &id, reterr);
	if (r >= 0)
		r = history_query(rec->history, &ops, &state, reterr);
	if (r < 0)
		return r;
	r = add_newest(o, ops, state, id, reterr);
	if (r >= 0)
		r = ops->incident(state, id, after, STORE_ROWS_MAX, on_row, &rows, reterr);
	if (history_queried(rec->history, r, reterr) < 0)
		return r;
	if (rows.r < 0 || json_add_bool(o, "more", r == STORE_ROWS_MAX) < 0)
		return no_memory(reterr);
	ret->json = TAKE_PTR(o);
	return 0;
}

static int get_record(void *userdata, const struct http_request *rq, struct http_answer *ret,
		      struct err *reterr)
{
	struct recorder *rec = userdata;
	_cleanup_json_ struct json_object *o = json_object_new_object();
	struct rows rows = { .array = json_object_new_array() };
	const struct store_ops *ops;
	uint64_t id = 0;
	void *state;
	int r;

	if (!o || !rows.array || json_add(o, "record", NULL) < 0 ||
	    json_add(o, "chain", rows.array) < 0)
		return no_memory(reterr);
	r = resolve(rec, rq->tail, false, &id, reterr);
	if (r >= 0)
		r = history_query(rec->history, &ops, &state, reterr);
	if (r < 0)
		return r;
	r = ops->chain(state, id, on_row, &rows, reterr);
	if (history_queried(rec->history, r, reterr) < 0)
		return r;
	if (json_object_array_length(rows.array) > 0) {
		if (json_add(o, "record",
			     json_object_get(json_object_array_get_idx(rows.array, 0))) < 0)
			return no_memory(reterr);
		(void)json_object_array_del_idx(rows.array, 0, 1);
	}
	if (rows.r < 0)
		return no_memory(reterr);
	ret->json = TAKE_PTR(o);
	return 0;
}

static void on_rollup(void *userdata, const struct rollup *p)
{
	struct rows *rows = userdata;
	struct json_object *o = json_object_new_object();
	char entity[ENTITY_TEXT_MAX] = "";

	if (!o || json_add_string(o, "signal", p->signal) < 0 ||
	    json_add_string(o, "entity", entity_format(&p->entity, entity)) < 0 ||
	    json_add_time(o, "time", p->wall_us) < 0 || json_add_u64(o, "n", p->n) < 0 ||
	    json_add_double(o, "min", p->min) < 0 || json_add_double(o, "max", p->max) < 0 ||
	    json_add_double(o, "mean", p->n > 0 ? p->sum / p->n : 0) < 0 ||
	    json_add_double(o, "last", p->last) < 0 || json_object_array_add(rows->array, o) < 0) {
		(void)json_object_put(o);
		rows->r = -ENOMEM;
	}
	rows->last_incident_id = p->wall_us;
}

/* Returns 1 with *ret_about; 0: about all; -EINVAL. */
static int parse_metrics_query(const struct http_request *rq, struct store_query *q,
			       struct entity *ret_about, struct err *reterr)
{
	static const char *const known[] = {
		"signal", "since_usec", "limit", "unit", "entity", NULL
	};
	const struct query_range since = { "since_usec", 0, INT64_MAX };
	const struct query_range limit = { "limit", 1, STORE_ROWS_MAX };
	uint64_t rows_max = q->rows_max;
	int r = query_check(rq, known, reterr);

	if (r >= 0)
		r = query_u64(rq, &since, &q->since_us, reterr);
	if (r >= 0)
		r = query_u64(rq, &limit, &rows_max, reterr);
	q->rows_max = (uint32_t)rows_max;
	return r < 0 ? r : query_entity(rq, ret_about, reterr);
}

static int get_metrics(void *userdata, const struct http_request *rq, struct http_answer *ret,
		       struct err *reterr)
{
	struct recorder *rec = userdata;
	_cleanup_json_ struct json_object *o = json_object_new_object();
	struct rows rows = { .array = json_object_new_array() };
	struct store_query q = { .rows_max = STORE_ROWS_MAX, .signal = http_query(rq, "signal") };
	char entity[ENTITY_TEXT_MAX] = "";
	struct entity about;
	const struct store_ops *ops;
	void *state;
	int r;

	if (!o || !rows.array || json_add_u64(o, "span_s", 10) < 0 ||
	    json_add(o, "rollups", rows.array) < 0)
		return no_memory(reterr);
	r = parse_metrics_query(rq, &q, &about, reterr);
	if (r > 0)
		q.entity = entity_format(&about, entity);
	if (r >= 0)
		r = history_query(rec->history, &ops, &state, reterr);
	if (r < 0)
		return r;
	r = ops->rollups(state, &q, on_rollup, &rows, reterr);
	if (history_queried(rec->history, r, reterr) < 0)
		return r;
	if (rows.r < 0 || json_add_bool(o, "more", (uint32_t)r == q.rows_max) < 0)
		return no_memory(reterr);
	ret->json = TAKE_PTR(o);
	return 0;
}

/* How coarse an answer may be: the finest span that the store still has of that time and that is not
 * more than the screen can show, and a multiple of it as a step. */
static void choose_step(const struct query_metrics *asked, struct store_query *q)
{
	static const uint64_t spans_s[] = { 10, 60, 3600 };
	static const uint64_t reach_s[] = { 2 * 3600, 2 * 86400, UINT64_MAX / US_PER_S };
	uint64_t now_us = clock_wall_us(), until_us = q->until_us ? q->until_us : now_us;
	uint64_t window_s = until_us > q->since_us ? (until_us - q->since_us) / US_PER_S : 0;
	uint64_t span_s, step_s = asked->step_s ? asked->step_s : window_s / METRICS_STEPS;

	for (q->span = 0; q->span + 1 < _STORE_SPAN_MAX; q->span++)
		if (window_s <= reach_s[q->span] &&
		    (asked->step_s == 0 || asked->step_s < spans_s[q->span + 1]))
			break;
	span_s = spans_s[q->span];
	step_s = step_s > span_s ? (step_s + span_s - 1) / span_s * span_s : span_s;
	q->step_us = step_s * US_PER_S;
}

static void on_step(void *userdata, const struct rollup *p)
{
	const struct metrics_point point = { .wall_us = p->wall_us,
					     .mean = p->n > 0 ? p->sum / p->n : 0,
					     .min = p->min,
					     .max = p->max };

	metrics_add(userdata, p->signal, &p->entity, &point);
}

static int get_metrics_query(void *userdata, const struct http_request *rq, struct http_answer *ret,
			     struct err *reterr)
{
	struct recorder *rec = userdata;
	struct query_metrics asked = { .rows_max = STORE_STEPS_MAX };
	char entity[ENTITY_TEXT_MAX] = "";
	struct metrics_answer answer;
	const struct store_ops *ops;
	struct store_query q;
	void *state;
	int r = query_metrics_parse(rq, &asked, reterr);

	q = (struct store_query){ .since_us = asked.since_us ? asked.since_us :
							       clock_wall_us() - METRICS_SINCE_US,
				  .until_us = asked.until_us,
				  .signal = asked.signal,
				  .rows_max = (uint32_t)asked.rows_max };
	if (asked.has_entity)
		q.entity = entity_format(&asked.entity, entity);
	choose_step(&asked, &q);
	if (r >= 0)
		r = history_query(rec->history, &ops, &state, reterr);
	if (r < 0)
		return r;
	metrics_begin(&answer, q.step_us / US_PER_S);
	r = ops->steps(state, &q, on_step, &answer, reterr);
	if (metrics_end(&answer, (uint32_t)r == q.rows_max, &ret->json) < 0)
		return no_memory(reterr);
	return history_queried(rec->history, r, reterr) < 0 ? r : 0;
}

static int get_audit_head(void *userdata, const struct http_request *rq, struct http_answer *ret,
			  struct err *reterr)
{
	struct recorder *rec = userdata;
	_cleanup_json_ struct json_object *o = json_object_new_object();
	char name[AUDIT_SEGMENT_NAME] = "";

	(void)rq;
	if (recorder_audit_open(rec, reterr) < 0)
		return err_wrap(reterr, -EBUSY, "read audit head");
	if (!o || json_add_u64(o, "n", audit_head(rec->audit)->n) < 0 ||
	    json_add_string(o, "hash", audit_head(rec->audit)->hash) < 0 ||
	    json_add_string(o, "segment", audit_segment_name(audit_segment(rec->audit), name)) <
		    0 ||
	    json_add_u64(o, "waiting", rec->n_audit) < 0)
		return no_memory(reterr);
	ret->json = TAKE_PTR(o);
	return 0;
}

static int add_history_health(struct json_object *o, const struct history_stats *s)
{
	if (json_add_u64(o, "records_written", s->records) < 0 ||
	    json_add_u64(o, "records_waiting", s->records_waiting) < 0 ||
	    json_add_u64(o, "records_lost", s->records_lost) < 0 ||
	    json_add_u64(o, "rollups_written", s->rollups) < 0 ||
	    json_add_u64(o, "rollups_waiting", s->rollups_waiting) < 0 ||
	    json_add_u64(o, "rollups_lost", s->rollups_lost) < 0 ||
	    json_add_u64(o, "histories_put_aside", s->resets) < 0 ||
	    json_add_string(o, "history_error", s->error) < 0)
		return -ENOMEM;
	return 0;
}

/* Rows that went to the spool and that it had no room for; 0 where there is none. */
static int add_spool_health(struct json_object *o, const struct spool *spool)
{
	static const struct spool_stats none;
	const struct spool_stats *s = spool ? spool_stats(spool) : &none;
	uint64_t rows = 0, lost = 0;

	for (enum spool_lane l = 0; l < _SPOOL_LANE_MAX; l++) {
		rows += s->rows[l];
		lost += s->dropped[l];
	}
	if (json_add_bool(o, "spool_open", spool != NULL) < 0 ||
	    json_add_u64(o, "spool_bytes", s->bytes) < 0 ||
	    json_add_u64(o, "spool_rows", rows) < 0 || json_add_u64(o, "spool_lost", lost) < 0)
		return -ENOMEM;
	return 0;
}

static int get_health(void *userdata, const struct http_request *rq, struct http_answer *ret,
		      struct err *reterr)
{
	struct recorder *rec = userdata;
	_cleanup_json_ struct json_object *o = json_object_new_object();
	const struct history_stats *s = history_stats(rec->history);
	const struct health_part parts[] = {
		{ "history", s->error[0] ? s->error : NULL },
		{ "audit", rec->audit_error[0] ? rec->audit_error : NULL },
		{ "spool", rec->spool_error[0] ? rec->spool_error : NULL },
	};

	if (!o || health_add(o, parts, ELEMENTSOF(parts)) < 0 || add_history_health(o, s) < 0 ||
	    json_add_u64(o, "audit_waiting", rec->n_audit) < 0 ||
	    json_add_string(o, "audit_error", rec->audit_error) < 0 ||
	    add_spool_health(o, rec->spool) < 0 ||
	    json_add_u64(o, "log_dropped", log_dropped()) < 0)
		return no_memory(reterr);
	ret->json = TAKE_PTR(o);
	return health_answer(rq, ret) < 0 ? no_memory(reterr) : 0;
}

/* Ready: what comes now would be written. */
static int get_ready(void *userdata, const struct http_request *rq, struct http_answer *ret,
		     struct err *reterr)
{
	int r = get_health(userdata, rq, ret, reterr);
	struct recorder *rec = userdata;

	ret->status = history_stats(rec->history)->error[0] || rec->audit_error[0] ? 503 : 200;
	return r;
}

int recorder_find_incident(struct recorder *r, const char *text, uint64_t *ret, struct err *reterr)
{
	return resolve(r, text, true, ret, reterr);
}

static int get_openapi(void *userdata, const struct http_request *rq, struct http_answer *ret,
		       struct err *reterr)
{
	(void)userdata;
	(void)rq;
	return openapi_new(recorder_endpoints, "aiops-recorder", &ret->json) < 0 ?
		       no_memory(reterr) :
		       0;
}

#define HEALTH                                                                                              \
	"status, parts[], records_written#, records_waiting#, records_lost#, "                              \
	"rollups_written#, rollups_waiting#, rollups_lost#, histories_put_aside#, "                         \
	"history_error, audit_waiting#, audit_error, spool_open!, spool_bytes#, spool_rows#, spool_lost#, " \
	"log_dropped#"

const struct http_endpoint recorder_endpoints[] = {
	{ "GET",
	  "/openapi.json",
	  ROLE_READ,
	  get_openapi,
	  { "this document", .answer = "200 openapi, info{}, paths{}, components{}" } },
	{ "GET",
	  "/v1/incidents",
	  ROLE_READ,
	  get_incidents,
	  { "the newest record of each incident",
	    .query = "since_usec, until_usec, limit, unit, entity, state",
	    .answer = "200 incidents[], more!, next_until_usec#?" } },
	{ "GET",
	  "/v1/incidents/*",
	  ROLE_READ,
	  get_incident,
	  { "all records of one incident", .query = "after",
	    .answer = "200 incident{}?, records[], more!" } },
	{ "GET",
	  "/v1/records/*",
	  ROLE_READ,
	  get_record,
	  { "one record and its parents", .answer = "200 record{}, chain[]" } },
	{ "GET",
	  "/v1/metrics",
	  ROLE_READ,
	  get_metrics,
	  { "measurements of each ten seconds", .query = "signal, since_usec, limit, unit, entity",
	    .answer = "200 span_s#, rollups[], more!" } },
	{ "GET",
	  "/v1/metrics/query",
	  ROLE_READ,
	  get_metrics_query,
	  { "measurements of any time, put together by steps",
	    .query = "signal, unit, entity, since_usec, until_usec, step_s, limit",
	    .answer = "200 step_s#, series[], more!" } },
	{ "GET",
	  "/v1/knowledge/search",
	  ROLE_READ,
	  recorder_get_knowledge,
	  { "runbooks, manual pages and documents that fit best",
	    .query = "q, incident, kind, limit", .answer = "200 query, documents#, hits[]" } },
	{ "GET",
	  "/v1/audit/head",
	  ROLE_READ,
	  get_audit_head,
	  { "the newest line of the audit trail", .answer = "200 n#, hash, segment, waiting#" } },
	{ "GET",
	  "/healthz",
	  ROLE_READ,
	  get_health,
	  { "whether everything is written", .answer = "200 " HEALTH } },
	{ "GET",
	  "/ready",
	  ROLE_READ,
	  get_ready,
	  { "the same, and 503 where nothing can be written", .answer = "200/503 " HEALTH } },
	{ .method = NULL },
};

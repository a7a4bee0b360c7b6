/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "agent/api.h"

#include <errno.h>
#include <string.h>

#include "ipc/agent_rows.h"
#include "ipc/health.h"
#include "ipc/openapi.h"
#include "sys/watch.h"

/* Our part of what control.sock serves: what is true now, from memory. All of it is read only; what
 * changes something is handed over to the executor before it comes here (ipc/handover.h). */

#define ID_CHARACTERS    11 /* of record_id_format() */
#define ID_ENDING_MIN    4
#define ID_BITS_PER_CHAR 5
#define CHAIN_MAX        64

static int no_memory(struct err *reterr)
{
	return err_set(reterr, -ENOMEM, "answer: %s", strerror(ENOMEM));
}

static const char *const no_parameters[] = { NULL };

static int answer_with(const struct http_request *rq, const struct agent *a,
		       int (*add)(const struct agent *, struct json_object *),
		       struct http_answer *ret, struct err *reterr)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();
	int r = query_check(rq, no_parameters, reterr);

	if (r < 0)
		return r;
	if (!o || add(a, o) < 0)
		return no_memory(reterr);
	ret->json = TAKE_PTR(o);
	return 0;
}

static int get_status(void *userdata, const struct http_request *rq, struct http_answer *ret,
		      struct err *reterr)
{
	return answer_with(rq, userdata, api_add_status, ret, reterr);
}

static int get_runbooks(void *userdata, const struct http_request *rq, struct http_answer *ret,
			struct err *reterr)
{
	return answer_with(rq, userdata, api_add_runbooks, ret, reterr);
}

static int get_alerts(void *userdata, const struct http_request *rq, struct http_answer *ret,
		      struct err *reterr)
{
	return answer_with(rq, userdata, api_add_alerts, ret, reterr);
}

static int get_signals(void *userdata, const struct http_request *rq, struct http_answer *ret,
		       struct err *reterr)
{
	return answer_with(rq, userdata, api_add_signals, ret, reterr);
}

/* What does not measure although it could: a probe that this kernel has not is no failure. */
static const struct agent_probe *find_failed_probe(const struct agent *a)
{
	for (size_t i = 0; i < a->n_probes; i++)
		if (!a->probes[i].state && a->probes[i].error[0])
			return &a->probes[i];
	return NULL;
}

/* The loop turns, or nobody would answer; without the others it sees less, or cannot act. */
static int get_health(void *userdata, const struct http_request *rq, struct http_answer *ret,
		      struct err *reterr)
{
	const struct agent *a = userdata;
	const struct agent_probe *failed = find_failed_probe(a);
	const char *away = "it is not connected";
	const struct health_part parts[] = {
		{ "loop", NULL },
		{ "bus", a->watch->bus ? NULL : "no connection to systemd" },
		{ "config", a->config_error[0] ? a->config_error : NULL },
		{ "probes", failed ? failed->error : NULL },
		{ "executor", peer_is_up(a->executor) ? NULL : away },
		{ "recorder", peer_is_up(a->recorder) ? NULL : away },
		{ "gateway", peer_is_up(a->gateway) ? NULL : away },
	};
	_cleanup_json_ struct json_object *o = json_object_new_object();

	if (!o || health_add(o, parts, ELEMENTSOF(parts)) < 0)
		return no_memory(reterr);
	ret->json = TAKE_PTR(o);
	return health_answer(rq, ret) < 0 ? no_memory(reterr) : 0;
}

/* Ready to repair: whoever carries it out is there. */
static int get_ready(void *userdata, const struct http_request *rq, struct http_answer *ret,
		     struct err *reterr)
{
	const struct agent *a = userdata;
	_cleanup_json_ struct json_object *o = json_object_new_object();
	bool ready = peer_is_up(a->executor);

	(void)rq;
	if (!o || json_add_bool(o, "ready", ready) < 0 ||
	    json_add_string(o, "reason", ready ? "" : "the executor is not connected") < 0)
		return no_memory(reterr);
	ret->status = ready ? 200 : 503;
	ret->json = TAKE_PTR(o);
	return 0;
}

static int append_record(struct json_object *array, const struct record *record)
{
	struct json_object *one = NULL;

	if (record_to_json(record, &one) < 0)
		return -ENOMEM;
	return api_append(array, &one);
}

/* The record that an id in a URL stands for: all of it, or its last characters. An incident's id is
 * that of its first record. */
static int resolve(const struct agent *a, const struct http_request *rq, const struct record **ret,
		   struct err *reterr)
{
	const char *text = rq->tail;
	char padded[RECORD_ID_MAX] = "";
	size_t length = strlen(text);
	uint64_t ending = 0;
	int r = query_check(rq, no_parameters, reterr);

	if (r < 0)
		return r;
	if (length < ID_ENDING_MIN || length > ID_CHARACTERS)
		return err_set(reterr, -EINVAL,
			       "find record: give the last %d to %d characters of its id",
			       ID_ENDING_MIN, ID_CHARACTERS);
	memset(padded, '0', ID_CHARACTERS - length);
	str_append(padded, sizeof(padded), "%s", text);
	if (record_id_parse(padded, &ending) < 0)
		return err_set(reterr, -EINVAL, "find record '%s': not an id", text);
	r = ring_find(&a->ring, ending, (UINT64_C(1) << (ID_BITS_PER_CHAR * length)) - 1, ret);
	if (r == -ENOTUNIQ)
		return err_set(reterr, r, "find record '%s': that is the ending of several", text);
	if (r < 0)
		return err_set(reterr, r, "find record '%s': the agent remembers none", text);
	return 0;
}

static int get_incident(void *userdata, const struct http_request *rq, struct http_answer *ret,
			struct err *reterr)
{
	const struct agent *a = userdata;
	_cleanup_json_ struct json_object *o = json_object_new_object();
	struct json_object *array = json_object_new_array(), *head = NULL;
	const struct record *first, *last, *record;
	int r;

	if (!o || !array || json_add(o, "incident", NULL) < 0 || json_add(o, "records", array) < 0)
		return no_memory(reterr);
	r = resolve(a, rq, &first, reterr);
	if (r < 0)
		return r;
	if (first->incident_id == 0)
		return err_set(reterr, -ENOENT, "find incident '%s': the record is of none",
			       rq->tail);
	last = ring_find_last(&a->ring, first->incident_id, RECORD_KIND_INCIDENT);
	if (last && (record_to_json(last, &head) < 0 || json_add(o, "incident", head) < 0))
		return no_memory(reterr);
	for (uint64_t i = RING_RECORDS_MAX; i > 0; i--) {
		record = ring_recent(&a->ring, i - 1);
		if (record && record->incident_id == first->incident_id &&
		    append_record(array, record) < 0)
			return no_memory(reterr);
	}
	if (json_add_bool(o, "more", false) < 0)
		return no_memory(reterr);
	ret->json = TAKE_PTR(o);
	return 0;
}

static int get_record(void *userdata, const struct http_request *rq, struct http_answer *ret,
		      struct err *reterr)
{
	const struct agent *a = userdata;
	_cleanup_json_ struct json_object *o = json_object_new_object();
	struct json_object *array = json_object_new_array(), *head = NULL;
	const struct record *record;
	int r;

	if (!o || !array || json_add(o, "chain", array) < 0)
		return no_memory(reterr);
	r = resolve(a, rq, &record, reterr);
	if (r < 0)
		return r;
	if (record_to_json(record, &head) < 0 || json_add(o, "record", head) < 0)
		return no_memory(reterr);
	for (unsigned i = 0; i < CHAIN_MAX && record->parent_id; i++) {
		if (ring_find(&a->ring, record->parent_id, UINT64_MAX, &record) < 0)
			break; /* older than what we remember */
		if (append_record(array, record) < 0)
			return no_memory(reterr);
	}
	ret->json = TAKE_PTR(o);
	return 0;
}

static int get_openapi(void *userdata, const struct http_request *rq, struct http_answer *ret,
		       struct err *reterr)
{
	(void)userdata;
	(void)rq;
	return openapi_new(agent_rows, "aiops-agent", &ret->json) < 0 ? no_memory(reterr) : 0;
}

static http_handler *const handlers[_AGENT_ROW_MAX] = {
	[AGENT_ROW_OPENAPI] = get_openapi,
	[AGENT_ROW_STATUS] = get_status,
	[AGENT_ROW_INCIDENTS] = api_get_incidents,
	[AGENT_ROW_INCIDENT] = get_incident,
	[AGENT_ROW_RECORD] = get_record,
	[AGENT_ROW_RUNBOOKS] = get_runbooks,
	[AGENT_ROW_ALERTS] = get_alerts,
	[AGENT_ROW_SIGNALS] = get_signals,
	[AGENT_ROW_METRICS_QUERY] = api_get_metrics_query,
	[AGENT_ROW_HEALTH] = get_health,
	[AGENT_ROW_METRICS] = api_get_scrape,
	[AGENT_ROW_READY] = get_ready,
};

const struct http_endpoint *agent_endpoints(void)
{
	static struct http_endpoint table[_AGENT_ROW_MAX + 1];

	for (size_t i = 0; i < _AGENT_ROW_MAX; i++) {
		table[i] = agent_rows[i];
		table[i].handle = handlers[i];
	}
	return table;
}

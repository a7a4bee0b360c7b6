/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "agent/api.h"
#include "ipc/query.h"

#define INCIDENTS_MAX       (ENGINE_INCIDENTS_MAX + 64)
#define INCIDENTS_LIMIT_MAX 500 /* as the history's, so that one request fits both */

/* As the history would choose them, from what the agent still knows. */
bool api_incident_is_wanted(const struct record *r, const struct query_incidents *q)
{
	return r->wall_us >= q->since_us &&
	       (q->until_us == 0 || r->incident.opened_us < q->until_us) &&
	       (!q->has_entity || entity_equal(&r->entity, &q->entity)) &&
	       (q->state < 0 || (int)r->incident.state == q->state);
}

static int add_incidents(const struct agent *a, const struct query_incidents *q,
			 struct json_object *o)
{
	_cleanup_free_ struct record *records = calloc(INCIDENTS_MAX, sizeof(*records));
	struct json_object *array = json_object_new_array();
	size_t n, added = 0;
	bool more = false;

	if (!array || json_add(o, "incidents", array) < 0 || !records)
		return -ENOMEM;
	n = engine_list_incidents(a->engine, records, INCIDENTS_MAX);
	for (size_t i = 0; i < n && !more; i++) {
		struct json_object *one = NULL;

		if (!api_incident_is_wanted(&records[i], q))
			continue;
		more = added == q->rows_max;
		if (more)
			break;
		if (record_to_json(&records[i], &one) < 0 || api_append(array, &one) < 0)
			return -ENOMEM;
		added++;
	}
	return json_add_bool(o, "more", more);
}

int api_get_incidents(void *userdata, const struct http_request *rq, struct http_answer *ret,
		      struct err *reterr)
{
	struct query_incidents q = { .rows_max = INCIDENTS_MAX };
	_cleanup_json_ struct json_object *o = json_object_new_object();
	int r = query_incidents_parse(rq, INCIDENTS_LIMIT_MAX, &q, reterr);

	if (r < 0)
		return r;
	if (!o || add_incidents(userdata, &q, o) < 0)
		return err_set(reterr, -ENOMEM, "answer: %s", strerror(ENOMEM));
	ret->json = TAKE_PTR(o);
	return 0;
}

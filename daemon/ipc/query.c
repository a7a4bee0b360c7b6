/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ipc/query.h"

#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <string.h>

#include "base/str.h"
#include "model/record.h"

#define NAME_SHOWN_MAX 64

struct names {
	const char *const *known;
	char unknown[NAME_SHOWN_MAX];
};

static enum MHD_Result on_name(void *cls, enum MHD_ValueKind kind, const char *key,
			       const char *value)
{
	struct names *names = cls;

	(void)kind;
	(void)value;
	for (size_t i = 0; names->known[i]; i++)
		if (str_equal(names->known[i], key))
			return MHD_YES;
	(void)str_escape(names->unknown, sizeof(names->unknown), key[0] ? key : "?");
	return MHD_NO;
}

int query_check(const struct http_request *rq, const char *const known[], struct err *reterr)
{
	struct names names = { .known = known };
	char list[160] = "";

	(void)MHD_get_connection_values(rq->connection, MHD_GET_ARGUMENT_KIND, on_name, &names);
	if (!names.unknown[0])
		return 0;
	for (size_t i = 0; known[i]; i++)
		str_append(list, sizeof(list), "%s%s", i ? ", " : "", known[i]);
	return err_set(reterr, -EINVAL, "parameter '%s': this path knows %s", names.unknown,
		       list[0] ? list : "none");
}

int query_u64(const struct http_request *rq, const struct query_range *range, uint64_t *ret,
	      struct err *reterr)
{
	const char *text = http_query(rq, range->name);
	uint64_t v = 0;

	if (!text)
		return 0;
	if (str_parse_u64(text, &v) < 0 || v < range->min || v > range->max)
		return err_set(reterr, -EINVAL,
			       "parameter '%s': must be a number from %" PRIu64 " to %" PRIu64,
			       range->name, range->min, range->max);
	*ret = v;
	return 0;
}

int query_entity(const struct http_request *rq, struct entity *ret, struct err *reterr)
{
	const char *unit = http_query(rq, "unit"), *text = http_query(rq, "entity");
	int r;

	if (unit && !str_is_unit_name(unit))
		return err_set(reterr, -EINVAL, "parameter 'unit': not a unit name");
	if (unit) {
		*ret = entity_make(ENTITY_KIND_UNIT, unit);
		return 1;
	}
	if (!text)
		return 0;
	r = entity_parse(text, ret, reterr);
	return r < 0 ? err_wrap(reterr, r, "parameter 'entity'") : 1;
}

int query_incidents_parse(const struct http_request *rq, uint64_t limit_max,
			  struct query_incidents *ret, struct err *reterr)
{
	static const char *const known[] = { "since_usec", "until_usec", "limit", "unit",
					     "entity",     "state",      NULL };
	const struct query_range ranges[] = { { "since_usec", 0, INT64_MAX },
					      { "until_usec", 0, INT64_MAX },
					      { "limit", 1, limit_max } };
	const char *state = http_query(rq, "state");
	int r = query_check(rq, known, reterr);

	if (r >= 0)
		r = query_u64(rq, &ranges[0], &ret->since_us, reterr);
	if (r >= 0)
		r = query_u64(rq, &ranges[1], &ret->until_us, reterr);
	if (r >= 0)
		r = query_u64(rq, &ranges[2], &ret->rows_max, reterr);
	if (r >= 0)
		r = query_entity(rq, &ret->entity, reterr);
	if (r < 0)
		return r;
	ret->has_entity = r > 0;
	ret->state = state ? incident_state_from_string(state) : -1;
	return state && ret->state < 0 ?
		       err_set(reterr, -EINVAL, "parameter 'state': no such state") :
		       0;
}

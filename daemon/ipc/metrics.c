/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ipc/metrics.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

#define STEP_MAX_S (7 * 24 * 3600)

/* Returns NULL or why it is no pattern of a signal's name. */
static const char *find_fault(const char *pattern)
{
	size_t length = strlen(pattern), stars = 0;

	if (length == 0 || length >= SIGNAL_NAME_MAX)
		return "is empty or too long";
	for (const char *c = pattern; *c; c++)
		stars += *c == '*';
	if (stars > METRICS_STARS_MAX)
		return "has too many '*'";
	return strspn(pattern, "abcdefghijklmnopqrstuvwxyz0123456789_.*") == length ?
		       NULL :
		       "has characters that are in no signal's name";
}

int query_metrics_parse(const struct http_request *rq, struct query_metrics *ret,
			struct err *reterr)
{
	static const char *const known[] = { "signal",     "entity", "unit",  "since_usec",
					     "until_usec", "step_s", "limit", NULL };
	const struct query_range since = { "since_usec", 0, INT64_MAX };
	const struct query_range until = { "until_usec", 0, INT64_MAX };
	const struct query_range step = { "step_s", 1, STEP_MAX_S };
	const struct query_range limit = { "limit", 1, ret->rows_max };
	const char *fault;
	int r = query_check(rq, known, reterr);

	if (r >= 0)
		r = query_u64(rq, &since, &ret->since_us, reterr);
	if (r >= 0)
		r = query_u64(rq, &until, &ret->until_us, reterr);
	if (r >= 0)
		r = query_u64(rq, &step, &ret->step_s, reterr);
	if (r >= 0)
		r = query_u64(rq, &limit, &ret->rows_max, reterr);
	if (r >= 0)
		r = query_entity(rq, &ret->entity, reterr);
	if (r < 0)
		return r;
	ret->has_entity = r > 0;
	ret->signal = http_query(rq, "signal");
	fault = ret->signal ? find_fault(ret->signal) : NULL;
	return fault ? err_set(reterr, -EINVAL, "parameter 'signal': it %s", fault) : 0;
}

bool metrics_match(const char *pattern, const char *name)
{
	for (; *pattern != '*'; pattern++, name++) {
		if (*pattern != *name)
			return false;
		if (*name == '\0')
			return true;
	}
	while (*pattern == '*')
		pattern++;
	/* As many levels as there are stars: METRICS_STARS_MAX. */
	for (; *name; name++)
		if (metrics_match(pattern, name))
			return true;
	return *pattern == '\0';
}

void metrics_begin(struct metrics_answer *a, uint64_t step_s)
{
	*a = (struct metrics_answer){ .root = json_object_new_object(),
				      .series = json_object_new_array() };
	if (!a->root || json_add_u64(a->root, "step_s", step_s) < 0 ||
	    json_add(a->root, "series", a->series) < 0)
		a->r = -ENOMEM;
}

/* Begins another series. Its array is the answer's from then on. */
static int begin_series(struct metrics_answer *a, const char *signal, const struct entity *entity)
{
	struct json_object *o = json_object_new_object();
	char text[ENTITY_TEXT_MAX] = "";

	a->points = json_object_new_array();
	(void)str_copy(a->signal, sizeof(a->signal), signal);
	a->entity = *entity;
	if (!o || json_add_string(o, "signal", signal) < 0 ||
	    json_add_string(o, "entity", entity_format(entity, text)) < 0 ||
	    json_add(o, "points", a->points) < 0 || json_object_array_add(a->series, o) < 0) {
		(void)json_object_put(o);
		return -ENOMEM;
	}
	return 0;
}

static int append(struct json_object *array, struct json_object *value)
{
	if (value && json_object_array_add(array, value) == 0)
		return 0;
	(void)json_object_put(value);
	return -ENOMEM;
}

void metrics_add(struct metrics_answer *a, const char *signal, const struct entity *entity,
		 const struct metrics_point *p)
{
	struct json_object *point;

	if (a->r == 0 &&
	    (!a->points || !str_equal(a->signal, signal) || !entity_equal(&a->entity, entity)))
		a->r = begin_series(a, signal, entity);
	if (a->r < 0)
		return;
	point = json_object_new_array_ext(4);
	if (append(a->points, point) < 0 ||
	    append(point, json_object_new_int64((int64_t)p->wall_us)) < 0 ||
	    append(point, json_object_new_double(p->mean)) < 0 ||
	    append(point, json_object_new_double(p->min)) < 0 ||
	    append(point, json_object_new_double(p->max)) < 0)
		a->r = -ENOMEM;
}

int metrics_end(struct metrics_answer *a, bool more, struct json_object **ret)
{
	_cleanup_json_ struct json_object *root = TAKE_PTR(a->root);

	if (a->r < 0 || json_add_bool(root, "more", more) < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(root);
	return 0;
}

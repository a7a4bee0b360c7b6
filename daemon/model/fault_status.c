/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/fault_status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const fault_state_names[] = {
	[FAULT_STATE_PLANNED] = "planned",     [FAULT_STATE_ARMED] = "armed",
	[FAULT_STATE_INJECTED] = "injected",   [FAULT_STATE_OBSERVED] = "observed",
	[FAULT_STATE_REVERTING] = "reverting", [FAULT_STATE_REVERTED] = "reverted",
	[FAULT_STATE_VERIFIED] = "verified",   [FAULT_STATE_REFUSED] = "refused",
	[FAULT_STATE_FAILED] = "failed",       [FAULT_STATE_STUCK] = "stuck",
};
LOOKUP_DEFINE(fault_state, enum fault_state, fault_state_names);

bool fault_state_is_final(enum fault_state s)
{
	return s == FAULT_STATE_VERIFIED || s == FAULT_STATE_REFUSED || s == FAULT_STATE_FAILED ||
	       s == FAULT_STATE_STUCK;
}

void fault_status_enter(struct fault_status *status, enum fault_state state, uint64_t wall_us)
{
	status->state = state;
	if (status->reached_us[state] == 0)
		status->reached_us[state] = wall_us;
}

bool fault_status_was_observed(const struct fault_status *status)
{
	return status->reached_us[FAULT_STATE_OBSERVED] > 0;
}

static int add_strings(struct json_object *o, const struct fault_status *s)
{
	int r = json_add_string(o, "key", s->key);

	r = r < 0 ? r : json_add_string(o, "fault", s->fault);
	r = r < 0 ? r : json_add_string(o, "unit", s->unit);
	r = r < 0 ? r : json_add_string(o, "params", s->params);
	r = r < 0 ? r : json_add_string(o, "requester", s->requester);
	r = r < 0 ? r : json_add_string(o, "state", fault_state_to_string(s->state));
	r = r < 0 ? r : json_add_string(o, "reverts", reverts_to_string(s->reverts));
	return r < 0 ? r : json_add_string(o, "text", s->text);
}

static int add_numbers(struct json_object *o, const struct fault_status *s)
{
	int r = json_add_i64(o, "error", s->error);

	r = r < 0 ? r : json_add_u64(o, "duration_ns", s->duration_ns);
	r = r < 0 ? r : json_add_u64(o, "deadline_boot_ns", s->deadline_ns);
	r = r < 0 ? r : json_add_bool(o, "observed", fault_status_was_observed(s));
	for (int i = 0; r == 0 && i < _FAULT_STATE_MAX; i++)
		if (s->reached_us[i] > 0)
			r = json_add_time(o, fault_state_names[i], s->reached_us[i]);
	return r;
}

int fault_status_to_json(const struct fault_status *status, struct json_object **ret)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();
	int r = o ? add_strings(o, status) : -ENOMEM;

	if (r == 0)
		r = add_numbers(o, status);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(o);
	return 0;
}

static int get_text(struct json_object *o, const char *key, char *ret, size_t size,
		    struct err *reterr)
{
	const char *s = NULL;
	int r = json_get_string(o, key, &s, reterr);

	if (r < 0)
		return r;
	if (!str_is_clean_utf8(s, strlen(s)))
		return err_set(reterr, -EINVAL, "field '%s': control characters", key);
	return str_copy(ret, size, s) < 0 ?
		       err_set(reterr, -EINVAL, "field '%s': over %zu bytes", key, size - 1) :
		       0;
}

/* Escaped, an error's text may be longer than it was: the front of it will do. */
static int get_explanation(struct json_object *o, struct fault_status *s, struct err *reterr)
{
	int r = get_text(o, "text", s->text, sizeof(s->text), reterr);

	return r == -EINVAL && s->text[0] ? 0 : r;
}

static int get_u64(struct json_object *o, const char *key, uint64_t *ret, struct err *reterr)
{
	int64_t v = 0;
	int r = json_get_i64(o, key, &v, reterr);

	if (r == 0 && v < 0)
		r = err_set(reterr, -EINVAL, "field '%s': below 0", key);
	if (r == 0)
		*ret = (uint64_t)v;
	return r;
}

static int get_enums(struct json_object *o, struct fault_status *s, struct err *reterr)
{
	const char *state = NULL, *reverts = NULL;
	int r = json_get_string(o, "state", &state, reterr);

	if (r == 0)
		r = json_get_string(o, "reverts", &reverts, reterr);
	if (r < 0)
		return r;
	r = fault_state_from_string(state);
	if (r < 0)
		return err_set(reterr, -EINVAL, "field 'state': no such state");
	s->state = (enum fault_state)r;
	r = reverts_from_string(reverts);
	if (r < 0)
		return err_set(reterr, -EINVAL, "field 'reverts': no such class");
	s->reverts = (enum reverts)r;
	return 0;
}

static int get_times(struct json_object *o, struct fault_status *s, struct err *reterr)
{
	for (int i = 0; i < _FAULT_STATE_MAX; i++) {
		char key[32] = "";
		int r;

		str_append(key, sizeof(key), "%s_usec", fault_state_names[i]);
		r = get_u64(o, key, &s->reached_us[i], reterr);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

static int get_all(struct json_object *o, struct fault_status *s, struct err *reterr)
{
	int64_t error = 0;
	int r = get_text(o, "key", s->key, sizeof(s->key), reterr);

	r = r < 0 ? r : get_text(o, "fault", s->fault, sizeof(s->fault), reterr);
	r = r < 0 ? r : get_text(o, "unit", s->unit, sizeof(s->unit), reterr);
	r = r < 0 ? r : get_text(o, "params", s->params, sizeof(s->params), reterr);
	r = r < 0 ? r : get_text(o, "requester", s->requester, sizeof(s->requester), reterr);
	r = r < 0 ? r : get_explanation(o, s, reterr);
	r = r < 0 ? r : get_enums(o, s, reterr);
	r = r < 0 ? r : json_get_i64(o, "error", &error, reterr);
	r = r < 0 ? r : get_u64(o, "duration_ns", &s->duration_ns, reterr);
	r = r < 0 ? r : get_u64(o, "deadline_boot_ns", &s->deadline_ns, reterr);
	r = r < 0 ? r : get_times(o, s, reterr);
	if (r == 0 && (error > 0 || error < -4095))
		return err_set(reterr, -EINVAL, "field 'error': no negative errno");
	s->error = (int32_t)error;
	return r;
}

int fault_status_from_text(const char *text, size_t length, struct fault_status *ret,
			   struct err *reterr)
{
	_cleanup_json_ struct json_object *o = NULL;
	struct fault_status status = { 0 };
	int r = json_parse(text, length, &o, reterr);

	if (r == 0 && !json_object_is_type(o, json_type_object))
		r = err_set(reterr, -EBADMSG, "expected an object");
	if (r == 0)
		r = get_all(o, &status, reterr);
	if (r < 0)
		return r;
	if (!str_is_hex128(status.key))
		return err_set(reterr, -EINVAL, "field 'key': expected 32 hexadecimal digits");
	*ret = status;
	return 0;
}

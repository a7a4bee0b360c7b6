/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/fault_record.h"

#include <errno.h>
#include <string.h>

static const char *const reverts_names[] = {
	[REVERTS_KERNEL] = "kernel",
	[REVERTS_TIMER] = "timer",
	[REVERTS_RECORD] = "record",
	[REVERTS_NOBODY] = "nobody",
};
LOOKUP_DEFINE(reverts, enum reverts, reverts_names);

static int check_names(const char *key, const char *found_key, const char *fault,
		       struct err *reterr)
{
	if (!str_is_hex128(found_key) || !str_equal(found_key, key))
		return err_set(reterr, -EBADMSG, "the key inside is another one");
	if (!str_is_terminated(fault, RULE_NAME_MAX) || !fault[0] ||
	    !str_is_clean_utf8(fault, strlen(fault)))
		return err_set(reterr, -EBADMSG, "the fault's name is malformed");
	return 0;
}

static int check_params(const struct params *params, struct err *reterr)
{
	if (params->n > PARAMS_MAX)
		return err_set(reterr, -EBADMSG, "%u parameters: at most %u", params->n,
			       (unsigned)PARAMS_MAX);
	for (uint32_t i = 0; i < params->n; i++) {
		const struct param *p = &params->v[i];

		if (!str_is_terminated(p->name, sizeof(p->name)) ||
		    !str_is_terminated(p->text, sizeof(p->text)) ||
		    (unsigned)p->type >= _PARAM_TYPE_MAX)
			return err_set(reterr, -EBADMSG, "parameter %u is malformed", i);
	}
	return 0;
}

int fault_record_check(const struct fault_record *record, const char *key, struct err *reterr)
{
	int r = check_names(key, record->key, record->fault, reterr);

	if (r == 0)
		r = check_params(&record->params, reterr);
	if (r < 0)
		return r;
	if (!str_is_terminated(record->requester, sizeof(record->requester)) ||
	    !str_is_clean_utf8(record->requester, strlen(record->requester)))
		return err_set(reterr, -EBADMSG, "the requester is malformed");
	if (record->duration_ns < FAULT_DURATION_MIN_NS ||
	    record->duration_ns > FAULT_DURATION_MAX_NS)
		return err_set(reterr, -EBADMSG, "the duration is not within 1 s to 600 s");
	return 0;
}

int fault_undo_check(const struct fault_undo *undo, const char *key, struct err *reterr)
{
	int r = check_names(key, undo->key, undo->fault, reterr);

	if (r == 0 && undo->state_size > sizeof(undo->state))
		r = err_set(reterr, -EBADMSG, "%u bytes of state: at most %u", undo->state_size,
			    (unsigned)FAULT_STATE_MAX);
	return r;
}

const char *fault_file_name(const char *key, const char *suffix,
			    char buf[static FAULT_FILE_NAME_MAX])
{
	buf[0] = '\0';
	str_append(buf, FAULT_FILE_NAME_MAX, "%s%s", key, suffix);
	return buf;
}

const char *fault_params_unit(const struct params *params)
{
	for (uint32_t i = 0; i < params->n; i++)
		if (params->v[i].type == PARAM_TYPE_UNIT)
			return params->v[i].text;
	return NULL;
}

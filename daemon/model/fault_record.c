/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/fault_record.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RECORD_MAGIC UINT32_C(0x31544641) /* "AFT1" */
#define UNDO_MAGIC   UINT32_C(0x31554641) /* "AFU1" */

static const char *const reverts_names[] = {
	[REVERTS_KERNEL] = "kernel",
	[REVERTS_TIMER] = "timer",
	[REVERTS_RECORD] = "record",
	[REVERTS_NOBODY] = "nobody",
};
LOOKUP_DEFINE(reverts, enum reverts, reverts_names);

/* Against torn and foreign files, not against root. Source: RFC 9923 (FNV), 32 bits. */
static uint32_t checksum_of(const void *data, size_t size)
{
	const unsigned char *p = data;
	uint32_t h = UINT32_C(2166136261);

	for (size_t i = 0; i < size; i++)
		h = (h ^ p[i]) * UINT32_C(16777619);
	return h;
}

static uint32_t body_checksum(const void *object, size_t size)
{
	return checksum_of((const char *)object + sizeof(struct fault_head),
			   size - sizeof(struct fault_head));
}

static void seal(struct fault_head *head, uint32_t magic, size_t size)
{
	*head = (struct fault_head){
		.magic = magic,
		.version = FAULT_LAYOUT_VERSION,
		.size_bytes = (uint32_t)size,
		.checksum = body_checksum(head, size),
	};
}

void fault_record_seal(struct fault_record *record)
{
	seal(&record->head, RECORD_MAGIC, sizeof(*record));
}

void fault_undo_seal(struct fault_undo *undo)
{
	seal(&undo->head, UNDO_MAGIC, sizeof(*undo));
}

static int check_head(const struct fault_head *head, uint32_t magic, size_t size,
		      struct err *reterr)
{
	if (head->magic != magic)
		return err_set(reterr, -EBADMSG, "this is no file of a fault");
	if (head->version != FAULT_LAYOUT_VERSION)
		return err_set(reterr, -EBADMSG, "layout version %u: this program knows %u",
			       head->version, FAULT_LAYOUT_VERSION);
	if (head->size_bytes != size)
		return err_set(reterr, -EBADMSG, "it says %u bytes and has %zu", head->size_bytes,
			       size);
	if (head->checksum != body_checksum(head, size))
		return err_set(reterr, -EBADMSG, "the checksum is wrong");
	return 0;
}

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

int fault_record_read(const void *data, size_t size, const char *key, struct fault_record *ret,
		      struct err *reterr)
{
	struct fault_record record = { 0 };
	int r;

	if (size != sizeof(record))
		return err_set(reterr, -EBADMSG, "%zu bytes: expected %zu", size, sizeof(record));
	memcpy(&record, data, sizeof(record));
	r = check_head(&record.head, RECORD_MAGIC, sizeof(record), reterr);
	if (r == 0)
		r = check_names(key, record.key, record.fault, reterr);
	if (r == 0)
		r = check_params(&record.params, reterr);
	if (r < 0)
		return r;
	if (!str_is_terminated(record.requester, sizeof(record.requester)) ||
	    !str_is_clean_utf8(record.requester, strlen(record.requester)))
		return err_set(reterr, -EBADMSG, "the requester is malformed");
	if (record.duration_ns < FAULT_DURATION_MIN_NS ||
	    record.duration_ns > FAULT_DURATION_MAX_NS)
		return err_set(reterr, -EBADMSG, "the duration is out of 1 s to 600 s");
	*ret = record;
	return 0;
}

int fault_undo_read(const void *data, size_t size, const char *key, struct fault_undo *ret,
		    struct err *reterr)
{
	struct fault_undo undo = { 0 };
	int r;

	if (size != sizeof(undo))
		return err_set(reterr, -EBADMSG, "%zu bytes: expected %zu", size, sizeof(undo));
	memcpy(&undo, data, sizeof(undo));
	r = check_head(&undo.head, UNDO_MAGIC, sizeof(undo), reterr);
	if (r == 0)
		r = check_names(key, undo.key, undo.fault, reterr);
	if (r < 0)
		return r;
	if (undo.state_size > sizeof(undo.state))
		return err_set(reterr, -EBADMSG, "%u bytes of state: at most %u", undo.state_size,
			       (unsigned)FAULT_STATE_MAX);
	*ret = undo;
	return 0;
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

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "recorder/recorder.h"

/* What goes to the fleet's database as well: rows for the spool, where there is one. The order of the
 * columns is that of aiops.take() in packaging/sql. */

#define NUMBER_MAX 32

struct numbers {
	char v[SPOOL_COLUMNS][NUMBER_MAX];
};

static const char *put_u64(char buf[static NUMBER_MAX], uint64_t v)
{
	buf[0] = '\0';
	str_append(buf, NUMBER_MAX, "%" PRIu64, v);
	return buf;
}

static const char *put_double(char buf[static NUMBER_MAX], double v)
{
	buf[0] = '\0';
	str_append(buf, NUMBER_MAX, "%.15g", v);
	return buf;
}

/* Whoever wants a fleet's database makes the directory: aiops-shipper does. */
static bool is_shipping(struct recorder *r)
{
	struct err err = { 0 };
	int q;

	if (r->spool)
		return true;
	q = spool_open(r->spool_dir, SPOOL_BYTES_MAX, &r->spool, &err);
	if (q >= 0)
		log_line(LOG_INFO, "what is written goes to '%s', too", r->spool_dir);
	else if (q != -ENOENT && !r->spool_failed)
		log_line(LOG_ERR, "%s; tried again", err_text(&err));
	r->spool_failed = q < 0 && q != -ENOENT;
	return q >= 0;
}

void recorder_ship_record(struct recorder *r, const struct record *record)
{
	_cleanup_json_ struct json_object *o = NULL;
	char entity[ENTITY_TEXT_MAX] = "";
	const struct incident *i = record->kind == RECORD_KIND_INCIDENT ? &record->incident : NULL;
	struct numbers n;

	if (!is_shipping(r) || record_to_json(record, &o) < 0)
		return;
	const char *const row[SPOOL_COLUMNS] = {
		"r",
		put_u64(n.v[0], record->id),
		record->parent_id ? put_u64(n.v[1], record->parent_id) : NULL,
		record->incident_id ? put_u64(n.v[2], record->incident_id) : NULL,
		record_kind_to_string(record->kind),
		i ? incident_state_to_string(i->state) : NULL,
		put_u64(n.v[3], record->wall_us),
		entity_format(&record->entity, entity),
		json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN),
		i ? severity_to_string(i->severity) : NULL,
	};
	spool_add(r->spool, SPOOL_RECORDS, row);
}

void recorder_ship_rollups(struct recorder *r, const struct rollups *rollups)
{
	char entity[ENTITY_TEXT_MAX] = "";
	struct numbers n;

	if (!is_shipping(r))
		return;
	for (uint32_t i = 0; i < rollups->n; i++) {
		const struct rollup *p = &rollups->v[i];
		const char *const row[SPOOL_COLUMNS] = {
			"p",
			put_u64(n.v[0], p->wall_us),
			p->signal,
			entity_format(&p->entity, entity),
			put_u64(n.v[1], p->n),
			put_double(n.v[2], p->min),
			put_double(n.v[3], p->max),
			put_double(n.v[4], p->sum),
			put_double(n.v[5], p->last),
			NULL,
		};

		spool_add(r->spool, SPOOL_TELEMETRY, row);
	}
}

int recorder_ship_audit(struct recorder *r, const struct audit_entry *e, struct err *reterr)
{
	struct numbers n;

	if (!is_shipping(r))
		return 0;
	const char *const row[SPOOL_COLUMNS] = {
		"a",
		e->boot_id,
		put_u64(n.v[0], e->seq),
		put_u64(n.v[1], e->wall_us),
		e->actor,
		e->what,
		e->attempt.action,
		attempt_phase_to_string(e->attempt.phase),
		e->attempt.key,
		e->attempt.text,
	};
	/* What waits is this entry, tried again. */
	if (!spool_is_waiting(r->spool, SPOOL_AUDIT))
		spool_add(r->spool, SPOOL_AUDIT, row);
	return spool_flush(r->spool, reterr);
}

/* What had no room is a row, too: in the database it is seen that something is missing. */
static void ship_losses(struct recorder *r)
{
	const struct spool_stats *s = spool_stats(r->spool);
	uint64_t telemetry = s->dropped[SPOOL_TELEMETRY], records = s->dropped[SPOOL_RECORDS];
	struct numbers n;

	if (telemetry == r->spool_told[0] && records == r->spool_told[1])
		return;
	const char *const row[SPOOL_COLUMNS] = {
		"d",
		put_u64(n.v[0], clock_wall_us()),
		put_u64(n.v[1], telemetry - r->spool_told[0]),
		put_u64(n.v[2], records - r->spool_told[1]),
	};
	r->spool_told[0] = telemetry;
	r->spool_told[1] = records;
	spool_add(r->spool, SPOOL_AUDIT, row);
}

void recorder_ship_flush(struct recorder *r)
{
	struct err err = { 0 };

	if (!r->spool)
		return;
	ship_losses(r);
	if (spool_flush(r->spool, &err) < 0) {
		if (!r->spool_error[0])
			log_line(LOG_ERR, "%s; tried again", err_text(&err));
		(void)str_copy(r->spool_error, sizeof(r->spool_error), err_text(&err));
		return;
	}
	if (r->spool_error[0])
		log_line(LOG_NOTICE, "write spool: goes on");
	r->spool_error[0] = '\0';
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "executor/attempts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define KEY_PART_MIN 4 /* characters */

struct entry *attempts_add(struct attempts *a, const char *key)
{
	struct entry *e;

	if (attempts_count_active(a) >= ATTEMPTS_ACTIVE_MAX || a->n >= ELEMENTSOF(a->v))
		return NULL;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	(void)str_copy(e->attempt.key, sizeof(e->attempt.key), key);
	e->due_ns = CLOCK_NEVER_NS;
	a->v[a->n++] = e;
	return e;
}

void attempts_remove(struct attempts *a, struct entry *e)
{
	for (size_t i = 0; i < a->n; i++) {
		if (a->v[i] != e)
			continue;
		memmove(&a->v[i], &a->v[i + 1], (a->n - i - 1) * sizeof(a->v[0]));
		a->n--;
		free(e);
		return;
	}
}

void attempts_done(struct attempts *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->v[i]);
	a->n = 0;
}

struct entry *attempts_find(const struct attempts *a, const char *key)
{
	for (size_t i = 0; i < a->n; i++) {
		if (str_equal(a->v[i]->attempt.key, key))
			return a->v[i];
		for (uint32_t j = 0; j < a->v[i]->n_aliases; j++)
			if (str_equal(a->v[i]->aliases[j].key, key))
				return a->v[i];
	}
	return NULL;
}

struct entry *attempts_find_part(const struct attempts *a, const char *part)
{
	struct entry *found = attempts_find(a, part);
	size_t length = strlen(part);

	if (found || length < KEY_PART_MIN || length >= STR_HEX128_MAX)
		return found;
	for (size_t i = 0; i < a->n; i++) {
		const char *key = a->v[i]->attempt.key;

		if (strlen(key) < length || !str_equal(key + strlen(key) - length, part))
			continue;
		if (found)
			return NULL;
		found = a->v[i];
	}
	return found;
}

bool entry_is_remote(const struct entry *e)
{
	return e->by_person && e->requester_uid == ATTEMPT_REQUESTER_REMOTE;
}

bool entry_is_running(const struct entry *e)
{
	switch (e->attempt.phase) {
	case ATTEMPT_PHASE_STARTING:
	case ATTEMPT_PHASE_CLAIMED:
	case ATTEMPT_PHASE_CHECKED:
	case ATTEMPT_PHASE_SNAPSHOT:
	case ATTEMPT_PHASE_APPLIED:
		return true;
	case ATTEMPT_PHASE_PROPOSED:
	case ATTEMPT_PHASE_WAITING:
	case ATTEMPT_PHASE_DONE:
	case ATTEMPT_PHASE_FAILED:
	case ATTEMPT_PHASE_REVERTED:
	case ATTEMPT_PHASE_DENIED:
	case ATTEMPT_PHASE_UNKNOWN:
	case _ATTEMPT_PHASE_MAX:
		break;
	}
	return false;
}

struct entry *attempts_find_writer(const struct attempts *a, const struct entry *e)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i] != e && entry_is_running(a->v[i]) && a->v[i]->op != STEP_OP_DRY_RUN &&
		    entity_equal(&a->v[i]->entity, &e->entity))
			return a->v[i];
	return NULL;
}

bool params_equal(const struct params *a, const struct params *b)
{
	if (a->n != b->n)
		return false;
	for (uint32_t i = 0; i < a->n && i < PARAMS_MAX; i++)
		if (!str_equal(a->v[i].name, b->v[i].name) || a->v[i].type != b->v[i].type ||
		    !str_equal(a->v[i].text, b->v[i].text))
			return false;
	return true;
}

struct entry *attempts_find_waiting(const struct attempts *a, const char *action,
				    const struct params *params)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i]->attempt.phase == ATTEMPT_PHASE_WAITING &&
		    str_equal(a->v[i]->attempt.action, action) &&
		    params_equal(&a->v[i]->attempt.params, params))
			return a->v[i];
	return NULL;
}

size_t attempts_count_waiting(const struct attempts *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n; i++)
		n += a->v[i]->attempt.phase == ATTEMPT_PHASE_WAITING;
	return n;
}

size_t attempts_count_waiting_remote(const struct attempts *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n; i++)
		n += a->v[i]->attempt.phase == ATTEMPT_PHASE_WAITING && entry_is_remote(a->v[i]);
	return n;
}

size_t attempts_count_active(const struct attempts *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n; i++)
		n += !attempt_phase_is_final(a->v[i]->attempt.phase);
	return n;
}

/* In force and to be undone by its key alone. */
static bool can_be_undone(const struct entry *e)
{
	return e->attempt.phase == ATTEMPT_PHASE_DONE && e->attempt.revertible &&
	       e->op == STEP_OP_APPLY;
}

/* The final one that ended first, of those that can be undone or of the others. */
static struct entry *find_oldest(const struct attempts *a, bool undoable, size_t *ret_n)
{
	struct entry *oldest = NULL;

	*ret_n = 0;
	for (size_t i = 0; i < a->n; i++) {
		struct entry *e = a->v[i];

		if (!attempt_phase_is_final(e->attempt.phase) || can_be_undone(e) != undoable)
			continue;
		++*ret_n;
		if (!oldest || e->final_ns < oldest->final_ns)
			oldest = e;
	}
	return oldest;
}

/* Each kind keeps at least half of the places, so what has just ended is never the one. */
struct entry *attempts_find_surplus(const struct attempts *a)
{
	size_t n_others, n_undoable;
	struct entry *other = find_oldest(a, false, &n_others);
	struct entry *undoable = find_oldest(a, true, &n_undoable);

	if (n_others + n_undoable <= ATTEMPTS_FINAL_MAX)
		return NULL;
	return n_undoable > ATTEMPTS_FINAL_MAX / 2 ? undoable : other;
}

static bool is_key_or_empty(const char *s, size_t size)
{
	return str_is_terminated(s, size) && (!s[0] || str_is_hex128(s));
}

/* Returns the first bad field, or NULL. */
static const char *find_bad_key(const struct entry *e)
{
	if (!str_is_hex128(e->attempt.key))
		return "key";
	if (!is_key_or_empty(e->target_key, sizeof(e->target_key)))
		return "target_key";
	if (!is_key_or_empty(e->revert_key, sizeof(e->revert_key)))
		return "revert_key";
	if (e->n_aliases > ATTEMPT_ALIASES_MAX)
		return "n_aliases";
	for (uint32_t i = 0; i < e->n_aliases; i++)
		if (!is_key_or_empty(e->aliases[i].key, sizeof(e->aliases[i].key)))
			return "aliases";
	return NULL;
}

static const char *find_bad_field(const struct entry *e)
{
	if ((unsigned)e->op >= _STEP_OP_MAX)
		return "op";
	if (!entity_is_valid(&e->entity))
		return "entity";
	if (e->asked > 1 || e->answered > 1 || e->by_person > 1 || e->revert_wanted > 1)
		return "asked";
	if (!str_is_terminated(e->approver, sizeof(e->approver)))
		return "approver";
	if (!str_is_terminated(e->reason, sizeof(e->reason)))
		return "reason";
	if (!str_is_terminated(e->hash, sizeof(e->hash)))
		return "hash";
	return find_bad_key(e);
}

int entry_check(const struct entry *e, struct err *reterr)
{
	struct record r = { .id = 1, .kind = RECORD_KIND_ATTEMPT, .attempt = e->attempt };
	const char *field;

	if (record_check(&r, reterr) < 0)
		return -EBADMSG;
	r = (struct record){ .id = 1, .kind = RECORD_KIND_DECISION, .decision = e->decision };
	if (record_check(&r, reterr) < 0)
		return -EBADMSG;
	field = find_bad_field(e);
	return field ? err_set(reterr, -EBADMSG, "check attempt: field '%s' is bad", field) : 0;
}

const struct action_info *action_info_find(const char *name)
{
	for (const struct action_info *a = action_table; a->name; a++)
		if (str_equal(a->name, name))
			return a;
	return NULL;
}

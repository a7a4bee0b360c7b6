/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "executor/idempotency.h"

#include <errno.h>
#include <string.h>

static bool key_is_valid(const char *key)
{
	size_t n = 0;

	for (; key[n]; n++)
		if (key[n] <= ' ' || key[n] > '~')
			return false;
	return n > 0 && n <= IDEMPOTENCY_KEY_MAX;
}

int idempotency_ask(const char *who, const char *key, const char *request,
		    struct idempotency_ask *ret, struct err *reterr)
{
	char asked[IDEMPOTENCY_KEY_MAX + 96 /* a caller's name is shorter */] = "";
	int r;

	if (!key_is_valid(key))
		return err_set(reterr, -EINVAL,
			       "header 'Idempotency-Key': expected 1 to %d visible characters",
			       IDEMPOTENCY_KEY_MAX);
	str_append(asked, sizeof(asked), "%s\n%s", who, key);
	r = sha256_hex(asked, strlen(asked), ret->asked);
	if (r == 0)
		r = sha256_hex(request, strlen(request), ret->request);
	return r < 0 ? err_set(reterr, r, "take key: %s", strerror(-r)) : 0;
}

static void forget_old(struct idempotency *t, uint64_t now_ns)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->n; i++)
		if (t->v[i].t_ns + IDEMPOTENCY_SPAN_NS > now_ns)
			t->v[n++] = t->v[i];
	t->n = n;
}

int idempotency_find(struct idempotency *t, const struct idempotency_ask *ask, uint64_t now_ns,
		     struct idempotency_row **ret, struct err *reterr)
{
	forget_old(t, now_ns);
	for (uint32_t i = 0; i < t->n; i++) {
		if (!str_equal(t->v[i].asked, ask->asked))
			continue;
		if (!str_equal(t->v[i].request, ask->request))
			return err_set(reterr, -EEXIST,
				       "header 'Idempotency-Key': it was used for another request");
		*ret = &t->v[i];
		return 1;
	}
	return 0;
}

int idempotency_add(struct idempotency *t, const struct idempotency_ask *ask, const char *attempt,
		    uint64_t now_ns, struct idempotency_row **ret, struct err *reterr)
{
	struct idempotency_row *row;

	forget_old(t, now_ns);
	if (t->n >= IDEMPOTENCY_ROWS_MAX)
		return err_set(reterr, -EBUSY,
			       "keep 'Idempotency-Key': %d are kept for a day already",
			       IDEMPOTENCY_ROWS_MAX);
	row = &t->v[t->n++];
	*row = (struct idempotency_row){ .t_ns = now_ns };
	(void)str_copy(row->asked, sizeof(row->asked), ask->asked);
	(void)str_copy(row->request, sizeof(row->request), ask->request);
	(void)str_copy(row->attempt, sizeof(row->attempt), attempt);
	*ret = row;
	return 0;
}

void idempotency_remove(struct idempotency *t, struct idempotency_row *row)
{
	size_t i = (size_t)(row - t->v);

	memmove(row, row + 1, (t->n - i - 1) * sizeof(*row));
	t->n--;
}

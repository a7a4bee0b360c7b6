/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "model/searchterms.h"
#include "sys/knowledge_state.h"

#define PIECES_MAX 400 /* pieces looked at for one question */

/* A symptom is told in one section and named in another: the pieces of a document behind its best one
 * count too, each half of the one before. */
#define FURTHER_SHARE 0.5
#define FURTHER_MAX   4

struct candidate {
	int64_t document_id, best_rowid;
	double score, share;
	unsigned n;
	bool is_reference; /* the best piece is a list of sources: right, but nothing to read */
};

struct ranking {
	size_t n;
	struct candidate v[PIECES_MAX];
};

static struct candidate *find(struct ranking *r, int64_t document_id)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].document_id == document_id)
			return &r->v[i];
	return NULL;
}

/* Pieces come best first, so the first of a document is its best. */
static void take(struct ranking *r, sqlite3_stmt *s)
{
	int64_t rowid = sqlite3_column_int64(s, 0), document_id = sqlite3_column_int64(s, 1);
	bool is_reference = sqlite3_column_int(s, 3) != 0;
	struct candidate *c = find(r, document_id);

	if (!c && r->n == PIECES_MAX)
		return;
	if (!c) {
		c = &r->v[r->n++];
		*c = (struct candidate){ document_id, rowid, 0, 1, 0, is_reference };
	}
	if (c->is_reference && !is_reference) {
		c->best_rowid = rowid;
		c->is_reference = false;
	}
	if (c->n++ > FURTHER_MAX)
		return;
	c->score += sqlite3_column_double(s, 2) * c->share;
	c->share *= FURTHER_SHARE;
}

static int by_score(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->score != y->score)
		return x->score < y->score ? 1 : -1;
	return x->document_id < y->document_id ? -1 : x->document_id > y->document_id;
}

static int rank(struct knowledge *k, const char *match, enum knowledge_kind kind,
		struct ranking *ret, struct err *reterr)
{
	sqlite3_stmt *s;
	int rc, r = knowledge_prepare(k, KNOWLEDGE_RANK, &s, reterr);

	if (r < 0)
		return r;
	(void)sqlite3_bind_text(s, 1, match, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int(s, 2, kind == _KNOWLEDGE_KIND_MAX ? -1 : (int)kind);
	(void)sqlite3_bind_int(s, 3, PIECES_MAX);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW)
		take(ret, s);
	if (rc != SQLITE_DONE)
		r = knowledge_fail(k, rc, "search", reterr);
	(void)sqlite3_reset(s);
	if (r == 0)
		qsort(ret->v, ret->n, sizeof(ret->v[0]), by_score);
	return r;
}

/* On one line, cut between characters. */
static void copy(char *dst, size_t size, const unsigned char *text)
{
	const char *s = text ? (const char *)text : "";
	size_t n = strlen(s);

	if (n >= size)
		for (n = size - 1; n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80;)
			n--;
	for (size_t i = 0; i < n; i++)
		dst[i] = s[i] == '\n' || s[i] == '\r' || s[i] == '\t' ? ' ' : s[i];
	dst[n] = '\0';
}

static int show(struct knowledge *k, const char *match, const struct candidate *c,
		struct knowledge_hit *ret, struct err *reterr)
{
	sqlite3_stmt *s;
	int rc, r = knowledge_prepare(k, KNOWLEDGE_SHOW, &s, reterr);

	if (r < 0)
		return r;
	(void)sqlite3_bind_text(s, 1, match, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(s, 2, c->best_rowid);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		*ret = (struct knowledge_hit){
			.kind = (enum knowledge_kind)sqlite3_column_int(s, 0), .score = c->score
		};
		copy(ret->name, sizeof(ret->name), sqlite3_column_text(s, 1));
		copy(ret->title, sizeof(ret->title), sqlite3_column_text(s, 2));
		copy(ret->section, sizeof(ret->section), sqlite3_column_text(s, 3));
		copy(ret->path, sizeof(ret->path), sqlite3_column_text(s, 4));
		copy(ret->snippet, sizeof(ret->snippet), sqlite3_column_text(s, 5));
		if ((unsigned)ret->kind >= _KNOWLEDGE_KIND_MAX)
			r = err_set(reterr, -EUCLEAN, "search: a document of no kind");
	} else {
		r = knowledge_fail(k, rc == SQLITE_DONE ? SQLITE_CORRUPT : rc, "search", reterr);
	}
	(void)sqlite3_reset(s);
	return r;
}

int knowledge_search(struct knowledge *k, const char *text, enum knowledge_kind kind,
		     struct knowledge_hit *ret, size_t hits_max, struct err *reterr)
{
	_cleanup_free_ struct ranking *ranking = calloc(1, sizeof(*ranking));
	char match[SEARCH_MATCH_MAX];
	size_t n;
	int r;

	if (!ranking)
		return err_set(reterr, -ENOMEM, "search: Out of memory");
	if (search_terms(text, match) == 0)
		return err_set(reterr, -ENODATA, "search: no word to look for");
	r = rank(k, match, kind, ranking, reterr);
	n = ranking->n < hits_max ? ranking->n : hits_max;
	if (n > KNOWLEDGE_HITS_MAX)
		n = KNOWLEDGE_HITS_MAX;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = show(k, match, &ranking->v[i], &ret[i], reterr);
	return r < 0 ? r : (int)n;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sqlite3.h>

#include "sys/knowledge.h"

/* What knowledge.c (building) and knowledge_search.c share. */

enum knowledge_statement {
	KNOWLEDGE_ADD_DOCUMENT,
	KNOWLEDGE_ADD_PIECE,
	KNOWLEDGE_ADD_CHUNK,
	KNOWLEDGE_FIND_TEXT,
	KNOWLEDGE_KEEP_TEXT,
	KNOWLEDGE_SET_META,
	KNOWLEDGE_GET_META,
	KNOWLEDGE_RANK,
	KNOWLEDGE_SHOW,
	_KNOWLEDGE_STATEMENT_MAX,
};

struct knowledge {
	sqlite3 *db;
	sqlite3_stmt *statements[_KNOWLEDGE_STATEMENT_MAX]; /* prepared on first use */
	struct knowledge_stats stats;
};

/* A word in a title weighs twice that of one in a heading or in the text. Chosen on the 70 lines for
 * tuning of selftests/data/retrieval: 4 and 8 were worse, and so was more for headings. */
#define KNOWLEDGE_RANK_SQL                                                           \
	"SELECT chunks.rowid, documents.id, -bm25(chunks, 2.0, 1.0, 1.0) AS score, " \
	"section = 'Sources' "                                                       \
	"FROM chunks JOIN documents ON documents.id = chunks.document_id "           \
	"WHERE chunks MATCH ?1 AND (?2 < 0 OR kind = ?2) ORDER BY score DESC LIMIT ?3"
#define KNOWLEDGE_SHOW_SQL                                                           \
	"SELECT kind, name, documents.title, section, path, snippet(chunks, 2, "     \
	"'" KNOWLEDGE_MARK_BEGIN "', '" KNOWLEDGE_MARK_END "', '\xe2\x80\xa6', 24) " \
	"FROM chunks JOIN documents ON documents.id = chunks.document_id "           \
	"WHERE chunks MATCH ?1 AND chunks.rowid = ?2"

/* The statement, reset and without bindings. Returns 0; -errno. */
int knowledge_prepare(struct knowledge *k, enum knowledge_statement i, sqlite3_stmt **ret,
		      struct err *reterr) _warn_unused_;
/* "what: cause" for a result code. Returns the negative errno. */
int knowledge_fail(struct knowledge *k, int rc, const char *what, struct err *reterr);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/chunk.h"
#include "model/runbook.h"

/* The knowledge base: runbooks, manual pages and documents in pieces, in one SQLite file with a full-text
 * index (FTS5, bm25). Who builds writes a new file and renames it over the old; who searches opens it for
 * reading only. So nobody ever waits for the other, and what is there is whole. */

#define KNOWLEDGE_FILE_NAME     "knowledge.db"
#define KNOWLEDGE_DOCUMENTS_MAX 2000
#define KNOWLEDGE_SOURCE_MAX    (UINT64_C(8) << 20)  /* bytes of one file, before conversion */
#define KNOWLEDGE_TEXT_MAX      (UINT64_C(2) << 20)  /* bytes of one text */
#define KNOWLEDGE_BYTES_MAX     (UINT64_C(64) << 20) /* bytes of all texts */
#define KNOWLEDGE_HITS_MAX      50
#define KNOWLEDGE_SNIPPET_MAX   512
#define KNOWLEDGE_MARK_BEGIN    "\xc2\xab" /* around a word that was asked for, in a snippet: « */
#define KNOWLEDGE_MARK_END      "\xc2\xbb" /* » */

enum knowledge_kind {
	KNOWLEDGE_KIND_RUNBOOK,
	KNOWLEDGE_KIND_MANUAL,
	KNOWLEDGE_KIND_DOCUMENT,
	_KNOWLEDGE_KIND_MAX,
};
LOOKUP_DECLARE(knowledge_kind, enum knowledge_kind);

struct knowledge;

/* What was left out and why: never silently. */
struct knowledge_stats {
	uint64_t documents, chunks, bytes;
	uint64_t same_documents, same_chunks; /* known by their hash already */
	uint64_t refused;                     /* over a bound, or no text */
};

struct knowledge_document {
	enum knowledge_kind kind;
	enum chunk_form form;
	const char *name, *title, *path;
	const char *text; /* length bytes */
	size_t length;
};

/* Makes a new file (":memory:" for none), which must not exist. Returns 0; -errno. */
int knowledge_create(const char *path, struct knowledge **ret, struct err *reterr) _warn_unused_;
/* Opens one for reading. Returns 0; -ENOENT; -EUCLEAN: not ours or damaged; other -errno. */
int knowledge_open(const char *path, struct knowledge **ret, struct err *reterr) _warn_unused_;
struct knowledge *knowledge_close(struct knowledge *k);
DEFINE_CLEANUP(struct knowledge *, knowledge_close);

/* Adds a text in pieces. Returns 1; 0: known, over a bound, or not clean text, counted; -errno. */
int knowledge_add(struct knowledge *k, const struct knowledge_document *d,
		  struct err *reterr) _warn_unused_;
int knowledge_add_runbook(struct knowledge *k, const struct runbook *r,
			  struct err *reterr) _warn_unused_;

/* Text that a tool made of a file with this hash; made once. Returns 1 with *ret (freed by the caller);
 * 0: not here; -errno. */
int knowledge_find_text(struct knowledge *k, const char *hash, char **ret,
			struct err *reterr) _warn_unused_;
int knowledge_keep_text(struct knowledge *k, const char *hash, const char *text,
			struct err *reterr) _warn_unused_;

/* What it was made of, so that it is made anew only when that has changed. */
int knowledge_set_inputs(struct knowledge *k, const char *hash, struct err *reterr) _warn_unused_;
/* Returns 0; -ENODATA; -errno. */
int knowledge_inputs(struct knowledge *k, char ret[static 65], struct err *reterr) _warn_unused_;

/* Ends the building: from now on it can be renamed and searched. */
int knowledge_finish(struct knowledge *k, struct err *reterr) _warn_unused_;
const struct knowledge_stats *knowledge_stats(const struct knowledge *k);
/* Counts what is in the file. */
int knowledge_count(struct knowledge *k, struct knowledge_stats *ret,
		    struct err *reterr) _warn_unused_;

struct knowledge_hit {
	enum knowledge_kind kind;
	char name[128], title[160], section[CHUNK_SECTION_MAX], path[512];
	char snippet[KNOWLEDGE_SNIPPET_MAX];
	double score; /* above 0; only comparable within one answer */
};

/* The documents that fit best, one hit each with its best piece, best first. text is anything a person
 * may type; kind _KNOWLEDGE_KIND_MAX: all. Returns how many (at most hits_max and KNOWLEDGE_HITS_MAX);
 * -ENODATA: no word in it can be looked for; -errno. */
int knowledge_search(struct knowledge *k, const char *text, enum knowledge_kind kind,
		     struct knowledge_hit *ret, size_t hits_max, struct err *reterr) _warn_unused_;

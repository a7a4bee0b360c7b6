/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/knowledge.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/sealed.h"
#include "base/str.h"
#include "sys/knowledge_state.h"

#define APPLICATION_ID "0x61696b6e" /* "aikn", in the file's head */
#define SCHEMA_VERSION "1"
#define PATH_SIZE      4096

static const char *const knowledge_kind_names[] = {
	[KNOWLEDGE_KIND_RUNBOOK] = "runbook",
	[KNOWLEDGE_KIND_MANUAL] = "manual",
	[KNOWLEDGE_KIND_DOCUMENT] = "document",
};
LOOKUP_DEFINE(knowledge_kind, enum knowledge_kind, knowledge_kind_names);

/* Nobody reads the file before it is whole, so it needs no journal while it is built. "porter" finds
 * "connections" for "connection"; the marks of letters do not matter. */
static const char schema[] =
	"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
	"PRAGMA application_id = " APPLICATION_ID "; PRAGMA user_version = " SCHEMA_VERSION ";"
	"BEGIN;"
	"CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE documents(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, name TEXT NOT NULL,"
	" title TEXT NOT NULL, path TEXT NOT NULL, hash TEXT NOT NULL UNIQUE) STRICT;"
	"CREATE TABLE pieces(hash TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;"
	"CREATE TABLE texts(hash TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE VIRTUAL TABLE chunks USING fts5(title, section, body, document_id UNINDEXED,"
	" tokenize = 'porter unicode61 remove_diacritics 2');";

int knowledge_fail(struct knowledge *k, int rc, const char *what, struct err *reterr)
{
	int code = -EIO;

	switch (rc & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_ERROR: /* a table that is not there */
		code = -EUCLEAN;
		break;
	case SQLITE_NOMEM:
		code = -ENOMEM;
		break;
	case SQLITE_FULL:
		code = -ENOSPC;
		break;
	case SQLITE_CANTOPEN:
		code = -ENOENT;
		break;
	}
	return err_set(reterr, code, "%s: %s", what,
		       k->db ? sqlite3_errmsg(k->db) : sqlite3_errstr(rc));
}

int knowledge_prepare(struct knowledge *k, enum knowledge_statement i, sqlite3_stmt **ret,
		      struct err *reterr)
{
	static const char *const texts[] = {
		[KNOWLEDGE_ADD_DOCUMENT] =
			"INSERT OR IGNORE INTO documents(kind, name, title, path, "
			"hash) VALUES(?1, ?2, ?3, ?4, ?5)",
		[KNOWLEDGE_ADD_PIECE] = "INSERT OR IGNORE INTO pieces VALUES(?1)",
		[KNOWLEDGE_ADD_CHUNK] = "INSERT INTO chunks(title, section, body, document_id) "
					"VALUES(?1, ?2, ?3, ?4)",
		[KNOWLEDGE_FIND_TEXT] = "SELECT text FROM texts WHERE hash = ?1",
		[KNOWLEDGE_KEEP_TEXT] = "INSERT OR REPLACE INTO texts VALUES(?1, ?2)",
		[KNOWLEDGE_SET_META] = "INSERT OR REPLACE INTO meta VALUES(?1, ?2)",
		[KNOWLEDGE_GET_META] = "SELECT value FROM meta WHERE name = ?1",
		[KNOWLEDGE_RANK] = KNOWLEDGE_RANK_SQL,
		[KNOWLEDGE_SHOW] = KNOWLEDGE_SHOW_SQL,
	};
	int rc = SQLITE_OK;

	if (!k->statements[i])
		rc = sqlite3_prepare_v3(k->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
					&k->statements[i], NULL);
	if (rc != SQLITE_OK)
		return knowledge_fail(k, rc, "prepare knowledge statement", reterr);
	(void)sqlite3_reset(k->statements[i]);
	(void)sqlite3_clear_bindings(k->statements[i]);
	*ret = k->statements[i];
	return 0;
}

static int run(struct knowledge *k, sqlite3_stmt *s, const char *what, struct err *reterr)
{
	int rc = sqlite3_step(s), r = 0;

	if (rc != SQLITE_DONE)
		r = knowledge_fail(k, rc, what, reterr);
	(void)sqlite3_reset(s);
	return r;
}

static int execute(struct knowledge *k, const char *sql, const char *what, struct err *reterr)
{
	int rc = sqlite3_exec(k->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : knowledge_fail(k, rc, what, reterr);
}

static void bind(sqlite3_stmt *s, int i, const char *text)
{
	(void)sqlite3_bind_text(s, i, text, -1, SQLITE_STATIC);
}

struct knowledge *knowledge_close(struct knowledge *k)
{
	if (!k)
		return NULL;
	for (size_t i = 0; i < _KNOWLEDGE_STATEMENT_MAX; i++)
		(void)sqlite3_finalize(k->statements[i]);
	(void)sqlite3_close(k->db);
	free(k);
	return NULL;
}

static int open_file(const char *path, int flags, struct knowledge **ret, struct err *reterr)
{
	_cleanup_(knowledge_closep) struct knowledge *k = calloc(1, sizeof(*k));
	int rc;

	if (!k)
		return err_set(reterr, -ENOMEM, "open '%s': Out of memory", path);
	rc = sqlite3_open_v2(path, &k->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
			     NULL);
	if (rc != SQLITE_OK)
		return knowledge_fail(k, rc, "open knowledge base", reterr);
	*ret = TAKE_PTR(k);
	return 0;
}

int knowledge_create(const char *path, struct knowledge **ret, struct err *reterr)
{
	_cleanup_(knowledge_closep) struct knowledge *k = NULL;
	int r = open_file(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &k, reterr);

	if (r == 0)
		r = execute(k, schema, "create knowledge base", reterr);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(k);
	return 0;
}

/* As a URI, for "immutable": no lock and no side file where the reader may not write. */
static int make_uri(const char *path, char ret[static PATH_SIZE])
{
	ret[0] = '\0';
	str_append(ret, PATH_SIZE, "file:");
	for (const char *p = path; *p; p++)
		str_append(ret, PATH_SIZE, strchr("?#%", *p) ? "%%%02x" : "%c", *p);
	str_append(ret, PATH_SIZE, "?immutable=1");
	return strlen(ret) + 1 < PATH_SIZE ? 0 : -ENAMETOOLONG;
}

static int check_head(struct knowledge *k, struct err *reterr)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(k->db,
				    "SELECT 1 FROM pragma_application_id(), pragma_user_version() "
				    "WHERE application_id = " APPLICATION_ID
				    " AND user_version = " SCHEMA_VERSION,
				    -1, &s, NULL);
	int r = 0;

	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc == SQLITE_DONE)
		r = err_set(reterr, -EUCLEAN, "open knowledge base: it is of another version");
	else if (rc != SQLITE_ROW)
		r = knowledge_fail(k, rc, "open knowledge base", reterr);
	(void)sqlite3_finalize(s);
	return r;
}

int knowledge_open(const char *path, struct knowledge **ret, struct err *reterr)
{
	_cleanup_(knowledge_closep) struct knowledge *k = NULL;
	char uri[PATH_SIZE];
	int r = make_uri(path, uri);

	if (r < 0)
		return err_set(reterr, r, "open '%.200s': the path is too long", path);
	r = open_file(uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, &k, reterr);
	if (r == 0)
		r = check_head(k, reterr);
	if (r == 0)
		r = execute(k, "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON",
			    "open knowledge base", reterr);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(k);
	return 0;
}

int knowledge_finish(struct knowledge *k, struct err *reterr)
{
	return execute(k, "INSERT INTO chunks(chunks) VALUES('optimize'); COMMIT",
		       "finish knowledge base", reterr);
}

const struct knowledge_stats *knowledge_stats(const struct knowledge *k)
{
	return &k->stats;
}

int knowledge_count(struct knowledge *k, struct knowledge_stats *ret, struct err *reterr)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(k->db,
				    "SELECT (SELECT count(*) FROM documents),"
				    " (SELECT count(*) FROM chunks)",
				    -1, &s, NULL);
	int r = 0;

	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*ret = (struct knowledge_stats){ .documents = (uint64_t)sqlite3_column_int64(s, 0),
						 .chunks = (uint64_t)sqlite3_column_int64(s, 1) };
	else
		r = knowledge_fail(k, rc, "count knowledge", reterr);
	(void)sqlite3_finalize(s);
	return r;
}

/* Of which document pieces are being added. */
struct adding {
	struct knowledge *k;
	const struct knowledge_document *d;
	int64_t id;
};

static int add_chunk(void *userdata, const struct chunk *c, struct err *reterr)
{
	const struct adding *a = userdata;
	struct knowledge *k = a->k;
	char hash[SHA256_HEX_MAX];
	sqlite3_stmt *s;
	int r = sha256_hex(c->body, c->length, hash);

	if (r < 0)
		return err_set(reterr, r, "hash '%s': %s", a->d->path, strerror(-r));
	r = knowledge_prepare(k, KNOWLEDGE_ADD_PIECE, &s, reterr);
	if (r < 0)
		return r;
	bind(s, 1, hash);
	r = run(k, s, "add piece", reterr);
	if (r < 0)
		return r;
	if (sqlite3_changes(k->db) == 0) {
		k->stats.same_chunks++;
		return 0;
	}
	r = knowledge_prepare(k, KNOWLEDGE_ADD_CHUNK, &s, reterr);
	if (r < 0)
		return r;
	bind(s, 1, a->d->title);
	bind(s, 2, c->section);
	(void)sqlite3_bind_text(s, 3, c->body, (int)c->length, SQLITE_STATIC);
	(void)sqlite3_bind_int64(s, 4, a->id);
	k->stats.chunks++;
	return run(k, s, "add piece", reterr);
}

/* Returns 1; 0: known. */
static int add_head(struct knowledge *k, const struct knowledge_document *d, struct err *reterr)
{
	char hash[SHA256_HEX_MAX];
	sqlite3_stmt *s;
	int r = sha256_hex(d->text, d->length, hash);

	if (r < 0)
		return err_set(reterr, r, "hash '%s': %s", d->path, strerror(-r));
	r = knowledge_prepare(k, KNOWLEDGE_ADD_DOCUMENT, &s, reterr);
	if (r < 0)
		return r;
	(void)sqlite3_bind_int(s, 1, d->kind);
	bind(s, 2, d->name);
	bind(s, 3, d->title);
	bind(s, 4, d->path);
	bind(s, 5, hash);
	r = run(k, s, "add document", reterr);
	return r < 0 ? r : sqlite3_changes(k->db) > 0;
}

int knowledge_add(struct knowledge *k, const struct knowledge_document *d, struct err *reterr)
{
	struct adding a = { k, d, 0 };
	int r;

	if (k->stats.documents >= KNOWLEDGE_DOCUMENTS_MAX || d->length > KNOWLEDGE_TEXT_MAX ||
	    k->stats.bytes + d->length > KNOWLEDGE_BYTES_MAX ||
	    !str_is_clean_text(d->text, d->length)) {
		k->stats.refused++;
		return 0;
	}
	r = add_head(k, d, reterr);
	if (r <= 0) {
		k->stats.same_documents += r == 0;
		return r;
	}
	a.id = sqlite3_last_insert_rowid(k->db);
	k->stats.documents++;
	k->stats.bytes += d->length;
	r = chunk_split(d->text, d->length, d->form, add_chunk, &a, reterr);
	return r < 0 ? r : 1;
}

int knowledge_add_runbook(struct knowledge *k, const struct runbook *r, struct err *reterr)
{
	const struct knowledge_document d = {
		.kind = KNOWLEDGE_KIND_RUNBOOK,
		.form = CHUNK_FORM_MARKDOWN,
		.name = r->id,
		.title = r->title,
		.path = r->path,
		.text = r->body,
		.length = strlen(r->body),
	};

	return knowledge_add(k, &d, reterr);
}

int knowledge_find_text(struct knowledge *k, const char *hash, char **ret, struct err *reterr)
{
	sqlite3_stmt *s;
	int r = knowledge_prepare(k, KNOWLEDGE_FIND_TEXT, &s, reterr), rc;

	if (r < 0)
		return r;
	bind(s, 1, hash);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		*ret = strdup((const char *)sqlite3_column_text(s, 0));
		r = *ret ? 1 : err_set(reterr, -ENOMEM, "read text: Out of memory");
	} else if (rc != SQLITE_DONE) {
		r = knowledge_fail(k, rc, "read text", reterr);
	}
	(void)sqlite3_reset(s);
	return r;
}

static int put(struct knowledge *k, enum knowledge_statement i, const char *name, const char *value,
	       struct err *reterr)
{
	sqlite3_stmt *s;
	int r = knowledge_prepare(k, i, &s, reterr);

	if (r < 0)
		return r;
	bind(s, 1, name);
	bind(s, 2, value);
	return run(k, s, "write knowledge base", reterr);
}

int knowledge_keep_text(struct knowledge *k, const char *hash, const char *text, struct err *reterr)
{
	return put(k, KNOWLEDGE_KEEP_TEXT, hash, text, reterr);
}

int knowledge_set_inputs(struct knowledge *k, const char *hash, struct err *reterr)
{
	return put(k, KNOWLEDGE_SET_META, "inputs", hash, reterr);
}

int knowledge_inputs(struct knowledge *k, char ret[static 65], struct err *reterr)
{
	sqlite3_stmt *s;
	int r = knowledge_prepare(k, KNOWLEDGE_GET_META, &s, reterr), rc;

	if (r < 0)
		return r;
	bind(s, 1, "inputs");
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		r = str_copy(ret, 65, (const char *)sqlite3_column_text(s, 0));
	else
		r = rc == SQLITE_DONE ? -ENODATA : knowledge_fail(k, rc, "read inputs", reterr);
	(void)sqlite3_reset(s);
	return r;
}

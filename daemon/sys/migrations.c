/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "sys/migrate.h"

#define UP_SUFFIX      ".up.sql"
#define DOWN_SUFFIX    ".down.sql"
#define VERSION_DIGITS 4

/* In a function's body these stand in a line of their own with other words, but for BEGIN and END, which
 * are found by the transaction's number instead. */
static const char *const transaction_words[] = {
	"commit",
	"rollback",
	"abort",
	"start transaction",
	"savepoint",
	"release savepoint",
	"prepare transaction",
};

void migrations_done(struct migrations *m)
{
	for (uint32_t i = 0; m->v && i < m->n; i++) {
		free(m->v[i].up);
		free(m->v[i].down);
	}
	free(m->v);
	*m = (struct migrations){ 0 };
}

/* "0001_lists.up.sql": 1, "lists", up. False for any other name. */
static bool parse_name(const char *file, struct migration *ret, bool *ret_is_up)
{
	size_t n = strlen(file), up = strlen(UP_SUFFIX), down = strlen(DOWN_SUFFIX);
	char digits[VERSION_DIGITS + 1] = "";
	uint64_t version = 0;
	const char *name = file + VERSION_DIGITS + 1;

	if (n <= VERSION_DIGITS + 1 + up || file[VERSION_DIGITS] != '_')
		return false;
	*ret_is_up = str_equal(file + n - up, UP_SUFFIX);
	if (!*ret_is_up &&
	    (n <= VERSION_DIGITS + 1 + down || !str_equal(file + n - down, DOWN_SUFFIX)))
		return false;
	memcpy(digits, file, VERSION_DIGITS);
	if (str_parse_u64(digits, &version) < 0 || version < 1 || version > MIGRATIONS_MAX)
		return false;
	n -= VERSION_DIGITS + 1 + (*ret_is_up ? up : down);
	if (n >= sizeof(ret->name) || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") < n)
		return false;
	memcpy(ret->name, name, n);
	ret->name[n] = '\0';
	ret->version = (uint32_t)version;
	return true;
}

/* The line's first words are a transaction's own. */
static const char *transaction_word(const char *sql)
{
	for (const char *line = sql; line; line = strchr(line, '\n')) {
		line += strspn(line, " \t\r\n");
		for (size_t i = 0; i < ELEMENTSOF(transaction_words); i++) {
			size_t n = strlen(transaction_words[i]);

			if (strncasecmp(line, transaction_words[i], n) == 0 &&
			    !isalnum((unsigned char)line[n]) && line[n] != '_')
				return transaction_words[i];
		}
	}
	return NULL;
}

static int read_sql(int dir_fd, const char *file, char **ret, struct err *reterr)
{
	_cleanup_free_ char *text = malloc(MIGRATION_SQL_MAX + 1), *fitted = NULL;
	const char *word;
	ssize_t n;

	if (!text)
		return err_set(reterr, -ENOMEM, "read migration '%s': Out of memory", file);
	n = fd_read_file(dir_fd, file, text, MIGRATION_SQL_MAX + 1);
	if (n < 0)
		return err_set(reterr, (int)n, "read migration '%s': %s", file, strerror((int)-n));
	if (!str_is_clean_text(text, (size_t)n))
		return err_set(reterr, -EBADMSG, "read migration '%s': it is not clean UTF-8",
			       file);
	word = transaction_word(text);
	if (word)
		return err_set(reterr, -EBADMSG,
			       "read migration '%s': '%s': the transaction is not the file's", file,
			       word);
	fitted = strdup(text);
	if (!fitted)
		return err_set(reterr, -ENOMEM, "read migration '%s': Out of memory", file);
	*ret = TAKE_PTR(fitted);
	return 0;
}

/* Puts one file in its place of v. */
static int take_file(int dir_fd, const char *file, struct migrations *m, struct err *reterr)
{
	struct migration head = { 0 }, *place;
	bool is_up = false;
	char **sql;
	int r;

	if (!parse_name(file, &head, &is_up))
		return err_set(
			reterr, -EBADMSG,
			"read migration '%.100s': the name is not NNNN_name.up.sql or .down.sql, "
			"NNNN from 0001 to %04u",
			file, MIGRATIONS_MAX);
	place = &m->v[head.version - 1];
	sql = is_up ? &place->up : &place->down;
	if (*sql || (place->version > 0 && !str_equal(place->name, head.name)))
		return err_set(reterr, -EBADMSG, "read migration '%s': number %u is taken by '%s'",
			       file, head.version, place->name);
	place->version = head.version;
	memcpy(place->name, head.name, sizeof(head.name));
	r = read_sql(dir_fd, file, sql, reterr);
	if (r == 0 && is_up)
		r = sha256_hex(*sql, strlen(*sql), place->sha256);
	return r;
}

/* Also counts them. */
static int check_complete(struct migrations *m, struct err *reterr)
{
	uint32_t highest = 0;

	for (uint32_t i = 0; i < MIGRATIONS_MAX; i++)
		highest = m->v[i].version > 0 ? i + 1 : highest;
	for (uint32_t i = 0; i < highest; i++) {
		const struct migration *v = &m->v[i];

		if (!v->up || !v->down)
			return err_set(reterr, -EBADMSG, "read migrations: number %u has no way %s",
				       i + 1, v->up ? "down" : "up");
	}
	m->n = highest;
	return 0;
}

static int read_all(int dir_fd, DIR *dir, struct migrations *m, struct err *reterr)
{
	for (;;) {
		const struct dirent *e;
		size_t n;
		int r;

		errno = 0;
		e = readdir(dir);
		if (!e && errno)
			return err_set(reterr, -errno, "read migrations: %s", strerror(errno));
		if (!e)
			return check_complete(m, reterr);
		n = strlen(e->d_name);
		if (e->d_name[0] == '.' || n < 4 || !str_equal(e->d_name + n - 4, ".sql"))
			continue;
		r = take_file(dir_fd, e->d_name, m, reterr);
		if (r < 0)
			return r;
	}
}

int migrations_load(int dir_fd, struct migrations *ret, struct err *reterr)
{
	struct migrations m = { .n = MIGRATIONS_MAX,
				.v = calloc(MIGRATIONS_MAX, sizeof(struct migration)) };
	int fd = fd_open_dir(dir_fd, ".", reterr), r;
	_cleanup_closedir_ DIR *dir = NULL;

	dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir || !m.v) {
		r = fd < 0 ? fd : err_set(reterr, -ENOMEM, "read migrations: Out of memory");
		if (fd >= 0 && !dir)
			(void)close(fd);
		free(m.v);
		return r;
	}
	r = read_all(dir_fd, dir, &m, reterr);
	if (r < 0) {
		m.n = MIGRATIONS_MAX;
		migrations_done(&m);
		return r;
	}
	*ret = m;
	return 0;
}

static int check_trusted(int fd, const char *path, struct err *reterr)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(reterr, -errno, "look at directory '%s': %s", path, strerror(errno));
	if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return err_set(reterr, -EPERM,
			       "look at directory '%s': others than root may write to it", path);
	return 0;
}

int migrations_load_trusted(int root_fd, const char *path, struct migrations *ret,
			    struct err *reterr)
{
	_cleanup_close_ int fd = fd_open_dir(root_fd, path + 1, reterr);
	int r = fd < 0 ? fd : check_trusted(fd, path, reterr);

	return r < 0 ? r : migrations_load(fd, ret, reterr);
}

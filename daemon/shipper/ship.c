/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shipper/ship.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

#define SEGMENTS_MAX       1024
#define PARTITIONS_EACH_NS (3600 * NS_PER_S)
#define NUMBER_MAX         24

/* One segment under way. */
struct sending {
	struct ship *ship;
	const struct spool_segment *segment;
	int fd;
	uint64_t position; /* as the database has it */
	size_t rows_max;   /* of a transaction */
	char *buf;
};

static uint64_t deadline(void)
{
	return clock_boot_ns() + SHIP_ANSWER_NS;
}

static const char *number(char buf[static NUMBER_MAX], uint64_t v)
{
	buf[0] = '\0';
	str_append(buf, NUMBER_MAX, "%" PRIu64, v);
	return buf;
}

static int run_sql(struct ship *s, const char *sql, const char *const *texts, PGresult **ret,
		   struct err *reterr)
{
	_cleanup_result_ PGresult *res = NULL;
	int r = pg_ask(s->conn, sql, texts, deadline(), &res, reterr);

	if (r == 0 && ret)
		*ret = TAKE_PTR(res);
	return r;
}

/* ---- connecting ---- */

static int find_host(struct ship *s, struct err *reterr)
{
	_cleanup_result_ PGresult *res = NULL;
	const char *const texts[] = { s->host, NULL };
	int r = run_sql(s, "SELECT aiops.host_of($1)", texts, &res, reterr);
	uint64_t id = 0;

	if (r < 0)
		return err_wrap(reterr, r, "introduce host '%s'", s->host);
	if (str_parse_u64(PQgetvalue(res, 0, 0), &id) < 0 || id > INT32_MAX)
		return err_set(reterr, -EBADMSG, "introduce host '%s': no number", s->host);
	s->host_id = (int)id;
	return 0;
}

static int make_stage(struct ship *s, struct err *reterr)
{
	static const char sql[] =
		"CREATE TEMP TABLE stage (k text, c1 text, c2 text, c3 text, c4 text, c5 text,"
		" c6 text, c7 text, c8 text, c9 text) ON COMMIT DELETE ROWS";

	return run_sql(s, sql, NULL, NULL, reterr);
}

static int connect_now(struct ship *s, struct err *reterr)
{
	int r;

	if (s->conn)
		return 0;
	r = pg_connect_dsn(s->dsn, deadline(), &s->conn, reterr);
	if (r == 0)
		r = find_host(s, reterr);
	if (r == 0)
		r = make_stage(s, reterr);
	if (r < 0)
		ship_disconnect(s);
	return r;
}

static int make_partitions(struct ship *s, struct err *reterr)
{
	uint64_t now_ns = clock_boot_ns();
	int r;

	if (s->partitions_ns && now_ns < s->partitions_ns + PARTITIONS_EACH_NS)
		return 0;
	r = run_sql(s, "SELECT aiops.make_partitions()", NULL, NULL, reterr);
	if (r == 0)
		s->partitions_ns = now_ns;
	return r;
}

void ship_disconnect(struct ship *s)
{
	pg_closep(&s->conn);
	s->conn = NULL;
}

/* ---- one segment ---- */

struct key {
	char host[NUMBER_MAX], lane[NUMBER_MAX], segment[NUMBER_MAX], from[NUMBER_MAX],
		to[NUMBER_MAX];
};

static struct key key_of(const struct sending *g, uint64_t to)
{
	struct key k = { 0 };

	(void)number(k.host, (uint64_t)g->ship->host_id);
	(void)number(k.lane, g->segment->lane);
	(void)number(k.segment, g->segment->number);
	(void)number(k.from, g->position);
	(void)number(k.to, to);
	return k;
}

/* Where the database is, 0 where it has not seen the segment. */
static int read_position(struct sending *g, struct err *reterr)
{
	static const char sql[] =
		"SELECT bytes FROM aiops.shipped WHERE host_id = $1 AND lane = $2 AND segment = $3";
	_cleanup_result_ PGresult *res = NULL;
	struct key k = key_of(g, 0);
	const char *const texts[] = { k.host, k.lane, k.segment, NULL };
	int r = run_sql(g->ship, sql, texts, &res, reterr);

	g->position = 0;
	if (r == 0 && PQntuples(res) == 1)
		r = str_parse_u64(PQgetvalue(res, 0, 0), &g->position);
	return r;
}

/* Inside the transaction: from where we are to there. Who was faster, another connection of ours whose end
 * we have not seen, makes this an error. */
static int move_position(struct sending *g, uint64_t to, struct err *reterr)
{
	static const char first[] = "INSERT INTO aiops.shipped (host_id, lane, segment, bytes)"
				    " VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING 1";
	static const char later[] = "UPDATE aiops.shipped SET bytes = $4 WHERE host_id = $1"
				    " AND lane = $2 AND segment = $3 AND bytes = $5 RETURNING 1";
	_cleanup_result_ PGresult *res = NULL;
	struct key k = key_of(g, to);
	const char *const texts[] = { k.host, k.lane, k.segment, k.to, g->position ? k.from : NULL,
				      NULL };
	int r = run_sql(g->ship, g->position ? later : first, texts, &res, reterr);

	if (r == 0 && PQntuples(res) != 1)
		r = err_set(reterr, -ESTALE, "send spool: the database is further");
	return r;
}

static int take_rows(struct sending *g, size_t length, struct err *reterr)
{
	char host[NUMBER_MAX];
	const char *const texts[] = { number(host, (uint64_t)g->ship->host_id), NULL };
	int r = pg_copy(g->ship->conn, "COPY pg_temp.stage FROM STDIN", g->buf, length, deadline(),
			reterr);

	return r < 0 ? r : run_sql(g->ship, "SELECT aiops.take($1)", texts, NULL, reterr);
}

/* Sends length bytes of whole rows, or passes over them. */
static int commit_rows(struct sending *g, size_t length, bool taken, struct err *reterr)
{
	int r = run_sql(g->ship, "BEGIN", NULL, NULL, reterr);

	if (r == 0)
		r = move_position(g, g->position + length, reterr);
	if (r == 0 && taken)
		r = take_rows(g, length, reterr);
	if (r < 0) {
		if (PQstatus(g->ship->conn) == CONNECTION_OK)
			(void)run_sql(g->ship, "ROLLBACK", NULL, NULL, NULL);
		return r;
	}
	r = run_sql(g->ship, "COMMIT", NULL, NULL, reterr);
	if (r == 0)
		g->position += length;
	return r;
}

/* Length of the first n lines. */
static size_t cut_rows(const char *text, size_t n)
{
	const char *end = text;

	while (n-- > 0)
		end = strchr(end, '\n') + 1;
	return (size_t)(end - text);
}

/* Whole rows at the position. Returns their length; 0: there are none; -errno. *ret_skip: bytes that are no
 * row, where there are none. */
static ssize_t read_rows(struct sending *g, size_t *ret_rows, size_t *ret_skip, struct err *reterr)
{
	ssize_t n = pread(g->fd, g->buf, SHIP_CHUNK_BYTES, (off_t)g->position);
	size_t length;

	if (n < 0)
		return err_set(reterr, -errno, "read spool: %s", strerror(errno));
	length = spool_rows(g->buf, (size_t)n, ret_rows, ret_skip);
	if (length == 0 && *ret_skip == 0 && n == SHIP_CHUNK_BYTES)
		*ret_skip = SHIP_CHUNK_BYTES; /* no end of a line in all of it */
	if (*ret_rows > g->rows_max) {
		*ret_rows = g->rows_max;
		length = cut_rows(g->buf, g->rows_max);
	}
	return (ssize_t)length;
}

/* One transaction. Returns 1; 0: nothing whole is there; -errno. */
static int send_chunk(struct sending *g, struct err *reterr)
{
	struct ship_stats *stats = &g->ship->stats;
	size_t rows = 0, skip = 0;
	ssize_t length = read_rows(g, &rows, &skip, reterr);
	int r;

	if (length < 0 || (length == 0 && skip == 0))
		return (int)length;
	r = commit_rows(g, length ? (size_t)length : skip, length > 0, reterr);
	if (r == -EBADMSG && rows > 1) {
		g->rows_max = rows / 2; /* down to the row that it is about */
		return 1;
	}
	if (r == -EBADMSG && rows == 1) {
		log_line(LOG_WARNING, "send row: %s; left out", err_text(reterr));
		rows = 0;
		skip = (size_t)length;
		r = commit_rows(g, skip, false, reterr);
	}
	if (r < 0)
		return r;
	g->rows_max = SIZE_MAX;
	stats->rows += rows;
	stats->transactions++;
	stats->bytes += (size_t)length;
	stats->refused_rows += skip > 0;
	return 1;
}

/* All of it is in the database: from now on nobody needs to know of it. */
static int remove_segment(struct sending *g, struct err *reterr)
{
	static const char sql[] =
		"DELETE FROM aiops.shipped WHERE host_id = $1 AND lane = $2 AND segment = $3";
	struct key k = key_of(g, 0);
	const char *const texts[] = { k.host, k.lane, k.segment, NULL };
	char name[SPOOL_NAME_MAX];

	if (unlinkat(g->ship->spool_fd, spool_name(g->segment->lane, g->segment->number, name), 0) <
		    0 &&
	    errno != ENOENT)
		return err_set(reterr, -errno, "remove spool segment '%s': %s", name,
			       strerror(errno));
	return run_sql(g->ship, sql, texts, NULL, reterr);
}

static int send_segment(struct ship *s, const struct spool_segment *segment, char *buf,
			struct err *reterr)
{
	char name[SPOOL_NAME_MAX];
	_cleanup_close_ int fd = openat(s->spool_fd,
					spool_name(segment->lane, segment->number, name),
					O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct sending g = {
		.ship = s, .segment = segment, .fd = fd, .rows_max = SIZE_MAX, .buf = buf
	};
	uint64_t before = s->stats.rows;
	int r;

	if (fd < 0) /* the recorder has made room */
		return errno == ENOENT ? 0 :
					 err_set(reterr, -errno, "open spool segment '%s': %s",
						 name, strerror(errno));
	if (flock(fd, LOCK_EX) < 0)
		return err_set(reterr, -errno, "lock spool segment '%s': %s", name,
			       strerror(errno));
	r = read_position(&g, reterr);
	while (r >= 0 && (r = send_chunk(&g, reterr)) > 0)
		;
	/* What is left of a segment that no longer grows is a line that was torn by a power cut. */
	if (r == 0 && !segment->is_last)
		r = remove_segment(&g, reterr);
	return r < 0 ? r : (int)(s->stats.rows - before);
}

static int send_all(struct ship *s, struct spool_segment *all, char *buf, struct err *reterr)
{
	int n = spool_list(s->spool_fd, all, SEGMENTS_MAX, reterr), r = 0, rows = 0;

	for (int i = 0; i < n && r >= 0; i++) {
		r = send_segment(s, &all[i], buf, reterr);
		rows += r > 0 ? r : 0;
	}
	return n < 0 ? n : r < 0 ? r : rows;
}

int ship_run(struct ship *s, struct err *reterr)
{
	_cleanup_free_ struct spool_segment *all = calloc(SEGMENTS_MAX, sizeof(*all));
	_cleanup_free_ char *buf = malloc(SHIP_CHUNK_BYTES);
	int r = all && buf ? connect_now(s, reterr) :
			     err_set(reterr, -ENOMEM, "send spool: Out of memory");

	if (r == 0)
		r = make_partitions(s, reterr);
	if (r == 0)
		r = send_all(s, all, buf, reterr);
	if (r < 0)
		ship_disconnect(s);
	return r;
}

int ship_init(struct ship *s, const char *spool_dir, const char *host, const char *dsn,
	      struct err *reterr)
{
	*s = (struct ship){ .spool_fd = -EBADF, .dsn = dsn };
	if (str_copy(s->host, sizeof(s->host), host) < 0 || !host[0])
		return err_set(reterr, -EINVAL, "send spool: no name for this host");
	if (mkdir(spool_dir, 0750) < 0 && errno != EEXIST)
		return err_set(reterr, -errno, "make spool '%s': %s", spool_dir, strerror(errno));
	s->spool_fd = fd_open_dir(AT_FDCWD, spool_dir, reterr);
	return s->spool_fd < 0 ? s->spool_fd : 0;
}

void ship_done(struct ship *s)
{
	ship_disconnect(s);
	if (s->spool_fd >= 0)
		(void)close(TAKE_FD(s->spool_fd));
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "sys/migrate.h"

#define LOCK_TIMEOUT_MS      5000
#define STATEMENT_TIMEOUT_MS 60000
#define EXIT_BUSY            75 /* source: sysexits.h, EX_TEMPFAIL */

/* Where the database is, libpq reads from its own environment (PGHOST, PGPASSFILE ...). */
static const char usage[] =
	"usage: aiops-target-migrate [--to VERSION] [--dry-run] [--status] DIRECTORY\n";

static uint32_t arg_to = MIGRATE_LATEST;
static bool arg_is_dry_run, arg_is_status;

DEFINE_CLEANUP(PGconn *, PQfinish);

static void tell(const struct migration *m, bool is_up, void *userdata)
{
	(void)userdata;
	printf("%s %s %04u %s\n", arg_is_dry_run ? "would go" : "going", is_up ? "up" : "down",
	       m->version, m->name);
	(void)fflush(stdout);
}

static int connect_database(PGconn **ret, struct err *reterr)
{
	_cleanup_(PQfinishp) PGconn *conn = PQconnectdb("");
	char text[ERR_TEXT_MAX] = "";

	if (PQstatus(conn) != CONNECTION_OK) {
		str_append(text, sizeof(text), "%s", PQerrorMessage(conn));
		text[strcspn(text, "\n")] = '\0';
		return err_set(reterr, -ENOTCONN, "connect to database: %s", text);
	}
	*ret = TAKE_PTR(conn);
	return 0;
}

static int show_status(PGconn *conn, const struct migrations *m, struct err *reterr)
{
	uint32_t version = 0;
	int r = migrate_read_version(conn, m, &version, reterr);

	if (r == 0)
		printf("at %u of %u\n", version, m->n);
	return r;
}

static int migrate(PGconn *conn, const struct migrations *m, struct err *reterr)
{
	struct migrate_request rq = { .to_version = arg_to,
				      .is_dry_run = arg_is_dry_run,
				      .lock_timeout_ms = LOCK_TIMEOUT_MS,
				      .statement_timeout_ms = STATEMENT_TIMEOUT_MS,
				      .told = tell };
	struct migrate_result result = { 0 };
	int r = migrate_run(conn, m, &rq, &result, reterr);

	if (r < 0)
		return r;
	if (arg_is_dry_run)
		printf("at %u, would be at %u\n", result.from_version, result.to_version);
	else
		printf("at %u\n", result.to_version);
	return 0;
}

/* Returns optind; -EINVAL. */
static int parse_options(int argc, char **argv)
{
	static const struct option options[] = { { "to", required_argument, NULL, 't' },
						 { "dry-run", no_argument, NULL, 'n' },
						 { "status", no_argument, NULL, 's' },
						 { 0 } };
	uint64_t to = 0;

	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) >= 0;)
		switch (c) {
		case 't':
			if (str_parse_u64(optarg, &to) < 0 || to > MIGRATIONS_MAX)
				return -EINVAL;
			arg_to = (uint32_t)to;
			break;
		case 'n':
			arg_is_dry_run = true;
			break;
		case 's':
			arg_is_status = true;
			break;
		default:
			return -EINVAL;
		}
	return optind + 1 == argc ? optind : -EINVAL;
}

int main(int argc, char **argv)
{
	_cleanup_(migrations_done) struct migrations m = { 0 };
	_cleanup_(PQfinishp) PGconn *conn = NULL;
	int at = parse_options(argc, argv), r;
	_cleanup_close_ int fd = -EBADF;
	struct err err = { 0 };

	if (at < 0) {
		(void)fputs(usage, stderr);
		return 2;
	}
	fd = fd_open_dir(AT_FDCWD, argv[at], &err);
	r = fd < 0 ? fd : migrations_load(fd, &m, &err);
	if (r == 0)
		r = connect_database(&conn, &err);
	if (r == 0)
		r = arg_is_status ? show_status(conn, &m, &err) : migrate(conn, &m, &err);
	if (r < 0) {
		err.code = r;
		(void)fprintf(stderr, "aiops-target-migrate: %s\n", err_text(&err));
		return r == -EBUSY ? EXIT_BUSY : EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

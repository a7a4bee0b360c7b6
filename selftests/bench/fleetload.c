/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: daemon/recorder/ship.o daemon/shipper/ship.o */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "recorder/recorder.h"
#include "shipper/ship.h"

/* Many hosts without their processes: the rows that a recorder makes of what an agent sends, into a spool for
 * each host, sent by the shipper's own code. A host is sent once a minute over a connection of its own, as a
 * thousand shippers would. Prints rows spooled, dropped and sent, and how often the database was away. */

#define WINDOWS_A_MINUTE 6
#define RETRIES_MAX      600
#define RETRY_NS         (NS_PER_S / 5)

struct load {
	const char *dsn, *dir;
	uint64_t hosts, windows, series, workers, t0_us;
};

struct totals {
	uint64_t spooled, dropped, sent, failures;
};

static struct rollup rollup_of(const struct load *l, uint64_t host, uint64_t window, uint64_t i)
{
	struct rollup r = { .wall_us = l->t0_us + window * 10 * US_PER_S, .n = 10 };

	str_append(r.signal, sizeof(r.signal), "host.load_signal%" PRIu64 "_pct", i);
	r.entity = entity_make(ENTITY_KIND_HOST, "");
	r.last = (double)((host * 31 + window * 7 + i * 13) % 1000) / 10;
	r.min = r.last / 2;
	r.max = r.last * 2;
	r.sum = r.last * r.n;
	return r;
}

static void spool_window(const struct load *l, struct recorder *rec, uint64_t host, uint64_t window)
{
	struct rollups batch = { 0 };

	for (uint64_t i = 0; i < l->series; i++) {
		batch.v[batch.n++] = rollup_of(l, host, window, i);
		if (batch.n < FRAME_ROLLUPS_MAX && i + 1 < l->series)
			continue;
		recorder_ship_rollups(rec, &batch);
		batch.n = 0;
	}
}

static void spool_minute(const struct load *l, const char *dir, uint64_t host, uint64_t first,
			 struct totals *t)
{
	struct recorder rec = { 0 };
	const struct spool_stats *s;

	(void)str_copy(rec.spool_dir, sizeof(rec.spool_dir), dir);
	for (uint64_t w = first; w < first + WINDOWS_A_MINUTE && w < l->windows; w++)
		spool_window(l, &rec, host, w);
	recorder_ship_flush(&rec);
	s = spool_stats(rec.spool);
	t->spooled += s->rows[SPOOL_TELEMETRY];
	t->dropped += s->dropped[SPOOL_TELEMETRY];
	rec.spool = spool_close(rec.spool);
}

static void send_host(const struct load *l, const char *dir, const char *name, bool insists,
		      struct totals *t)
{
	struct ship s;

	if (ship_init(&s, dir, name, l->dsn, NULL) < 0)
		abort();
	for (unsigned i = 0; i < RETRIES_MAX; i++) {
		if (ship_run(&s, NULL) >= 0)
			break;
		t->failures++;
		if (!insists)
			break;
		clock_sleep_ns(RETRY_NS);
	}
	t->sent += s.stats.rows;
	ship_done(&s);
}

static void work(const struct load *l, uint64_t worker, struct totals *t)
{
	for (uint64_t w = 0; w < l->windows; w += WINDOWS_A_MINUTE)
		for (uint64_t h = worker; h < l->hosts; h += l->workers) {
			char dir[512] = "", name[64] = "";

			str_append(name, sizeof(name), "replayed%04" PRIu64, h);
			str_append(dir, sizeof(dir), "%s/%s", l->dir, name);
			(void)mkdir(dir, 0750);
			spool_minute(l, dir, h, w, t);
			send_host(l, dir, name, w + WINDOWS_A_MINUTE >= l->windows, t);
		}
}

static int start_worker(const struct load *l, uint64_t worker, int fd)
{
	struct totals t = { 0 };
	pid_t pid = fork();

	if (pid != 0)
		return pid < 0 ? -1 : 0;
	work(l, worker, &t);
	_exit(write(fd, &t, sizeof(t)) == (ssize_t)sizeof(t) ? 0 : 1);
}

int main(int argc, char **argv)
{
	struct load l = { 0 };
	struct totals all = { 0 }, t;
	uint64_t begin_ns;
	int fds[2];

	if (argc != 8 || str_parse_u64(argv[3], &l.hosts) < 0 ||
	    str_parse_u64(argv[4], &l.windows) < 0 || str_parse_u64(argv[5], &l.series) < 0 ||
	    str_parse_u64(argv[6], &l.workers) < 0 || str_parse_u64(argv[7], &l.t0_us) < 0 ||
	    pipe(fds) < 0) {
		fprintf(stderr, "fleetload DSN DIR HOSTS WINDOWS SERIES WORKERS T0_USEC\n");
		return 2;
	}
	l.dsn = argv[1];
	l.dir = argv[2];
	begin_ns = clock_boot_ns();
	for (uint64_t i = 0; i < l.workers; i++)
		if (start_worker(&l, i, fds[1]) < 0)
			return 1;
	(void)close(fds[1]);
	while (read(fds[0], &t, sizeof(t)) == (ssize_t)sizeof(t)) {
		all.spooled += t.spooled;
		all.dropped += t.dropped;
		all.sent += t.sent;
		all.failures += t.failures;
	}
	while (wait(NULL) > 0)
		;
	printf("{\"spooled\": %" PRIu64 ", \"dropped\": %" PRIu64 ", \"sent\": %" PRIu64
	       ", \"failures\": %" PRIu64 ", \"seconds\": %.3f}\n",
	       all.spooled, all.dropped, all.sent, all.failures,
	       (double)(clock_boot_ns() - begin_ns) / (double)NS_PER_S);
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/args.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "shipper/ship.h"
#include "sys/credential.h"
#include "sys/sandbox.h"

#define SOON_US      (1 * US_PER_S)  /* after records or audit came */
#define LATER_US     (10 * US_PER_S) /* after measurements came */
#define RETRY_US     (1 * US_PER_S)  /* first retry; doubles */
#define RETRY_MAX_US (60 * US_PER_S)

static const char *arg_spool = AIOPS_STATEDIR "/spool", *arg_host = "";

/* The network; getaddrinfo(3) starts no thread. libpq and OpenSSL look for files of their own. */
static const char *const syscalls[] = { "socket", "getsockname", "mkdir", NULL };

static const char help[] =
	"aiops-shipper [--spool DIR] [--host NAME]\n"
	"\n"
	"Sends what the recorder writes to the fleet's PostgreSQL, whose connection string is the\n"
	"credential 'store_dsn'.\n"
	"\n"
	"  --spool DIR  where the recorder leaves it (" AIOPS_STATEDIR "/spool)\n"
	"  --host NAME  what this host is called there (its host name)\n"
	"  --version, --help";

struct shipper {
	sd_event *event;
	sd_event_source *timer;
	struct ship ship;
	char dsn[CREDENTIAL_MAX], host[256];
	uint64_t retry_us,
		armed_us; /* armed_us: when it is sent next, CLOCK_BOOTTIME; 0: not armed */
	bool is_away;
};

static void arm(struct shipper *s, uint64_t span_us)
{
	uint64_t at_us = clock_boot_ns() / NS_PER_US + span_us;

	if (s->armed_us && s->armed_us <= at_us)
		return;
	s->armed_us = at_us;
	(void)sd_event_source_set_time(s->timer, at_us);
	(void)sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

static void tell(struct shipper *s, int r, const struct err *err)
{
	if (r < 0 && !s->is_away)
		log_line(LOG_WARNING, "%s; kept in the spool and tried again", err_text(err));
	if (r >= 0 && s->is_away)
		log_line(LOG_NOTICE, "the store is back; %d rows were sent", r);
	s->is_away = r < 0;
	(void)sd_notify(0, s->is_away ? "STATUS=The store is away" : "STATUS=Sending");
}

static int on_due(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct shipper *s = userdata;
	struct err err = { 0 };
	int r;

	(void)source;
	(void)usec;
	s->armed_us = 0;
	r = ship_run(&s->ship, &err);
	tell(s, r, &err);
	s->retry_us = r >= 0 ? RETRY_US : s->retry_us * 2;
	if (s->retry_us > RETRY_MAX_US)
		s->retry_us = RETRY_MAX_US;
	if (r < 0)
		arm(s, s->retry_us);
	return 0;
}

static int on_change(sd_event_source *source, const struct inotify_event *e, void *userdata)
{
	struct shipper *s = userdata;
	enum spool_lane lane = SPOOL_TELEMETRY;
	uint64_t number;

	(void)source;
	if (s->is_away || (e->len > 0 && spool_parse_name(e->name, &lane, &number) < 0))
		return 0;
	arm(s, lane == SPOOL_TELEMETRY ? LATER_US : SOON_US);
	return 0;
}

static int read_settings(struct shipper *s, struct err *reterr)
{
	int fd = credential_open_dir(reterr), r;

	if (fd < 0)
		return err_set(reterr, fd, "read credential 'store_dsn': none was handed over");
	r = credential_read(fd, "store_dsn", s->dsn, reterr);
	(void)close(fd);
	(void)str_copy(s->host, sizeof(s->host), arg_host);
	if (r == 0 && !arg_host[0] && gethostname(s->host, sizeof(s->host) - 1) < 0)
		r = err_set(reterr, -errno, "read host name: %s", strerror(errno));
	return r;
}

static int prepare(struct shipper *s, struct err *reterr)
{
	int r = read_settings(s, reterr);

	if (r == 0)
		r = ship_init(&s->ship, arg_spool, s->host, s->dsn, reterr);
	if (r < 0)
		return r;
	r = sd_event_default(&s->event);
	if (r >= 0)
		r = sd_event_add_signal(s->event, NULL, SIGTERM | SD_EVENT_SIGNAL_PROCMASK, NULL,
					NULL);
	if (r >= 0)
		r = sd_event_add_signal(s->event, NULL, SIGINT | SD_EVENT_SIGNAL_PROCMASK, NULL,
					NULL);
	if (r >= 0)
		r = sd_event_add_time(s->event, &s->timer, CLOCK_BOOTTIME, 0, US_PER_S / 10, on_due,
				      s);
	if (r >= 0)
		r = sd_event_add_inotify(s->event, NULL, arg_spool,
					 IN_MODIFY | IN_CREATE | IN_MOVED_TO, on_change, s);
	return r < 0 ? err_set(reterr, r, "start event loop: %s", strerror(-r)) : 0;
}

static int run(struct shipper *s, struct err *reterr)
{
	int r = prepare(s, reterr);

	if (r >= 0)
		r = sandbox_enter(syscalls, reterr);
	if (r < 0)
		return r;
	s->retry_us = RETRY_US;
	(void)sd_notify(0, "READY=1\nSTATUS=Sending");
	r = sd_event_loop(s->event);
	(void)sd_notify(0, "STOPPING=1");
	return r < 0 ? err_set(reterr, r, "run event loop: %s", strerror(-r)) : 0;
}

int main(int argc, char **argv)
{
	static const struct arg args[] = { { "spool", &arg_spool, NULL },
					   { "host", &arg_host, NULL },
					   { 0 } };
	struct shipper s = { .ship.spool_fd = -EBADF };
	struct err err = { 0 };
	int r = args_parse(argc, argv, args, help);

	if (r == 0)
		return EXIT_SUCCESS;
	if (r != argc)
		return args_refuse(help);
	log_open("aiops-shipper");
	r = run(&s, &err);
	if (r < 0)
		log_line(LOG_ERR, "%s", err_text(&err));
	ship_done(&s.ship);
	explicit_bzero(s.dsn, sizeof(s.dsn));
	s.timer = sd_event_source_disable_unref(s.timer);
	s.event = sd_event_unref(s.event);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <microhttpd.h>
#include <signal.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "selftests/target/app/log.h"
#include "selftests/target/app/server.h"

/* The service upstream: exchange rates of one base, which move a little from minute to minute, the same
 * for everybody who asks in that minute. */

#define DRIFT_PCT_MAX 1.0

struct upstream {
	const char *name;
	struct server *server;
};

static const struct {
	const char *currency;
	double rate;
} base_rates[] = {
	{ "USD", 1.0872 }, { "GBP", 0.8561 }, { "CHF", 0.9534 }, { "JPY", 163.41 },
	{ "SEK", 11.284 }, { "PLN", 4.3127 }, { "CZK", 25.306 },
};

static sd_event *loop;

/* -1 to 1, from the minute and the currency. Source: SplitMix64. */
static double drift(uint64_t minute, uint64_t currency)
{
	uint64_t z = minute * 16 + currency;

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	z ^= z >> 31;
	return (double)(z % 2001) / 1000.0 - 1.0;
}

static void show_rates(struct request *rq, void *userdata)
{
	const struct upstream *u = userdata;
	_cleanup_json_ struct json_object *o = json_object_new_object(),
					  *rates = json_object_new_object();
	uint64_t minute = clock_wall_us() / US_PER_S / 60;
	bool is_good = o && rates;

	for (size_t i = 0; is_good && i < ELEMENTSOF(base_rates); i++)
		is_good = json_add_double(rates, base_rates[i].currency,
					  base_rates[i].rate *
						  (1 + drift(minute, i) * DRIFT_PCT_MAX / 100)) ==
			  0;
	if (!is_good || json_add_string(o, "source", u->name) < 0 ||
	    json_add_string(o, "base", "EUR") < 0 ||
	    json_add(o, "rates", json_object_get(rates)) < 0)
		request_answer(rq, 0, NULL);
	else
		request_answer(rq, MHD_HTTP_OK, TAKE_PTR(o));
}

static void show_health(struct request *rq, void *userdata)
{
	const struct upstream *u = userdata;
	_cleanup_json_ struct json_object *o = json_object_new_object();

	if (!o || json_add_string(o, "status", "ok") < 0 || json_add_string(o, "name", u->name) < 0)
		request_answer(rq, 0, NULL);
	else
		request_answer(rq, MHD_HTTP_OK, TAKE_PTR(o));
}

static const struct route routes[] = {
	{ "GET", "/healthz", show_health, true },
	{ "GET", "/v1/rates", show_rates, true },
	{ NULL, NULL, NULL, false },
};

static void on_drained(void *userdata)
{
	(void)userdata;
	(void)sd_event_exit(loop, 0);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct upstream *u = userdata;

	(void)source;
	(void)info;
	(void)sd_notify(0, "STOPPING=1");
	server_drain(u->server, on_drained);
	return 0;
}

static int start(struct upstream *u, uint16_t port, struct err *reterr)
{
	struct server_config config = {
		.bind_address = "127.0.0.1", .port = port, .routes = routes, .userdata = u
	};
	sigset_t set;
	int r;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	r = sd_event_default(&loop);
	if (r >= 0)
		r = sd_event_add_signal(loop, NULL, SIGTERM, on_signal, u);
	if (r < 0)
		return err_set(reterr, r, "start event loop: %s", strerror(-r));
	return server_new(loop, &config, &u->server, reterr);
}

int main(int argc, char **argv)
{
	struct upstream u = { 0 };
	uint64_t port = 0;
	struct err err = { 0 };
	int r;

	if (argc != 3 || str_parse_u64(argv[1], &port) < 0 || port > UINT16_MAX) {
		(void)fputs("usage: aiops-target-upstream PORT NAME\n", stderr);
		return 2;
	}
	u.name = argv[2];
	r = start(&u, (uint16_t)port, &err);
	if (r < 0) {
		err.code = r;
		log_event("error", "not-started", err_text(&err));
		return EXIT_FAILURE;
	}
	log_event("info", "started", u.name);
	(void)sd_notifyf(0, "READY=1\nSTATUS=Rates of '%s' on port %u", u.name,
			 server_port(u.server));
	r = sd_event_loop(loop);
	u.server = server_free(u.server);
	loop = sd_event_unref(loop);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

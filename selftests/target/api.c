/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "selftests/target/app/app.h"
#include "selftests/target/app/log.h"
#include "selftests/target/app/work.h"
#include "sys/migrate.h"

/* A service to break and to heal: lists of items in PostgreSQL, prices by exchange rates from upstream.
 * Without a configuration it has neither, and is as alive. */

#define CONNECT_TIMEOUT_MS 2000
#define WAIT_TIMEOUT_MS    2000
#define QUERY_TIMEOUT_MS   3000

static sd_event *loop;

static void on_drained(void *userdata)
{
	(void)userdata;
	(void)sd_event_exit(loop, 0);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct app *app = userdata;

	(void)source;
	(void)info;
	(void)sd_notify(0, "STOPPING=1");
	log_event("info", "stopping", "no new connections; the open ones get their answer");
	server_drain(app->server, on_drained);
	return 0;
}

static int watch_signals(struct app *app, struct err *reterr)
{
	static const int signals[] = { SIGTERM, SIGINT };
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < ELEMENTSOF(signals); i++)
		(void)sigaddset(&set, signals[i]);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	for (size_t i = 0; i < ELEMENTSOF(signals); i++) {
		int r = sd_event_add_signal(loop, NULL, signals[i], on_signal, app);

		if (r < 0)
			return err_set(reterr, r, "watch signals: %s", strerror(-r));
	}
	return 0;
}

static int open_database(struct app *app, struct err *reterr)
{
	struct pool_config config = { .host = app->env.db_host,
				      .name = app->env.db_name,
				      .user = app->env.db_user,
				      .password = app->env.db_password,
				      .port = (uint16_t)app->env.db_port,
				      .connections_max = app->env.db_pool_max,
				      .connect_timeout_ms = CONNECT_TIMEOUT_MS,
				      .wait_timeout_ms = WAIT_TIMEOUT_MS,
				      .query_timeout_ms = QUERY_TIMEOUT_MS };
	_cleanup_(migrations_done) struct migrations m = { 0 };
	_cleanup_close_ int fd = -EBADF;
	int r;

	if (!app->env.db_host[0])
		return 0;
	fd = fd_open_dir(AT_FDCWD, app->env.migrations_dir, reterr);
	r = fd < 0 ? fd : migrations_load(fd, &m, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "open directory '%s'", app->env.migrations_dir);
	app->migrations_expected = m.n;
	return pool_new(loop, &config, &app->pool, reterr);
}

static int open_rates(struct app *app, struct err *reterr)
{
	struct rates_config config = { .url = app->env.rates_url, .cache = &app->cache };

	if (app->env.cache_dir[0])
		app->cache.path = app->env.cache_dir;
	return app->env.rates_url[0] ? rates_new(loop, &config, &app->rates, reterr) : 0;
}

static int start(struct app *app, struct err *reterr)
{
	struct server_config config = { .bind_address = app->env.bind_address,
					.port = (uint16_t)app->env.port,
					.routes = app_routes,
					.userdata = app };
	int r = watch_signals(app, reterr);

	if (r == 0)
		r = open_database(app, reterr);
	if (r == 0)
		r = open_rates(app, reterr);
	return r < 0 ? r : server_new(loop, &config, &app->server, reterr);
}

static void tell_started(const struct app *app)
{
	char text[160] = "";

	str_append(text, sizeof(text), "Answering on port %u, database %s, rates %s",
		   server_port(app->server), app->pool ? "configured" : "off",
		   app->rates ? "configured" : "off");
	log_event("info", "started", text);
	(void)sd_notifyf(0, "READY=1\nSTATUS=%s", text);
}

/* "PORT", "--env FILE", or nothing. */
static int read_arguments(int argc, char **argv, struct env *env, struct err *reterr)
{
	uint64_t port = 0;

	env_init(env);
	if (argc == 3 && str_equal(argv[1], "--env"))
		return env_load(argv[2], env, reterr);
	/* Without a file there is no data behind it, and whoever breaks the host looks from outside. */
	(void)str_copy(env->bind_address, sizeof(env->bind_address), "0.0.0.0");
	if (argc == 1)
		return 0;
	if (argc != 2 || str_parse_u64(argv[1], &port) < 0 || port > UINT16_MAX)
		return err_set(reterr, -EINVAL, "usage: aiops-target-api [PORT | --env FILE]");
	env->port = (uint32_t)port;
	return 0;
}

static void stop(struct app *app)
{
	app->pool = pool_free(app->pool);
	app->rates = rates_free(app->rates);
	app->server = server_free(app->server);
	explicit_bzero(app->env.db_password, sizeof(app->env.db_password));
}

int main(int argc, char **argv)
{
	static struct app app;
	struct err err = { 0 };
	int r = read_arguments(argc, argv, &app.env, &err);

	app.work_chunks = work_measure_chunks();
	if (r == 0 && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		r = err_set(&err, -ENOMEM, "start libcurl: Out of memory");
	if (r == 0)
		r = sd_event_default(&loop);
	if (r >= 0)
		r = start(&app, &err);
	if (r < 0) {
		err.code = r;
		log_event("error", "not-started", err_text(&err));
		(void)sd_notifyf(0, "STATUS=%s", err_text(&err));
	} else {
		tell_started(&app);
		r = sd_event_loop(loop);
		log_event("info", "stopped", "all is answered");
	}
	stop(&app);
	loop = sd_event_unref(loop);
	curl_global_cleanup();
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

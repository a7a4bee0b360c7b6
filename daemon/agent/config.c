/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "agent/agent.h"
#include "base/log.h"
#include "base/message_id.h"
#include "sys/watch.h"

extern const struct action_info action_table[]; /* generated */

int agent_config_load(int root_fd, struct agent_config *ret, struct err *reterr)
{
	struct agent_config c = { 0 };
	int r = services_load(root_fd, &c.services, reterr);

	if (r >= 0)
		r = alerts_load(root_fd, &c.alerts, reterr);
	if (r >= 0)
		r = runbooks_load(root_fd, &c.runbooks, reterr);
	if (r >= 0)
		r = silences_load(root_fd, &c.silences, reterr);
	if (r < 0) {
		agent_config_done(&c);
		return r;
	}
	runbooks_drop_guides(&c.runbooks);
	*ret = c;
	return 0;
}

void agent_config_done(struct agent_config *c)
{
	services_done(&c->services);
	alerts_done(&c->alerts);
	runbooks_done(&c->runbooks);
	silences_done(&c->silences);
	*c = (struct agent_config){ 0 };
}

struct engine_config agent_engine_config(const struct agent *a)
{
	return (struct engine_config){
		.services = &a->config.services,
		.alerts = &a->config.alerts,
		.runbooks = &a->config.runbooks,
		.silences = &a->config.silences,
		.actions = action_table,
		.mode = AUTONOMY_AUTO, /* the executor has the host's mode and the last word */
		.boot_grace_ns = AGENT_BOOT_GRACE_NS,
	};
}

int agent_watch_services(struct agent *a, struct err *reterr)
{
	const struct services *all = &a->config.services;
	const char *names[SERVICES_MAX] = { NULL };
	size_t n = 0;

	for (uint32_t i = 0; i < all->n && i < SERVICES_MAX; i++)
		if (all->v[i].unit[0])
			names[n++] = all->v[i].unit;
	return watch_set_units(a->watch, names, n, reterr);
}

/* Puts the new configuration in the place of the old one, or the old one back. */
static int swap_config(struct agent *a, struct agent_config *new, struct err *reterr)
{
	struct agent_config old = a->config;
	struct engine_config ec;
	int r;

	a->config = *new;
	ec = agent_engine_config(a);
	r = engine_configure(a->engine, &ec, reterr);
	if (r >= 0)
		r = agent_watch_services(a, reterr);
	if (r < 0) {
		a->config = old;
		ec = agent_engine_config(a);
		if (engine_configure(a->engine, &ec, NULL) < 0)
			log_line(LOG_CRIT, "Cannot go back to the old configuration");
		return r;
	}
	*new = old;
	return 0;
}

static void say_reloading(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
			 (uint64_t)now.tv_sec * US_PER_S + (uint64_t)now.tv_nsec / NS_PER_US);
}

static void say_result(struct agent *a, int r, const struct err *err)
{
	const struct log_field loaded = { "MESSAGE_ID", MESSAGE_ID_CONFIG_LOADED };
	const struct log_field refused = { "MESSAGE_ID", MESSAGE_ID_CONFIG_REFUSED };
	const struct agent_config *c = &a->config;
	char text[ERR_TEXT_MAX + 64] = "";

	a->config_error[0] = '\0';
	if (r < 0) {
		(void)str_copy(a->config_error, sizeof(a->config_error), err_text(err));
		str_append(text, sizeof(text), "Configuration refused, the old one is kept: %s",
			   err_text(err));
		log_fields(LOG_ERR, text, &refused, 1);
		return;
	}
	str_append(text, sizeof(text),
		   "Configuration loaded: %u service%s, %u alert%s, %u runbook%s", c->services.n,
		   str_plural(c->services.n), c->alerts.n, str_plural(c->alerts.n), c->runbooks.n,
		   str_plural(c->runbooks.n));
	log_fields(LOG_INFO, text, &loaded, 1);
}

void agent_reload_read(void *userdata, int r, const struct err *err)
{
	struct agent *a = userdata;
	struct agent_config new = { 0 };
	struct err why = *err;

	if (r >= 0)
		r = agent_config_load(a->stage_fd, &new, &why);
	if (r >= 0)
		r = swap_config(a, &new, &why);
	agent_config_done(&new);
	if (r >= 0)
		agent_probes_reload(a);
	say_result(a, r, &why);
	(void)sd_notify(0, "READY=1");
}

void agent_reload(struct agent *a)
{
	struct err err = { 0 };
	int r;

	say_reloading();
	r = reader_ask(&a->reader, &err);
	if (r < 0)
		agent_reload_read(a, r, &err);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gateway/gateway.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/message_id.h"
#include "ipc/listen.h"

#define TIMER_ACCURACY_US 1 /* sd-event's own, 250 ms, would let the checks drift into each other */

static void emit(struct gateway *g, const struct endpoint *e, const char *signal, double value)
{
	struct frame f;

	frame_init(&f, FRAME_SAMPLE);
	(void)str_copy(f.sample.signal, sizeof(f.sample.signal), signal);
	f.sample.entity = entity_make(ENTITY_KIND_ENDPOINT, e->name);
	f.sample.source = SOURCE_HTTP;
	f.sample.provenance = PROVENANCE_PROBE;
	f.sample.t_ns = clock_boot_ns();
	f.sample.value = value;
	peer_server_broadcast(g->peers, &f);
	g->samples++;
}

static void on_checked(void *userdata, bool is_up, const char *text)
{
	struct target *t = userdata;
	uint64_t span_ns = clock_boot_ns() - t->started_ns;

	emit(t->gateway, t->endpoint, "endpoint.up_bool", is_up);
	emit(t->gateway, t->endpoint, "endpoint.latency_ms", (double)span_ns / (double)NS_PER_MS);
	if (t->is_up == is_up)
		return;
	if (is_up)
		log_line(LOG_INFO, "endpoint '%s' is up", t->endpoint->name);
	else
		log_line(LOG_NOTICE, "endpoint '%s' is down: %s", t->endpoint->name, text);
	t->is_up = is_up;
}

/* The next point of the grid that is still to come. */
static void schedule(struct target *t, uint64_t now_ns)
{
	uint64_t interval_ns = t->endpoint->interval_ms * NS_PER_MS;

	t->due_ns += interval_ns;
	if (t->due_ns <= now_ns)
		t->due_ns += (now_ns - t->due_ns) / interval_ns * interval_ns + interval_ns;
	(void)sd_event_source_set_time(t->timer, t->due_ns / NS_PER_US);
	(void)sd_event_source_set_enabled(t->timer, SD_EVENT_ONESHOT);
}

static int on_due(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct target *t = userdata;
	uint64_t now_ns = clock_boot_ns(), before_ns = t->started_ns;

	(void)source;
	(void)usec;
	t->started_ns = now_ns;
	if (check_start(t->check) == -EBUSY) {
		t->started_ns = before_ns;
		t->gateway->overruns++;
	}
	schedule(t, now_ns);
	return 0;
}

static void drop_targets(struct gateway *g)
{
	for (uint32_t i = 0; i < g->n_targets; i++) {
		g->targets[i].timer = sd_event_source_disable_unref(g->targets[i].timer);
		g->targets[i].check = check_free(g->targets[i].check);
	}
	g->n_targets = 0;
}

static int add_target(struct gateway *g, const struct endpoint *e, struct err *reterr)
{
	struct target *t = &g->targets[g->n_targets];
	int r;

	*t = (struct target){ .gateway = g, .endpoint = e, .is_up = -1 };
	r = check_new(g->event, g->loop, e, on_checked, t, &t->check, reterr);
	if (r < 0)
		return r;
	t->due_ns = clock_boot_ns() + g->n_targets * GATEWAY_STAGGER_NS;
	r = sd_event_add_time(g->event, &t->timer, CLOCK_BOOTTIME, t->due_ns / NS_PER_US,
			      TIMER_ACCURACY_US, on_due, t);
	if (r < 0) {
		t->check = check_free(t->check);
		return err_set(reterr, r, "check '%s': %s", e->url, strerror(-r));
	}
	g->n_targets++;
	return 0;
}

static void add_targets(struct gateway *g)
{
	for (uint32_t i = 0; i < g->services.n; i++) {
		const struct service *s = &g->services.v[i];

		for (uint32_t k = 0; k < s->n_endpoints && g->n_targets < GATEWAY_TARGETS_MAX;
		     k++) {
			struct err err = { 0 };

			if (add_target(g, &s->endpoints[k], &err) < 0)
				log_line(LOG_ERR, "endpoint '%s' of service '%s': %s, ignoring",
					 s->endpoints[k].name, s->name, err_text(&err));
		}
	}
}

void gateway_reload(struct gateway *g)
{
	const struct log_field loaded[] = { { "MESSAGE_ID", MESSAGE_ID_CONFIG_LOADED } };
	const struct log_field refused[] = { { "MESSAGE_ID", MESSAGE_ID_CONFIG_REFUSED } };
	struct services services = { 0 };
	struct err err = { 0 };
	char text[ERR_TEXT_MAX + 96] = "";

	if (services_load(g->root_fd, &services, &err) < 0) {
		str_append(text, sizeof(text), "load services: %s; the old ones are kept",
			   err_text(&err));
		log_fields(LOG_ERR, text, refused, ELEMENTSOF(refused));
		return;
	}
	drop_targets(g); /* they borrow from the old services */
	services_done(&g->services);
	g->services = services;
	add_targets(g);
	str_append(text, sizeof(text), "%u endpoint%s checked", g->n_targets,
		   g->n_targets == 1 ? " is" : "s are");
	log_fields(LOG_INFO, text, loaded, ELEMENTSOF(loaded));
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	(void)source;
	(void)info;
	gateway_reload(userdata);
	return 0;
}

static void on_frame(void *userdata, struct peer *p, const struct frame *f)
{
	struct frame answer;

	(void)userdata;
	if (f->type != FRAME_INSPECT)
		return;
	frame_init(&answer, FRAME_INSPECT_DONE);
	answer.inspect_done.id = f->inspect.id;
	answer.inspect_done.r = -ENOENT;
	str_append(answer.inspect_done.text, sizeof(answer.inspect_done.text),
		   "inspect: no inspector '%s' here", f->inspect.inspector);
	(void)peer_send(p, &answer); /* the asker has a deadline of its own */
}

static void on_up(void *userdata, struct peer *p)
{
	struct gateway *g = userdata;

	if (str_equal(peer_process(p), "agent"))
		heartbeat_set_alive(g->heartbeat, true);
}

static void on_down(void *userdata, struct peer *p)
{
	struct gateway *g = userdata;

	if (str_equal(peer_process(p), "agent"))
		heartbeat_set_alive(g->heartbeat, false);
}

/* Without its heartbeat the rest of the gateway is as useful as before. */
static void start_heartbeat(struct gateway *g)
{
	struct err err = { 0 };

	if (heartbeat_new(g->event, g->loop, &g->heartbeat, &err) < 0)
		log_line(LOG_ERR, "%s, ignoring", err_text(&err));
}

static int add_signals(struct gateway *g)
{
	int r = sd_event_add_signal(g->event, &g->reload_signal, SIGHUP | SD_EVENT_SIGNAL_PROCMASK,
				    on_reload, g);

	if (r >= 0)
		r = sd_event_add_signal(g->event, NULL, SIGTERM | SD_EVENT_SIGNAL_PROCMASK, NULL,
					NULL);
	if (r >= 0)
		r = sd_event_add_signal(g->event, NULL, SIGINT | SD_EVENT_SIGNAL_PROCMASK, NULL,
					NULL);
	return r;
}

static int serve(struct gateway *g, const char *runtime_dir, struct err *reterr)
{
	static const struct peer_handlers handlers = { on_frame, on_up, on_down };
	const struct passwd *agent = getpwnam("aiops");
	uid_t uid = agent ? agent->pw_uid : 0;
	int fd = listen_get("gateway", runtime_dir, SOCK_SEQPACKET, reterr);

	if (fd < 0)
		return fd;
	return peer_serve(g->event, fd, "gateway", GATEWAY_PEERS_MAX, &uid, 1, &handlers, g,
			  &g->peers, reterr);
}

int gateway_init(struct gateway *g, const char *root, const char *runtime_dir, struct err *reterr)
{
	int r;

	*g = (struct gateway){ .root_fd = -EBADF };
	g->root_fd = fd_open_dir(AT_FDCWD, root, reterr);
	if (g->root_fd < 0)
		return g->root_fd;
	g->targets = calloc(GATEWAY_TARGETS_MAX, sizeof(*g->targets));
	if (!g->targets || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(reterr, -ENOMEM, "start gateway: Out of memory");
	r = sd_event_default(&g->event);
	if (r >= 0)
		r = add_signals(g);
	if (r < 0)
		return err_set(reterr, r, "start event loop: %s", strerror(-r));
	r = curlloop_new(g->event, check_transferred, &g->loop, reterr);
	if (r >= 0) {
		start_heartbeat(g);
		r = serve(g, runtime_dir, reterr);
	}
	if (r >= 0)
		gateway_reload(g);
	return r;
}

void gateway_done(struct gateway *g)
{
	drop_targets(g);
	free(TAKE_PTR(g->targets));
	g->peers = peer_server_free(g->peers);
	g->heartbeat = heartbeat_free(g->heartbeat);
	g->loop = curlloop_free(g->loop);
	services_done(&g->services);
	g->reload_signal = sd_event_source_disable_unref(g->reload_signal);
	g->event = sd_event_unref(g->event);
	if (g->root_fd >= 0)
		(void)close(TAKE_FD(g->root_fd));
	curl_global_cleanup();
}

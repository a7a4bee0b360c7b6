/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "executor/executor.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/message_id.h"
#include "ipc/listen.h"
#include "sys/credential.h"

#define SWEEP_PERIOD_NS (600 * NS_PER_S)
#define AGENT_USER      "aiops"
#define REMOTE_KEY      "remote-key" /* a credential: sys/credential.h */
/* sd-event would group it with others, up to 250 ms later. */
#define TIMER_ACCURACY_US 10000

/* ---- what the broker asks for ------------------------------------------------------------------ */

static int op_persist(void *userdata, struct entry *e, struct err *reterr)
{
	return store_persist(&((struct executor *)userdata)->store, e, reterr);
}

static int op_save_budget(void *userdata, struct budget *b, struct err *reterr)
{
	return store_save_budget(&((struct executor *)userdata)->store, b, reterr);
}

static int op_save_state(void *userdata, struct broker_state *s, struct err *reterr)
{
	return store_save_state(&((struct executor *)userdata)->store, s, reterr);
}

static int op_write_step(void *userdata, const struct entry *e, uint64_t not_after_ns,
			 struct err *reterr)
{
	return store_write_step(&((struct executor *)userdata)->store, e, not_after_ns, reterr);
}

static int op_start(void *userdata, const char *key, enum step_profile profile, struct err *reterr)
{
	return starter_start(((struct executor *)userdata)->starter, key, profile, reterr);
}

static int op_revoke(void *userdata, const char *key, struct err *reterr)
{
	struct executor *x = userdata;

	starter_cancel(x->starter, key);
	return store_revoke(&x->store, key, reterr);
}

static int op_look(void *userdata, const char *key, struct step_claim *ret_claim, bool *ret_claimed,
		   struct step_result *ret, struct err *reterr)
{
	return store_look(&((struct executor *)userdata)->store, key, ret_claim, ret_claimed, ret,
			  reterr);
}

static int op_look_expired(void *userdata, const char *key, struct step_result *ret,
			   struct err *reterr)
{
	return step_expired_read(((struct executor *)userdata)->store.steps_fd, key, ret, reterr);
}

static void op_forget(void *userdata, const char *key)
{
	store_forget(&((struct executor *)userdata)->store, key);
}

static bool op_is_stopped(void *userdata)
{
	return store_is_stopped(&((struct executor *)userdata)->store);
}

static bool op_audit_is_full(void *userdata)
{
	return ((struct executor *)userdata)->audit.n >= AUDIT_FULL_AT;
}

static bool op_audit_is_behind(void *userdata)
{
	const struct executor *x = userdata;

	return !x->recorder || !peer_is_up(x->recorder);
}

static const struct broker_ops broker_ops = {
	.persist = op_persist,
	.save_budget = op_save_budget,
	.save_state = op_save_state,
	.write_step = op_write_step,
	.start = op_start,
	.revoke = op_revoke,
	.look = op_look,
	.look_expired = op_look_expired,
	.forget = op_forget,
	.is_stopped = op_is_stopped,
	.audit_is_full = op_audit_is_full,
	.audit_is_behind = op_audit_is_behind,
	.audit = executor_tell_audit,
	.changed = executor_tell_changed,
};

/* ---- what comes in ------------------------------------------------------------------------------ */

struct broker *executor_broker(struct executor *x)
{
	broker_time(&x->broker, clock_boot_ns(), clock_wall_us());
	return &x->broker;
}

void executor_turn(struct executor *x)
{
	uint64_t next_ns = broker_next_ns(&x->broker);

	audit_queue_send(&x->audit, x->recorder);
	if (next_ns == CLOCK_NEVER_NS) {
		(void)sd_event_source_set_enabled(x->timer, SD_EVENT_OFF);
		return;
	}
	(void)sd_event_source_set_time(x->timer, next_ns / NS_PER_US + 1);
	(void)sd_event_source_set_enabled(x->timer, SD_EVENT_ONESHOT);
}

static void on_answered(void *userdata, const char *key, int r, const struct err *err)
{
	struct executor *x = userdata;

	broker_start_answered(executor_broker(x), key, r, err);
	executor_turn(x);
}

static void on_alive(void *userdata, const char *key)
{
	struct executor *x = userdata;

	broker_start_alive(executor_broker(x), key);
	executor_turn(x);
}

static void on_removed(void *userdata, const char *key)
{
	struct executor *x = userdata;

	broker_job_removed(executor_broker(x), key);
	executor_turn(x);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct executor *x = userdata;

	(void)source;
	(void)usec;
	broker_tick(executor_broker(x));
	executor_turn(x);
	return 0;
}

static int on_sweep(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct executor *x = userdata;

	(void)usec;
	store_sweep(&x->store, &x->broker.attempts);
	(void)sd_event_source_set_time_relative(source, SWEEP_PERIOD_NS / NS_PER_US);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* A claim or a result of a step. After an overflow of the queue everything is looked at. */
static int on_inotify(sd_event_source *source, const struct inotify_event *event, void *userdata)
{
	struct executor *x = userdata;
	struct broker *b = executor_broker(x);
	char key[STR_HEX128_MAX] = "";

	(void)source;
	if (event->mask & IN_Q_OVERFLOW) {
		broker_look_at_all(b);
	} else if (event->len > 0) {
		(void)str_copy(key, sizeof(key), event->name);
		if (str_is_hex128(key))
			broker_look(b, key);
	}
	executor_turn(x);
	return 0;
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	(void)source;
	(void)info;
	(void)sd_notify(0, "RELOADING=1");
	executor_load_policy(userdata);
	(void)sd_notify(0, "READY=1");
	return 0;
}

/* ---- begin and end ------------------------------------------------------------------------------ */

static void tell_policy(const struct executor *x, int r, const struct err *err)
{
	const struct log_field field = { "MESSAGE_ID", r < 0 ? MESSAGE_ID_POLICY_REFUSED :
							       MESSAGE_ID_CONFIG_LOADED };
	char text[ERR_TEXT_MAX + 64] = "";

	if (r < 0)
		str_append(text, sizeof(text), "Policy refused, every action is denied: %s",
			   err_text(err));
	else
		str_append(text, sizeof(text), "Policy loaded: %u rule%s, mode %s",
			   x->policy.n_rules, str_plural(x->policy.n_rules),
			   autonomy_to_string(x->policy.mode));
	log_fields(r < 0 ? LOG_ERR : LOG_INFO, text, &field, 1);
	(void)sd_notifyf(0, "STATUS=%s", text);
}

/* A bad file takes all of them away; one that names what is not here, itself. */
static void load_aliases(struct executor *x)
{
	struct err err = { 0 };
	uint32_t n = 0;

	x->aliases_error[0] = '\0';
	if (aliases_load(x->root_fd, &x->aliases, &err) < 0) {
		(void)str_copy(x->aliases_error, sizeof(x->aliases_error), err_text(&err));
		log_line(LOG_ERR, "Aliases refused, there are none: %s", err_text(&err));
	}
	for (uint32_t i = 0; i < x->aliases.n; i++)
		if (alias_lint(&x->aliases.v[i], action_table, &err) == 0)
			x->aliases.v[n++] = x->aliases.v[i];
		else
			log_line(LOG_ERR, "Alias '%s' refused: %s", x->aliases.v[i].name,
				 err_text(&err));
	x->aliases.n = n;
}

void executor_load_policy(struct executor *x)
{
	struct services services = { 0 };
	struct policy policy = { 0 };
	struct err err = { 0 };
	int r = policy_load(x->root_fd, &policy, &err);

	if (r == 0)
		r = services_load_trusted(x->root_fd, &services, &err);
	if (r < 0) {
		policy_done(&policy);
		services_done(&services);
	}
	policy_done(&x->policy);
	services_done(&x->services);
	x->policy = r < 0 ? (struct policy){ 0 } : policy;
	x->services = r < 0 ? (struct services){ 0 } : services;
	broker_set_policy(&x->broker, r < 0 ? NULL : &x->policy, &x->services,
			  r < 0 ? err_text(&err) : "");
	tell_policy(x, r, &err);
	load_aliases(x);
}

static int add_sources(struct executor *x)
{
	int r = sd_event_add_time(x->event, &x->timer, CLOCK_BOOTTIME, 0, TIMER_ACCURACY_US,
				  on_timer, x);

	if (r >= 0)
		r = sd_event_source_set_enabled(x->timer, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time_relative(x->event, &x->sweep_timer, CLOCK_MONOTONIC,
					       SWEEP_PERIOD_NS / NS_PER_US, 0, on_sweep, x);
	if (r >= 0)
		r = sd_event_add_inotify_fd(x->event, &x->inotify, x->store.steps_fd,
					    IN_CREATE | IN_MOVED_TO | IN_MODIFY, on_inotify, x);
	if (r >= 0)
		r = sd_event_add_signal(x->event, &x->reload_signal, SIGHUP, on_reload, x);
	if (r >= 0)
		r = sd_event_add_signal(x->event, NULL, SIGTERM, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(x->event, NULL, SIGINT, NULL, NULL);
	return r;
}

static int make_event(sd_event **ret, struct err *reterr)
{
	sigset_t set;
	int r;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	r = sd_event_new(ret);
	return r < 0 ? err_set(reterr, r, "make event loop: %s", strerror(-r)) : 0;
}

int executor_init(struct executor *x, const struct executor_paths *paths, struct err *reterr)
{
	static const struct starter_handlers handlers = { .answered = on_answered,
							  .alive = on_alive,
							  .removed = on_removed };
	unsigned n_bad;
	int r;

	x->paths = *paths;
	r = store_open(&x->store, paths->runtime_dir, reterr);
	if (r < 0)
		return r;
	r = make_event(&x->event, reterr);
	if (r < 0)
		return r;
	x->root_fd = fd_open_dir(AT_FDCWD, paths->root, reterr);
	if (x->root_fd < 0)
		return x->root_fd;
	broker_init(&x->broker, &broker_ops, x, x->store.boot_id);
	executor_load_policy(x);
	n_bad = store_load(&x->store, &x->broker);
	if (store_load_keys(&x->store, &x->keys, reterr) < 0) {
		x->broker.state.paused = true; /* what was asked for before may come again */
		n_bad++;
	}
	if (n_bad > 0)
		log_line(LOG_ERR, "%u file%s of the last run could not be read%s", n_bad,
			 str_plural(n_bad),
			 x->broker.state.paused ? ": paused until a person resumes" : "");
	audit_queue_init(&x->audit, &x->store);
	r = starter_new(x->event, &handlers, x, &x->starter, reterr);
	if (r < 0)
		return r;
	r = add_sources(x);
	return r < 0 ? err_set(reterr, r, "watch '%s': %s", paths->runtime_dir, strerror(-r)) : 0;
}

/* The uid of the agent; our own where we all run by hand. */
static uid_t agent_uid(void)
{
	const struct passwd *pw = getpwnam(AGENT_USER);

	return pw ? pw->pw_uid : geteuid();
}

/* What the agent accepts on control.sock and is ours. */
static int serve_control(struct executor *x, struct err *reterr)
{
	char name[256] = "";
	const struct receiver_source source = { .uid = agent_uid(),
						.name = name,
						.server = x->http };
	int fd = listen_get("plane", x->paths.runtime_dir, SOCK_DGRAM, reterr);

	if (fd < 0)
		return fd;
	str_append(name, sizeof(name), "%s/control.sock", x->paths.runtime_dir);
	return receiver_new(x->event, fd, &source, &x->receiver, reterr);
}

/* Where systemd has the socket for it: callers that are known by a key alone. Without one, or with a bad
 * one, it is there and opens to nobody. */
static int serve_remote(struct executor *x, struct err *reterr)
{
	_cleanup_close_ int credentials_fd = -EBADF;
	char key[CREDENTIAL_MAX] = "";
	struct err err = { 0 };
	int fd = listen_find("remote", SOCK_STREAM, reterr), r;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	r = http_serve(x->event, fd, executor_endpoints, x, &x->remote, reterr);
	if (r < 0)
		return r;
	credentials_fd = credential_open_dir(&err);
	r = credential_read(credentials_fd, REMOTE_KEY, key, &err);
	if (r == 0)
		r = http_require_key(x->remote, key, &err);
	explicit_bzero(key, sizeof(key));
	if (r < 0) {
		log_line(LOG_WARNING, "Remote callers are refused: %s", err_text(&err));
		return http_require_key(x->remote, "", reterr);
	}
	return 0;
}

int executor_serve(struct executor *x, struct err *reterr)
{
	const uid_t uids[] = { agent_uid(), geteuid() };
	const char *dir = x->paths.runtime_dir;
	char path[512] = "";
	int fd = listen_get("exec", dir, SOCK_SEQPACKET, reterr), r;

	if (fd < 0)
		return fd;
	r = peer_serve(x->event, fd, "executor", EXECUTOR_PEERS_MAX, uids, ELEMENTSOF(uids),
		       &executor_agent_handlers, x, &x->agents, reterr);
	if (r < 0)
		return r;
	str_append(path, sizeof(path), "%s/record.sock", dir);
	r = peer_connect(x->event, path, "executor", &executor_recorder_handlers, x, &x->recorder,
			 reterr);
	if (r < 0)
		return r;
	fd = listen_get("approve", dir, SOCK_STREAM, reterr);
	if (fd < 0)
		return fd;
	r = http_serve(x->event, fd, executor_endpoints, x, &x->http, reterr);
	if (r < 0)
		return r;
	r = serve_control(x, reterr);
	if (r < 0)
		return r;
	r = serve_remote(x, reterr);
	if (r < 0)
		return r;
	/* Only now: what it finds is told to whoever listens. */
	broker_resume(executor_broker(x));
	executor_turn(x);
	return 0;
}

void executor_done(struct executor *x)
{
	x->receiver = receiver_free(x->receiver);
	x->http = http_server_free(x->http);
	x->remote = http_server_free(x->remote);
	x->agents = peer_server_free(x->agents);
	x->recorder = peer_free(x->recorder);
	x->starter = starter_free(x->starter);
	sd_event_source_disable_unref(x->timer);
	sd_event_source_disable_unref(x->sweep_timer);
	sd_event_source_disable_unref(x->inotify);
	sd_event_source_disable_unref(x->reload_signal);
	broker_done(&x->broker);
	policy_done(&x->policy);
	services_done(&x->services);
	store_done(&x->store);
	closep(&x->root_fd);
	sd_event_unref(x->event);
}

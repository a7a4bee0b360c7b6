/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recorder/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/message_id.h"
#include "ipc/listen.h"

#define AUDIT_RETRY_NS NS_PER_S
#define STATE_MODE     0750

static void arm(sd_event_source *timer, uint64_t span_ns)
{
	(void)sd_event_source_set_time_relative(timer, span_ns / NS_PER_US);
	(void)sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

static bool is_armed(sd_event_source *timer)
{
	int enabled = SD_EVENT_OFF;

	return sd_event_source_get_enabled(timer, &enabled) >= 0 && enabled != SD_EVENT_OFF;
}

static void flush_history(struct recorder *r)
{
	history_flush(r->history);
	recorder_ship_flush(r);
	if (history_is_waiting(r->history) || history_stats(r->history)->error[0])
		arm(r->batch_timer, HISTORY_BATCH_NS);
}

static int on_batch(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	flush_history(userdata);
	return 0;
}

static int on_expire(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct recorder *r = userdata;

	(void)usec;
	/* Small deletes with pauses between: frames and queries wait for none of them long. */
	arm(source, history_expire(r->history, clock_wall_us()) ? NS_PER_S : HISTORY_EXPIRE_NS);
	return 0;
}

static int on_audit(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)usec;
	if (!recorder_audit_flush(userdata))
		arm(source, AUDIT_RETRY_NS);
	return 0;
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	(void)source;
	(void)info;
	recorder_reload(userdata);
	return 0;
}

static void take_history(struct recorder *r, bool is_full)
{
	if (is_full && !history_stats(r->history)->error[0])
		flush_history(r);
	else if (!is_armed(r->batch_timer))
		arm(r->batch_timer, HISTORY_BATCH_NS);
}

/* The audit trail is the executor's: who says what was done is who does it. Its user vouches for that;
 * the name alone would be anybody's claim, the agent's too. */
static bool is_executor(const struct recorder *r, const struct peer *p)
{
	uid_t uid = peer_uid(p);

	return str_equal(peer_process(p), "executor") && (uid == 0 || uid == r->executor_uid);
}

static void take_audit(struct recorder *r, struct peer *p, const struct audit_entry *entry)
{
	if (!is_executor(r, p)) {
		log_line(LOG_WARNING,
			 "take audit entry: '%s' (uid %u) is not the executor, ignoring",
			 peer_process(p), peer_uid(p));
		return;
	}
	r->executor = p;
	recorder_audit_add(r, entry);
	if (r->n_audit > 0 && !is_armed(r->audit_timer))
		arm(r->audit_timer, AUDIT_RETRY_NS);
}

static void on_frame(void *userdata, struct peer *p, const struct frame *f)
{
	struct recorder *r = userdata;

	switch ((enum frame_type)f->type) {
	case FRAME_RECORD:
		recorder_ship_record(r, &f->record);
		take_history(r, history_add_record(r->history, &f->record));
		break;
	case FRAME_ROLLUP:
		recorder_ship_rollups(r, &f->rollups);
		take_history(r, history_add_rollups(r->history, &f->rollups));
		break;
	case FRAME_INSPECT:
		recorder_inspect(r, p, &f->inspect);
		break;
	case FRAME_AUDIT:
		take_audit(r, p, &f->audit);
		break;
	case FRAME_HELLO:
	case FRAME_BYE:
		break;
	case FRAME_SAMPLE:
	case FRAME_EVIDENCE:
	case FRAME_INSPECT_DONE:
	case FRAME_PROPOSE:
	case FRAME_REVERT:
	case FRAME_QUERY:
	case FRAME_ATTEMPT:
	case FRAME_AUDIT_ACK:
	case _FRAME_TYPE_MAX:
		log_line(LOG_WARNING, "take frame from '%s': %s is not for the recorder, ignoring",
			 peer_process(p), frame_type_to_string(f->type));
	}
}

static void on_up(void *userdata, struct peer *p)
{
	(void)userdata;
	log_line(LOG_INFO, "%s is here (uid %u)", peer_process(p), peer_uid(p));
}

static void on_down(void *userdata, struct peer *p)
{
	struct recorder *r = userdata;

	if (r->executor == p)
		r->executor = NULL;
	log_line(LOG_INFO, "%s is gone", peer_process(p));
}

void recorder_reload(struct recorder *r)
{
	const struct log_field loaded[] = { { "MESSAGE_ID", MESSAGE_ID_CONFIG_LOADED } };
	const struct log_field refused[] = { { "MESSAGE_ID", MESSAGE_ID_CONFIG_REFUSED } };
	struct services services = { 0 };
	struct err err = { 0 };
	char text[ERR_TEXT_MAX + 96] = "";

	if (services_load(r->root_fd, &services, &err) < 0) {
		str_append(text, sizeof(text), "load services: %s; the old ones are kept",
			   err_text(&err));
		log_fields(LOG_ERR, text, refused, ELEMENTSOF(refused));
		return;
	}
	services_done(&r->services);
	r->services = services;
	str_append(text, sizeof(text), "%u service%s managed", services.n,
		   services.n == 1 ? " is" : "s are");
	log_fields(LOG_INFO, text, loaded, ELEMENTSOF(loaded));
}

/* Returns the user's id, or root's where there is no such user: root is let in anyway. */
static uid_t find_uid(const char *user)
{
	const struct passwd *p = getpwnam(user);

	return p ? p->pw_uid : 0;
}

static int open_state(struct recorder *r, const struct recorder_paths *paths, struct err *reterr)
{
	char path[sizeof(r->audit_dir)] = "";
	struct err err = { 0 };
	int q;

	if (mkdir(paths->state_dir, STATE_MODE) < 0 && errno != EEXIST)
		return err_set(reterr, -errno, "make state directory '%s': %s", paths->state_dir,
			       strerror(errno));
	str_append(path, sizeof(path), "%s/history.db", paths->state_dir);
	str_append(r->audit_dir, sizeof(r->audit_dir), "%s/audit", paths->state_dir);
	str_append(r->knowledge.path, sizeof(r->knowledge.path), "%s/" KNOWLEDGE_FILE_NAME,
		   paths->state_dir);
	str_append(r->spool_dir, sizeof(r->spool_dir), "%s/spool", paths->state_dir);
	q = history_new(&store_sqlite, path, &r->history, reterr);
	if (q < 0)
		return q;
	r->audit_queue = calloc(RECORDER_AUDIT_MAX, sizeof(*r->audit_queue));
	if (!r->audit_queue)
		return err_set(reterr, -ENOMEM, "start recorder: Out of memory");
	if (recorder_audit_open(r, &err) < 0)
		log_line(LOG_CRIT, "%s; tried again with the next entry", err_text(&err));
	return 0;
}

static int add_timers(struct recorder *r)
{
	int q = sd_event_add_time_relative(r->event, &r->batch_timer, CLOCK_BOOTTIME, 0, 0,
					   on_batch, r);

	if (q >= 0)
		q = sd_event_source_set_enabled(r->batch_timer, SD_EVENT_OFF);
	if (q >= 0)
		q = sd_event_add_time_relative(r->event, &r->audit_timer, CLOCK_BOOTTIME, 0, 0,
					       on_audit, r);
	if (q >= 0)
		q = sd_event_source_set_enabled(r->audit_timer, SD_EVENT_OFF);
	if (q >= 0)
		q = sd_event_add_time_relative(r->event, &r->expire_timer, CLOCK_BOOTTIME,
					       HISTORY_EXPIRE_NS / NS_PER_US, 0, on_expire, r);
	return q;
}

/* SIGTERM and SIGINT end the loop in order; what waits is written by recorder_done(). */
static int add_signals(struct recorder *r)
{
	int q = sd_event_add_signal(r->event, &r->reload_signal, SIGHUP | SD_EVENT_SIGNAL_PROCMASK,
				    on_reload, r);

	if (q >= 0)
		q = sd_event_add_signal(r->event, NULL, SIGTERM | SD_EVENT_SIGNAL_PROCMASK, NULL,
					NULL);
	if (q >= 0)
		q = sd_event_add_signal(r->event, NULL, SIGINT | SD_EVENT_SIGNAL_PROCMASK, NULL,
					NULL);
	return q;
}

static int serve(struct recorder *r, const char *runtime_dir, struct err *reterr)
{
	static const struct peer_handlers handlers = { on_frame, on_up, on_down };
	const uid_t uids[] = { find_uid("aiops"), find_uid("aiops-exec") };
	int fd, q;

	r->executor_uid = uids[1];
	fd = listen_get("record", runtime_dir, SOCK_SEQPACKET, reterr);
	if (fd < 0)
		return fd;
	q = peer_serve(r->event, fd, "recorder", RECORDER_PEERS_MAX, uids, ELEMENTSOF(uids),
		       &handlers, r, &r->peers, reterr);
	if (q < 0)
		return q;
	fd = listen_get("history", runtime_dir, SOCK_STREAM, reterr);
	if (fd < 0)
		return fd;
	return http_serve(r->event, fd, recorder_endpoints, r, &r->http, reterr);
}

int recorder_init(struct recorder *r, const struct recorder_paths *paths, struct err *reterr)
{
	int q;

	*r = (struct recorder){ .root_fd = -EBADF };
	r->root_fd = fd_open_dir(AT_FDCWD, paths->root, reterr);
	if (r->root_fd < 0)
		return r->root_fd;
	q = sd_event_default(&r->event);
	if (q >= 0)
		q = add_timers(r);
	if (q >= 0)
		q = add_signals(r);
	if (q < 0)
		return err_set(reterr, q, "start event loop: %s", strerror(-q));
	q = open_state(r, paths, reterr);
	if (q < 0)
		return q;
	recorder_reload(r);
	return serve(r, paths->runtime_dir, reterr);
}

void recorder_done(struct recorder *r)
{
	r->http = http_server_free(r->http);
	r->peers = peer_server_free(r->peers);
	r->executor = NULL;
	r->history = history_free(r->history);
	r->audit = audit_close(r->audit);
	r->knowledge.db = knowledge_close(r->knowledge.db);
	r->spool = spool_close(r->spool);
	free(TAKE_PTR(r->audit_queue));
	services_done(&r->services);
	r->batch_timer = sd_event_source_disable_unref(r->batch_timer);
	r->audit_timer = sd_event_source_disable_unref(r->audit_timer);
	r->expire_timer = sd_event_source_disable_unref(r->expire_timer);
	r->reload_signal = sd_event_source_disable_unref(r->reload_signal);
	r->event = sd_event_unref(r->event);
	if (r->root_fd >= 0)
		(void)close(TAKE_FD(r->root_fd));
}

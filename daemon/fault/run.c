/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "fault/fault.h"
#include "sys/sandbox.h"
#include "sys/unitctl.h"

#define TICK_USEC        (NS_PER_S / 2 / NS_PER_US)
#define TICK_SLACK_USEC  (US_PER_S / 100)
#define BARRIER_MAX_USEC (5 * US_PER_S)

static void event_unrefp(sd_event **e)
{
	(void)sd_event_unref(*e);
}

int fault_open(struct fault *f, const char *root, const char *runtime_dir, const char *key,
	       struct err *reterr)
{
	*f = (struct fault){ .root_fd = -EBADF, .run_fd = -EBADF, .dir_fd = -EBADF };
	f->context = (struct fault_context){
		.params = &f->record.params,
		.key = f->key,
		.record = fault_write_undo,
		.text = f->text,
		.text_size = sizeof(f->text),
	};
	if (!str_is_hex128(key))
		return err_set(reterr, -EINVAL, "open fault: a key is 32 hexadecimal digits");
	(void)str_copy(f->key, sizeof(f->key), key);
	(void)str_copy(f->status.key, sizeof(f->status.key), key);
	f->root_fd = fd_open_dir(AT_FDCWD, root, reterr);
	if (f->root_fd < 0)
		return f->root_fd;
	f->run_fd = fd_open_dir(AT_FDCWD, runtime_dir, reterr);
	if (f->run_fd < 0)
		return f->run_fd;
	f->dir_fd = fd_open_dir(f->run_fd, "faults", reterr);
	return f->dir_fd < 0 ? f->dir_fd : 0;
}

void fault_done(struct fault *f)
{
	if (f->ops && f->ops->release && f->context.priv)
		f->ops->release(&f->context);
	f->context.bus = unitctl_close(f->context.bus);
	closep(&f->dir_fd);
	closep(&f->run_fd);
	closep(&f->root_fd);
}

/* The kernel lets go of the lock when we die; what we leave undone is found by fault_find_other(). */
static int take_host(const struct fault *f, struct err *reterr)
{
	if (flock(f->dir_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	return err_set(reterr, errno == EWOULDBLOCK ? -EBUSY : -errno, "inject fault: %s",
		       errno == EWOULDBLOCK ? "another one is active on this host" :
					      strerror(errno));
}

static void describe_request(struct fault *f)
{
	const char *unit = fault_params_unit(&f->record.params);

	f->status.reverts = f->ops->reverts;
	f->status.duration_ns = f->context.duration_ns = f->record.duration_ns;
	(void)str_copy(f->status.unit, sizeof(f->status.unit), unit ?: "");
	(void)params_format(&f->record.params, f->status.params, sizeof(f->status.params));
}

static int validate(struct fault *f, struct err *reterr)
{
	int r = fault_read_record(f, reterr);

	if (r <= 0)
		return r < 0 ? r : err_set(reterr, -ENOENT, "no fault is asked for by this key");
	(void)str_copy(f->status.fault, sizeof(f->status.fault), f->record.fault);
	(void)str_copy(f->status.requester, sizeof(f->status.requester), f->record.requester);
	f->ops = fault_find(f->record.fault);
	if (!f->ops)
		return err_set(reterr, -ENOENT, "there is no fault '%s'", f->record.fault);
	r = params_check(f->ops->params, &f->record.params, reterr);
	if (r < 0)
		return r;
	describe_request(f);
	r = take_host(f, reterr);
	if (r == 0)
		r = fault_gate(f, fault_params_unit(&f->record.params), reterr);
	if (r == 0)
		r = unitctl_open(&f->context.bus, reterr);
	return r == 0 && f->ops->check ? f->ops->check(&f->context, reterr) : r;
}

static int refuse(struct fault *f, enum fault_state state, int code, const struct err *err)
{
	f->status.error = code;
	(void)str_copy(f->status.text, sizeof(f->status.text), err_text(err));
	fault_enter(f, state);
	return code;
}

/* From here PID 1 ends us. A template cannot carry the duration, and EXTEND_TIMEOUT_USEC= is
 * forgotten at the next daemon-reload (which an action may well cause), so it is the watchdog that
 * carries it: told once and never fed, it survives a reload and a re-execution of PID 1. Where it was not
 * told nothing is broken. By hand (there is no NOTIFY_SOCKET) there is nobody to tell. */
static int arm(struct fault *f, struct err *reterr)
{
	uint64_t usec = (f->context.duration_ns + FAULT_GRACE_NS) / NS_PER_US;
	int r;

	f->status.deadline_ns = clock_boot_ns() + f->context.duration_ns;
	r = sd_notifyf(0, "READY=1\nWATCHDOG_USEC=%" PRIu64 "\nSTATUS=%s", usec, f->status.fault);
	if (r > 0)
		r = sd_notify_barrier(0, BARRIER_MAX_USEC);
	if (r < 0)
		return err_set(reterr, r, "tell systemd when to end fault '%s': %s", f->key,
			       strerror(-r));
	fault_enter(f, FAULT_STATE_ARMED);
	return 0;
}

static void observe(struct fault *f)
{
	struct err err = { 0 };
	int r;

	f->text[0] = '\0';
	r = f->ops->effect(&f->context, &err);
	if (r < 0)
		(void)str_copy(f->status.text, sizeof(f->status.text), err_text(&err));
	if (r <= 0)
		return;
	(void)str_copy(f->status.text, sizeof(f->status.text), f->text);
	fault_enter(f, FAULT_STATE_OBSERVED);
}

/* Over by itself, and there is nothing more to wait for. */
static bool is_over(struct fault *f, uint64_t observe_end_ns)
{
	struct err err = { 0 };

	if (!fault_status_was_observed(&f->status) && clock_boot_ns() < observe_end_ns)
		return false;
	return f->ops->active(&f->context, &err) == 0;
}

struct watch {
	struct fault *fault;
	uint64_t observe_end_ns;
};

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	const struct watch *w = userdata;
	sd_event *event = sd_event_source_get_event(source);

	(void)usec;
	if (!fault_status_was_observed(&w->fault->status))
		observe(w->fault);
	if (fault_is_stopped(w->fault) || is_over(w->fault, w->observe_end_ns))
		return sd_event_exit(event, 0);
	return sd_event_source_set_time_relative(source, TICK_USEC) < 0 ?
		       sd_event_exit(event, 0) :
		       sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* What is left to do once a fault is injected: look at it and end it. No new program, no new process,
 * no BPF. */
int fault_confine(struct err *reterr)
{
	static const char *const syscalls[] = { "socket", "pidfd_open", "pidfd_send_signal",
						"wait4", NULL };

	return sandbox_enter(syscalls, reterr);
}

/* Until the deadline, SIGTERM, the stop file, or there is nothing left to end. */
static int hold(struct fault *f, struct err *reterr)
{
	_cleanup_(event_unrefp) sd_event *event = NULL;
	struct watch w = { .fault = f, .observe_end_ns = clock_boot_ns() + FAULT_OBSERVE_MAX_NS };
	int r = sd_event_new(&event);

	if (r >= 0)
		r = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(event, NULL, SIGINT, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_time(event, NULL, CLOCK_BOOTTIME,
				      f->status.deadline_ns / NS_PER_US, TICK_SLACK_USEC, NULL,
				      NULL);
	if (r >= 0)
		r = sd_event_add_time_relative(event, NULL, CLOCK_BOOTTIME, TICK_USEC / 5,
					       TICK_SLACK_USEC, on_tick, &w);
	if (r >= 0)
		r = sd_event_loop(event);
	return r < 0 ? err_set(reterr, r, "wait: %s", strerror(-r)) : 0;
}

static int revert(struct fault *f, struct err *reterr)
{
	int has_undo = fault_has_file(f, ".undo");

	if (f->ops->release && f->context.priv)
		f->ops->release(&f->context);
	if (has_undo)
		return fault_undo_all(f, reterr);
	fault_enter(f, FAULT_STATE_VERIFIED);
	return 0;
}

static int inject(struct fault *f, struct err *reterr)
{
	struct err undo_err = { 0 };
	int r = f->ops->inject(&f->context, reterr);

	if (r == 0) {
		fault_enter(f, FAULT_STATE_INJECTED);
		return 0;
	}
	/* A fault that could not be undone stays STUCK; one that could is FAILED, with the cause. */
	if (revert(f, &undo_err) < 0)
		return r;
	return refuse(f, FAULT_STATE_FAILED, r, reterr);
}

static void say_no_effect(struct fault *f)
{
	if (fault_status_was_observed(&f->status))
		return;
	if (!f->status.text[0])
		(void)str_copy(f->status.text, sizeof(f->status.text), "no effect was seen");
	if (f->status.error == 0)
		f->status.error = -ENODATA;
}

static void block_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGPIPE);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
}

/* Whatever ran under this key before did not end it. */
static int recover(struct fault *f, struct err *reterr)
{
	(void)sd_notify(0, "READY=1");
	return fault_clear(f, reterr);
}

int fault_run(struct fault *f, struct err *reterr)
{
	int r;

	block_signals();
	if (fault_has_file(f, ".undo") || fault_has_file(f, ".status"))
		return recover(f, reterr);
	if (fault_has_file(f, ".result"))
		return err_set(reterr, -EALREADY, "inject fault '%s': that was done already",
			       f->key);
	r = validate(f, reterr);
	if (r < 0)
		return refuse(f, FAULT_STATE_REFUSED, r, reterr);
	fault_enter(f, FAULT_STATE_PLANNED);
	r = arm(f, reterr);
	if (r < 0)
		return refuse(f, FAULT_STATE_REFUSED, r, reterr);
	r = inject(f, reterr);
	if (r < 0)
		return r;
	r = fault_confine(reterr);
	if (r == 0)
		r = hold(f, reterr);
	say_no_effect(f);
	if (r < 0) {
		struct err ignored = { 0 };

		(void)revert(f, &ignored);
		return r;
	}
	return revert(f, reterr);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "model/entity.h"

/* The state of systemd units by D-Bus signals. Nothing here waits: connecting, authenticating and every
 * call are asynchronous, with deadlines of our own (sd-bus would wait 25 s and 90 s).
 * Source: org.freedesktop.systemd1(5). */

#define UNITBUS_CALL_NS      (3 * NS_PER_S) /* of each call, and of connecting */
#define UNITBUS_RETRY_MIN_NS (NS_PER_S / 4) /* before connecting again; doubles */
#define UNITBUS_RETRY_MAX_NS (8 * NS_PER_S)
#define UNITBUS_UNITS_MAX    64

struct unit_status {
	char load_state[24];   /* loaded, not-found, masked, ... */
	char active_state[24]; /* active, reloading, inactive, failed, activating, deactivating */
	char sub_state[32];    /* running, dead, auto-restart, ... */
	char unit_file_state[32]; /* enabled, disabled, masked, ... */
	char freezer_state[24];   /* running, freezing, frozen, thawing */
	char result[32];          /* success, signal, exit-code, oom-kill, watchdog, ... */
	char restart[24];         /* no, always, on-failure, ... */
	char control_group[512];
	char invocation_id[STR_HEX128_MAX]; /* changes with each start */
	int32_t exit_code;                  /* CLD_EXITED, CLD_KILLED, CLD_DUMPED; 0 */
	int32_t exit_status;                /* exit status or signal, by exit_code */
	uint32_t n_restarts, main_pid;
	uint32_t job_id; /* 0: no job pending */
	/* CLOCK_MONOTONIC, as systemd stamps them; 0: never */
	uint64_t state_change_mono_us, active_enter_mono_us, active_exit_mono_us;
	uint64_t main_exit_mono_us; /* its main process ended */
	char type[24];              /* simple, exec, notify, forking, oneshot, ... */
	uint32_t n_triggers;        /* sockets, timers and paths that start it */
};

/* What the unit is, from the names systemd gives. */
bool unit_status_is_active(const struct unit_status *s); /* active or reloading */
bool unit_status_is_failed(const struct unit_status *s);
/* Inactive because its main process ended well while nobody stopped it: a daemon without Restart= that
 * nothing starts again. When systemd stops a unit it leaves "active" first and the process ends then; here
 * it is the other way round. One that says STOPPING=1 first looks the same as when it is stopped, but for
 * the job.
 * unasked_exit_mono_us   when it was last seen to leave "active" while systemd had no job for it, or 0
 * Source: systemd src/core/service.c, service_sigchld_event(), service_notify_message(). */
bool unit_status_has_ended_itself(const struct unit_status *s, uint64_t unasked_exit_mono_us);
/* Inactive after having been active, with nothing wrong and not by itself: somebody stopped it. */
bool unit_status_is_stopped_by_admin(const struct unit_status *s, uint64_t unasked_exit_mono_us);

/* Takes what it knows out of a message that stands at an a{sv}. Returns the number of values taken;
 * negative errno for a malformed message. */
int unit_status_read(struct unit_status *s, sd_bus_message *m) _warn_unused_;

struct unitbus_handlers {
	/* The unit's state is now this; called for each signal and each answer, also if the same. */
	void (*unit)(void *userdata, const char *unit, const struct unit_status *status);
	/* Subscribed; the states follow. */
	void (*up)(void *userdata, sd_bus *bus);
	void (*down)(void *userdata);
};

struct unitbus;

/* Connects now and again whenever the bus is away. address: NULL is the system bus, or what
 * $DBUS_SYSTEM_BUS_ADDRESS says instead. Returns 0; -ENOMEM;
 * other -errno of the timer. A bus that does not answer is no error. */
int unitbus_new(sd_event *event, const char *address, const struct unitbus_handlers *handlers,
		void *userdata, struct unitbus **ret, struct err *reterr) _warn_unused_;
struct unitbus *unitbus_free(struct unitbus *b);

/* Sets which units are watched (at most UNITBUS_UNITS_MAX) and reads the state of each. */
int unitbus_watch(struct unitbus *b, const char *const *units, size_t n_units,
		  struct err *reterr) _warn_unused_;

typedef void (*unitbus_answer_t)(void *userdata, int r, const struct unit_status *status);

/* Asks for the state of any unit once; answer() is called exactly once, later: r is 0, -ETIMEDOUT or another
 * negative errno. Returns 0; -errno: then answer() is not called. */
int unitbus_query(sd_bus *bus, const char *unit, unitbus_answer_t answer, void *userdata,
		  struct err *reterr) _warn_unused_;

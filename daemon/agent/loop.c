/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "agent/agent.h"
#include "base/log.h"

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct agent *a = userdata;
	uint64_t now_ns = clock_boot_ns();
	/* Seconds missed while the host was asleep or starved are not made up for. */
	uint64_t next_us = usec + AGENT_TICK_NS / NS_PER_US;

	if (next_us * NS_PER_US <= now_ns)
		next_us = (now_ns + AGENT_TICK_NS) / NS_PER_US;
	(void)sd_event_source_set_time(source, next_us);
	agent_probes_tick(a, now_ns);
	engine_tick(a->engine, now_ns, clock_wall_us());
	agent_send_rollups(a, now_ns);
	return 0;
}

static int on_wake(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct agent *a = userdata;

	(void)source;
	(void)usec;
	engine_tick(a->engine, clock_boot_ns(), clock_wall_us());
	return 0;
}

static int on_end(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
	struct agent *a = userdata;

	(void)source;
	(void)si;
	return sd_event_exit(a->event, 0);
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
	(void)source;
	(void)si;
	agent_reload(userdata);
	return 0;
}

int agent_loop_prepare(struct agent *a, struct err *reterr)
{
	sigset_t mask;
	int r;

	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGTERM);
	(void)sigaddset(&mask, SIGINT);
	(void)sigaddset(&mask, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
		return err_set(reterr, -errno, "block signals: %s", strerror(errno));
	r = sd_event_default(&a->event);
	if (r >= 0)
		r = sd_event_add_signal(a->event, NULL, SIGTERM, on_end, a);
	if (r >= 0)
		r = sd_event_add_signal(a->event, NULL, SIGINT, on_end, a);
	if (r >= 0)
		r = sd_event_add_signal(a->event, NULL, SIGHUP, on_hangup, a);
	/* 1 ms late at most: samples are a second apart. */
	if (r >= 0)
		r = sd_event_add_time_relative(a->event, &a->tick, CLOCK_BOOTTIME,
					       AGENT_TICK_NS / NS_PER_US, 1000, on_tick, a);
	if (r >= 0)
		r = sd_event_source_set_enabled(a->tick, SD_EVENT_ON);
	if (r >= 0)
		r = sd_event_add_time(a->event, &a->wake, CLOCK_BOOTTIME, UINT64_MAX, 1000, on_wake,
				      a);
	if (r >= 0)
		r = sd_event_set_watchdog(a->event, true);
	return r < 0 ? err_set(reterr, r, "make event loop: %s", strerror(-r)) : 0;
}

static void count_turn(struct agent *a, uint64_t from_ns, uint64_t to_ns)
{
	struct agent_stall *s = &a->stall;
	uint64_t span_ns = to_ns - from_ns;

	s->turns++;
	if (span_ns > s->max_ns)
		s->max_ns = span_ns;
	if (to_ns - s->minute_start_ns > 60 * NS_PER_S) {
		s->minute_start_ns = to_ns;
		s->last_minute_max_ns = s->minute_max_ns;
		s->minute_max_ns = 0;
		agent_tell_lost(a);
	}
	if (span_ns > s->minute_max_ns)
		s->minute_max_ns = span_ns;
}

/* One turn: wait, then everything until the next wait, which is what is measured. */
static int turn(struct agent *a)
{
	uint64_t from_ns;
	int r;

	r = sd_event_prepare(a->event);
	if (r == 0)
		r = sd_event_wait(a->event, UINT64_MAX);
	from_ns = clock_boot_ns();
	if (r > 0)
		r = sd_event_dispatch(a->event);
	if (r >= 0)
		agent_pump(a);
	count_turn(a, from_ns, clock_boot_ns());
	return r;
}

int agent_loop(struct agent *a, struct err *reterr)
{
	int r = 0;

	agent_pump(a);
	while (r >= 0 && sd_event_get_state(a->event) != SD_EVENT_FINISHED)
		r = turn(a);
	(void)sd_notify(0, "STOPPING=1");
	return r < 0 ? err_set(reterr, r, "run event loop: %s", strerror(-r)) : 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/expiry.h"

#include <errno.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "base/clock.h"
#include "sys/unitctl.h"

#define MANAGER_NAME      "org.freedesktop.systemd1"
#define MANAGER_PATH      "/org/freedesktop/systemd1"
#define MANAGER_INTERFACE "org.freedesktop.systemd1.Manager"
#define TIMER_MAX         64
#define POLL_NS           (50 * NS_PER_MS)
#define ACCURACY_US       US_PER_S /* the default of a minute is long for a short change */

static void bus_error_done(sd_bus_error *e)
{
	sd_bus_error_free(e);
}

static void message_unrefp(sd_bus_message **m)
{
	sd_bus_message_unref(*m);
}

/* A transient timer cannot be given another Unit=. */
static int format_timer(const char *service, char buf[static TIMER_MAX], struct err *reterr)
{
	const char *dot = strrchr(service, '.');

	if (!dot || strlen(service) >= TIMER_MAX)
		return err_set(reterr, -EINVAL, "name timer of '%s': no service", service);
	buf[0] = '\0';
	str_append(buf, TIMER_MAX, "%.*s.timer", (int)(dot - service), service);
	return 0;
}

/* When it is to elapse, counted from systemd's own start: unlike OnActiveSec= this is not counted anew
 * at a daemon-reload, and unlike OnBootSec= it means the same in a container. */
static int elapse_us(sd_bus *bus, uint64_t span_ns, uint64_t *ret_us, struct err *reterr)
{
	_cleanup_(bus_error_done) sd_bus_error e = SD_BUS_ERROR_NULL;
	uint64_t began_us = 0;
	int r = sd_bus_get_property_trivial(bus, MANAGER_NAME, MANAGER_PATH, MANAGER_INTERFACE,
					    "UserspaceTimestampMonotonic", &e, 't', &began_us);

	if (r < 0)
		return err_set(reterr, r, "read systemd's start time: %s",
			       e.message ? e.message : strerror(-r));
	*ret_us = clock_mono_us() - began_us + span_ns / NS_PER_US;
	return 0;
}

static int append_properties(sd_bus_message *m, uint64_t us)
{
	int r = sd_bus_message_open_container(m, 'a', "(sv)");

	if (r >= 0)
		r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)(sv)", "Description", "s",
					  "End of a host self-healing change", "CollectMode", "s",
					  "inactive-or-failed", "IgnoreOnIsolate", "b", 1,
					  "RemainAfterElapse", "b", 0, "AccuracyUSec", "t",
					  ACCURACY_US);
	if (r >= 0)
		r = sd_bus_message_append(m, "(sv)", "TimersMonotonic", "a(st)", 1, "OnStartupSec",
					  us);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int start_timer(sd_bus *bus, const char *timer, uint64_t us, struct err *reterr)
{
	_cleanup_(bus_error_done) sd_bus_error e = SD_BUS_ERROR_NULL;
	_cleanup_(message_unrefp) sd_bus_message *m = NULL;
	int r = sd_bus_message_new_method_call(bus, &m, MANAGER_NAME, MANAGER_PATH,
					       MANAGER_INTERFACE, "StartTransientUnit");

	if (r >= 0)
		r = sd_bus_message_append(m, "ss", timer, "fail");
	if (r >= 0)
		r = append_properties(m, us);
	if (r >= 0)
		r = sd_bus_message_append(m, "a(sa(sv))", 0);
	if (r >= 0)
		r = sd_bus_call(bus, m, UNITCTL_CALL_MAX_NS / NS_PER_US, &e, NULL);
	return r < 0 ? err_set(reterr, r, "start timer '%s': %s", timer,
			       e.message ? e.message : strerror(-r)) :
		       0;
}

/* Few calls: what is slowed down may be what starves systemd. */
static int wait_active(sd_bus *bus, const char *timer, struct err *reterr)
{
	uint64_t end_ns = clock_boot_ns() + UNITCTL_CALL_MAX_NS;
	_cleanup_free_ char *path = NULL;
	int r = sd_bus_path_encode("/org/freedesktop/systemd1/unit", timer, &path);

	while (r >= 0) {
		_cleanup_free_ char *state = NULL;

		r = sd_bus_get_property_string(bus, MANAGER_NAME, path,
					       "org.freedesktop.systemd1.Unit", "ActiveState", NULL,
					       &state);
		if (r >= 0 && str_equal(state, "active"))
			return 0;
		if (clock_boot_ns() >= end_ns)
			r = -ETIMEDOUT;
		if (r >= 0)
			clock_sleep_ns(POLL_NS);
	}
	return err_set(reterr, r, "start timer '%s': it is not seen to be active: %s", timer,
		       strerror(-r));
}

int expiry_arm(void *bus, const char *service, uint64_t span_ns, struct err *reterr)
{
	char timer[TIMER_MAX];
	uint64_t us = 0;
	int r;

	if (!bus)
		return err_set(reterr, -ENOTCONN, "start timer: systemd is not reached");
	r = format_timer(service, timer, reterr);
	if (r == 0)
		r = elapse_us(bus, span_ns, &us, reterr);
	if (r == 0)
		r = start_timer(bus, timer, us, reterr);
	return r < 0 ? r : wait_active(bus, timer, reterr);
}

void expiry_disarm(void *bus, const char *service)
{
	char timer[TIMER_MAX];
	int r = format_timer(service, timer, NULL);

	if (r == 0)
		r = unitctl_stop_ours(bus, timer, clock_boot_ns() + UNITCTL_CALL_MAX_NS, NULL);
	(void)r; /* it is gone, or it will do nothing when it elapses */
}

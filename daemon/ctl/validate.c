/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "ctl/api.h"
#include "ctl/faultctl.h"
#include "ctl/params.h"
#include "model/record.h"
#include "sys/faultunit.h"
#include "sys/unitctl.h"

#define WAIT_DEFAULT_NS  (120 * NS_PER_S)
#define POLL_INTERVAL_NS (250 * NS_PER_MS)

/* What came of it. */
struct outcome {
	char id[RECORD_ID_MAX], state[32], cause[RULE_NAME_MAX], action[RULE_NAME_MAX];
	uint64_t injected_ns, detected_ns, healed_ns; /* CLOCK_BOOTTIME; 0: not */
	bool cause_ok, action_ok;
};

/* The newest incident opened since the fault was asked for; NULL while there is none. */
static struct json_object *find_incident(struct json_object *answer, uint64_t since_us)
{
	struct json_object *all = json_items(answer, "incidents"), *found = NULL;

	for (size_t i = 0; all && i < json_object_array_length(all); i++) {
		struct json_object *record = json_object_array_get_idx(all, i);

		if ((uint64_t)json_int(json_member(record, "incident"), "opened_usec") >= since_us)
			found = record;
	}
	return found;
}

/* True once there is nothing more to wait for. */
static bool read_outcome(struct json_object *record, struct outcome *o)
{
	struct json_object *i = json_member(record, "incident");
	int state = incident_state_from_string(json_text(i, "state", ""));

	(void)str_copy(o->id, sizeof(o->id), json_text(record, "incident_id", ""));
	(void)str_copy(o->state, sizeof(o->state), json_text(i, "state", "?"));
	(void)str_copy(o->cause, sizeof(o->cause), json_text(i, "cause", ""));
	o->detected_ns = (uint64_t)json_int(i, "detected_boot_ns");
	o->healed_ns = (uint64_t)json_int(i, "healed_boot_ns");
	return state >= 0 && (!incident_state_is_open((enum incident_state)state) ||
			      state == INCIDENT_STATE_ESCALATED);
}

static int wait_for_end(const struct ctl *ctl, uint64_t since_us, struct outcome *o)
{
	uint64_t end_ns = clock_boot_ns() + (ctl->wait_ns ? ctl->wait_ns : WAIT_DEFAULT_NS);
	char waiting[RECORD_ID_MAX] = "";

	for (;;) {
		_cleanup_json_ struct json_object *answer = NULL;
		struct json_object *record;
		int r = api_call(ctl, API_CONTROL, "GET", "/v1/incidents", NULL, &answer);

		if (r != CTL_OK)
			return r;
		record = find_incident(answer, since_us);
		if (record && read_outcome(record, o))
			return CTL_OK;
		if (str_equal(o->state, "waiting") && !str_equal(waiting, o->id)) {
			ctl_hint(ctl, "the agent asks for approval: aiopsctl approvals");
			(void)str_copy(waiting, sizeof(waiting), o->id);
		}
		if (clock_boot_ns() > end_ns)
			return ctl_fail(ctl, CTL_TIMEOUT, "see: aiopsctl incidents",
					"no end in time: %s",
					o->id[0] ? o->state : "the agent has noticed nothing");
		clock_sleep_ns(POLL_INTERVAL_NS);
	}
}

/* The last action that the incident's records say was carried out. */
static int read_action(const struct ctl *ctl, struct outcome *o)
{
	_cleanup_json_ struct json_object *answer = NULL;
	struct json_object *records;
	char path[64] = "";
	int r;

	str_append(path, sizeof(path), "/v1/incidents/%s", o->id);
	r = api_call(ctl, API_CONTROL, "GET", path, NULL, &answer);
	records = json_items(answer, "records");
	for (size_t i = 0; records && i < json_object_array_length(records); i++) {
		struct json_object *a = json_member(json_object_array_get_idx(records, i),
						    "attempt");

		if (a && str_equal(json_text(a, "phase", ""), "done"))
			(void)str_copy(o->action, sizeof(o->action), json_text(a, "action", ""));
	}
	return r;
}

static void compare(const struct fault_info *f, struct outcome *o)
{
	bool none = !f->expects.actions || !f->expects.actions[0];

	o->cause_ok = str_equal(o->cause, f->expects.cause);
	o->action_ok = none && o->action[0] == '\0';
	for (const char *const *a = f->expects.actions; a && *a; a++)
		o->action_ok = o->action_ok || str_equal(o->action, *a);
}

static void recover(const struct ctl *ctl, const char *key)
{
	struct err err = { 0 };
	_cleanup_close_ int dir_fd = fault_unit_open_dir(&err);
	struct fault_status status = { 0 };
	void *bus = NULL;

	if (dir_fd < 0 || unitctl_open(&bus, &err) < 0 ||
	    fault_unit_recover(bus, dir_fd, key, &status, &err) < 0)
		ctl_hint(ctl, "end the fault yourself, aiopsctl faults recover %.8s: %s", key,
			 err_text(&err));
	unitctl_close(bus);
}

static void print_span(const char *what, uint64_t from_ns, uint64_t to_ns)
{
	char span[CLOCK_SPAN_MAX] = "-";

	if (to_ns > from_ns)
		(void)clock_format_span(to_ns - from_ns, span);
	printf("%12s: %s\n", what, span);
}

static int print_text(const struct ctl *ctl, const struct fault_info *f, const struct outcome *o)
{
	bool good = o->cause_ok && o->action_ok;

	printf("%s%s%s  %s\n", colour_on(ctl, good ? COLOUR_GREEN : COLOUR_RED),
	       good ? "PASS" : "FAIL", colour_off(ctl), f->name);
	print_span("Detected", o->injected_ns, o->detected_ns);
	print_span("Repaired", o->injected_ns, o->healed_ns);
	printf("%12s: %s%s%s%s\n", "Cause", o->cause, o->cause_ok ? "" : " (expected ",
	       o->cause_ok ? "" : f->expects.cause, o->cause_ok ? "" : ")");
	printf("%12s: %s%s\n", "Action", o->action[0] ? o->action : "none",
	       o->action_ok ? "" : " (not one that is expected)");
	printf("%12s: %s\n", "Ended as", o->state);
	ctl_hint(ctl, "all of it: aiopsctl incidents show %s", o->id);
	return good ? CTL_OK : CTL_UNVERIFIED;
}

static int print_json(const struct ctl *ctl, const struct fault_info *f, const struct outcome *o)
{
	_cleanup_json_ struct json_object *j = json_object_new_object();

	(void)json_add_string(j, "fault", f->name);
	(void)json_add_bool(j, "passed", o->cause_ok && o->action_ok);
	(void)json_add_string(j, "incident_id", o->id);
	(void)json_add_string(j, "state", o->state);
	(void)json_add_string(j, "cause", o->cause);
	(void)json_add_string(j, "expected_cause", f->expects.cause);
	(void)json_add_string(j, "action", o->action);
	if (o->detected_ns > o->injected_ns)
		(void)json_add_u64(j, "detected_after_ms",
				   (o->detected_ns - o->injected_ns) / NS_PER_MS);
	if (o->healed_ns > o->injected_ns)
		(void)json_add_u64(j, "repaired_after_ms",
				   (o->healed_ns - o->injected_ns) / NS_PER_MS);
	(void)ctl_print_json(ctl, j);
	return o->cause_ok && o->action_ok ? CTL_OK : CTL_UNVERIFIED;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	struct fault_status status = { 0 };
	struct outcome outcome = { 0 };
	struct fault_wish wish = { 0 };
	uint64_t since_us;
	int r = faultctl_prepare(ctl, argc - 1, argv + 1, &wish);

	if (r != CTL_OK)
		return r;
	r = ctl_confirm(ctl, "Break '%s' on purpose and watch what the agent does?",
			wish.info->name);
	if (r < 0)
		return ctl_fail(ctl, CTL_USAGE, "say --yes", "nobody can be asked to confirm here");
	if (r == 0)
		return ctl_fail(ctl, CTL_FAILED, NULL, "not confirmed: nothing was done");
	since_us = clock_wall_us();
	outcome.injected_ns = clock_boot_ns();
	r = faultctl_inject(ctl, &wish, &status);
	if (r != CTL_OK)
		return r;
	r = wait_for_end(ctl, since_us, &outcome);
	recover(ctl, status.key);
	if (r == CTL_OK)
		r = read_action(ctl, &outcome);
	if (r != CTL_OK)
		return r;
	compare(wish.info, &outcome);
	return ctl->json == JSON_MODE_OFF ? print_text(ctl, wish.info, &outcome) :
					    print_json(ctl, wish.info, &outcome);
}

const struct verb_ops verb_validate = {
	.name = "validate",
	.group = "Break on purpose",
	.usage = "FAULT [NAME=VALUE...] --for=SPAN",
	.summary = "break something and check what the agent makes of it",
	.help = "Injects the fault, waits until its incident has ended or was escalated, compares cause\n"
		"and action with what the fault expects, prints detection and repair times, and ends\n"
		"the fault.",
	.options = OPT_YES | OPT_FOR | OPT_ID | OPT_WAIT,
	.run = run,
};

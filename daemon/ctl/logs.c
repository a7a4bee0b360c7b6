/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <systemd/sd-journal.h>
#include <time.h>

#include "base/clock.h"
#include "base/str.h"
#include "ctl/output.h"

#define LOGS_DEFAULT_LINES 50
#define FIELD_MAX          2048

/* The value of a field of the present entry, cut to size; "" where absent. */
static void read_field(sd_journal *j, const char *name, char *buf, size_t size)
{
	const void *data = NULL;
	size_t length = 0, skip = strlen(name) + 1;

	buf[0] = '\0';
	if (sd_journal_get_data(j, name, &data, &length) < 0 || length < skip)
		return;
	length -= skip;
	if (length >= size)
		length = size - 1;
	memcpy(buf, (const char *)data + skip, length);
	buf[length] = '\0';
}

static enum colour colour_of_priority(const char *priority)
{
	switch (priority[0]) {
	case '0':
	case '1':
	case '2':
	case '3':
		return COLOUR_RED;
	case '4':
		return COLOUR_YELLOW;
	case '5':
		return COLOUR_GREEN;
	default:
		return COLOUR_NONE;
	}
}

static void print_text(const struct ctl *ctl, uint64_t wall_us, const char *incident,
		       const char *priority, const char *message)
{
	time_t s = (time_t)(wall_us / US_PER_S);
	struct tm tm = { 0 };
	char when[32] = "", clean[FIELD_MAX * 2] = "";
	size_t n = strlen(incident);

	(void)localtime_r(&s, &tm);
	(void)strftime(when, sizeof(when), "%b %d %H:%M:%S", &tm);
	printf("%s%s%s %s%s%s %s%s%s\n", colour_on(ctl, COLOUR_GREY), when, colour_off(ctl),
	       colour_on(ctl, COLOUR_BLUE), incident + (n > 6 ? n - 6 : 0), colour_off(ctl),
	       colour_on(ctl, colour_of_priority(priority)),
	       str_escape(clean, sizeof(clean), message), colour_off(ctl));
}

static struct json_object *entry_json(sd_journal *j, uint64_t wall_us)
{
	static const char *const fields[] = {
		"MESSAGE",        "MESSAGE_ID",   "PRIORITY",
		"AIOPS_INCIDENT", "AIOPS_STATE",  "AIOPS_SEVERITY",
		"AIOPS_RUNBOOK",  "AIOPS_ACTION", "OBJECT_SYSTEMD_UNIT"
	};
	struct json_object *o = json_object_new_object();
	char value[FIELD_MAX] = "";

	(void)json_add_time(o, "ts", wall_us);
	for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
		read_field(j, fields[i], value, sizeof(value));
		if (value[0])
			(void)json_add_string(o, fields[i], value);
	}
	return o;
}

/* Prints an entry, or adds its JSON to entries where that is not NULL. */
static bool print_entry(const struct ctl *ctl, sd_journal *j, const char *incident_ending,
			struct json_object *entries)
{
	char incident[32] = "", priority[4] = "", message[FIELD_MAX] = "";
	_cleanup_json_ struct json_object *o = NULL;
	uint64_t wall_us = 0;
	size_t n, m = strlen(incident_ending);

	read_field(j, "AIOPS_INCIDENT", incident, sizeof(incident));
	n = strlen(incident);
	if (n == 0 || m > n || !str_equal(incident + n - m, incident_ending))
		return false;
	(void)sd_journal_get_realtime_usec(j, &wall_us);
	if (ctl->json != JSON_MODE_OFF) {
		o = entry_json(j, wall_us);
		if (entries)
			(void)json_object_array_add(entries, TAKE_PTR(o));
		else
			(void)ctl_print_json(ctl, o);
		return true;
	}
	read_field(j, "PRIORITY", priority, sizeof(priority));
	read_field(j, "MESSAGE", message, sizeof(message));
	print_text(ctl, wall_us, incident, priority, message);
	return true;
}

static int open_journal(sd_journal **ret, struct err *reterr)
{
	_cleanup_(sd_journal_closep) sd_journal *j = NULL;
	int r = sd_journal_open(&j, SD_JOURNAL_LOCAL_ONLY);

	if (r >= 0)
		r = sd_journal_add_match(j, "SYSLOG_IDENTIFIER=aiops-agent", 0);
	/* The identifier is what anybody may claim; this field is journald's own. */
	if (r >= 0)
		r = sd_journal_add_match(j, "_SYSTEMD_UNIT=aiops-agent.service", 0);
	if (r < 0)
		return err_set(reterr, r, "open journal: %s", strerror(-r));
	*ret = TAKE_PTR(j);
	return 0;
}

/* Stands before the first entry to print. Of one incident all are wanted, however long ago. */
static int seek(const struct ctl *ctl, sd_journal *j, const char *incident)
{
	unsigned lines = ctl->rows_max ? ctl->rows_max : LOGS_DEFAULT_LINES;
	int r;

	if (ctl->since_usec)
		return sd_journal_seek_realtime_usec(j, ctl->since_usec);
	r = incident[0] ? 0 : sd_journal_seek_tail(j);
	if (r >= 0 && !incident[0])
		r = sd_journal_previous_skip(j, lines + 1);
	/* There are fewer: the step forward that follows must not leave out the first. */
	return r >= 0 && (unsigned)r <= lines ? sd_journal_seek_head(j) : r;
}

/* One JSON value with all entries, unless they go on for ever. */
static int print_entries(const struct ctl *ctl, sd_journal *j, const char *incident)
{
	_cleanup_json_ struct json_object *root = json_object_new_object();
	struct json_object *entries = NULL;
	unsigned printed = 0;

	if (ctl->json != JSON_MODE_OFF && !ctl->follow) {
		entries = json_object_new_array();
		(void)json_add(root, "entries", entries);
	}
	for (;;) {
		while (sd_journal_next(j) > 0)
			printed += print_entry(ctl, j, incident, entries);
		if (!ctl->follow)
			break;
		(void)fflush(stdout);
		if (sd_journal_wait(j, UINT64_MAX) < 0)
			return CTL_FAILED;
	}
	if (entries)
		return ctl_print_json(ctl, root);
	/* The journal opens for everybody, and shows each what they may see. */
	if (printed == 0 && geteuid() != 0)
		ctl_hint(ctl,
			 "nothing that you may read; root or group 'systemd-journal' sees all");
	else if (printed == 0)
		ctl_hint(ctl, "nothing yet; 'aiopsctl status' says whether the agent runs");
	return CTL_OK;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_(sd_journal_closep) sd_journal *j = NULL;
	const char *incident = argc > 1 ? argv[1] : "";
	struct err err = { 0 };

	if (argc > 2)
		return ctl_fail(ctl, CTL_USAGE, NULL, "logs takes at most one incident");
	if (open_journal(&j, &err) < 0)
		return ctl_fail_err(ctl, CTL_FAILED,
				    "reading the journal needs root or group 'systemd-journal'",
				    &err);
	if (seek(ctl, j, incident) < 0)
		return ctl_fail(ctl, CTL_FAILED, NULL, "seek in journal: it cannot be read");
	return print_entries(ctl, j, incident);
}

const struct verb_ops verb_logs = {
	.name = "logs",
	.group = "See",
	.usage = "[INCIDENT] [-f]",
	.summary = "the story, as told in the journal",
	.help = "One line for each thing that happened, the incident's short id before it.\n"
		"'journalctl -x AIOPS_INCIDENT=ID' adds the explanation of each message.",
	.options = OPT_FOLLOW | OPT_SINCE | OPT_LIMIT,
	.run = run,
};

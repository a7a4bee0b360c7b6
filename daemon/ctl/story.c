/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/story.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "ctl/api.h"

#define LINE_MAX_BYTES 2048
#define KIND_WIDTH     9 /* of "diagnosis" */

static bool is_id_ending(const char *id)
{
	size_t n = strlen(id);

	return n >= 4 && n < RECORD_ID_MAX &&
	       strspn(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == n;
}

int story_fetch(const struct ctl *ctl, const char *prefix, const char *id, struct json_object **ret)
{
	char path[64] = "";
	struct err err = { 0 };
	int r;

	if (!is_id_ending(id))
		return ctl_fail(ctl, CTL_USAGE, "list them: aiopsctl incidents",
				"'%s' is no id: 4 to 13 letters and digits", id);
	str_append(path, sizeof(path), "%s%s", prefix, id);
	if (api_try(ctl, API_HISTORY, "/healthz", ret, &err) == 0) {
		(void)json_object_put(TAKE_PTR(*ret));
		return api_call(ctl, API_HISTORY, "GET", path, NULL, ret);
	}
	r = api_call(ctl, API_CONTROL, "GET", path, NULL, ret);
	if (r == CTL_OK)
		ctl_hint(ctl, "aiops-recorder does not answer: this is what the agent remembers");
	return r;
}

/* "a=1 b=x" of a JSON object of scalars. */
static void append_pairs(char *line, size_t size, struct json_object *pairs)
{
	const char *separator = "";
	char number[STR_NUMBER_MAX];

	if (!pairs || !json_object_is_type(pairs, json_type_object))
		return;
	json_object_object_foreach(pairs, key, value) {
		str_append(line, size, "%s%s=%s", separator, key,
			   json_object_is_type(value, json_type_double) ?
				   "" :
				   json_object_get_string(value));
		if (json_object_is_type(value, json_type_double))
			str_append(line, size, "%s",
				   str_number(json_object_get_double(value), number));
		separator = " ";
	}
}

static void describe_plan(char *line, size_t size, struct json_object *b)
{
	struct json_object *step = json_member(b, "step");

	str_append(line, size, "%s ", json_text(step, "action", "?"));
	append_pairs(line, size, json_member(step, "params"));
	str_append(line, size, " (%s, %s; verified by: %s; undo: %s)", json_text(b, "risk", "?"),
		   json_text(b, "autonomy", "?"), json_text(b, "verify_text", "?"),
		   json_text(b, "undo_text", "none"));
}

static void describe_attempt(char *line, size_t size, struct json_object *b)
{
	str_append(line, size, "%s ", json_text(b, "action", "?"));
	append_pairs(line, size, json_member(b, "params"));
	str_append(line, size, ": %s", json_text(b, "phase", "?"));
	if (json_text(b, "text", "")[0])
		str_append(line, size, ": %s", json_text(b, "text", ""));
	str_append(line, size, " [by %s]", json_text(b, "actor", "?"));
}

/* The inspector's words are left out where they only repeat the facts. */
static void describe_evidence(char *line, size_t size, struct json_object *b)
{
	struct json_object *facts = json_member(b, "facts");
	const char *text = json_text(b, "text", ""), *first = NULL;

	str_append(line, size, "%s (%s, %s): ", json_text(b, "inspector", "?"),
		   json_text(b, "source", "?"), json_text(b, "provenance", "?"));
	append_pairs(line, size, facts);
	if (facts && json_object_is_type(facts, json_type_object) &&
	    json_object_object_length(facts) > 0)
		first = json_object_get_object(facts)->head->k;
	if (text[0] && (!first || !strstr(text, first)))
		str_append(line, size, "%s%s", first ? "; " : "", text);
}

static void describe_diagnosis(char *line, size_t size, struct json_object *b)
{
	const char *cause = json_text(b, "cause", "?");

	str_append(line, size, "%s", cause);
	if (!str_equal(cause, "unknown"))
		str_append(line, size, " (at fault: %s)", json_text(b, "root", "?"));
	str_append(line, size, ": %s", json_text(b, "text", ""));
}

static void describe_verdict(char *line, size_t size, struct json_object *b)
{
	const char *signal = json_text(b, "signal", ""), *text = json_text(b, "text", "");
	char before[STR_NUMBER_MAX], after[STR_NUMBER_MAX];

	str_append(line, size, "%s", json_text(b, "result", "?"));
	if (signal[0] && !strstr(text, signal))
		str_append(line, size, ", by %s %s -> %s", signal,
			   str_number(json_number(b, "before"), before),
			   str_number(json_number(b, "after"), after));
	str_append(line, size, ": %s", text);
}

/* One line that says what the record says. */
static void describe(char *line, size_t size, const char *kind, struct json_object *b)
{
	line[0] = '\0';
	if (str_equal(kind, "event"))
		str_append(line, size, "%s %s: %s", json_text(b, "alert", "?"),
			   json_object_get_boolean(json_member(b, "cleared")) ? "cleared" : "fired",
			   json_text(b, "text", ""));
	else if (str_equal(kind, "incident"))
		str_append(line, size, "%s: %s", json_text(b, "state", "?"),
			   json_text(b, "reason", ""));
	else if (str_equal(kind, "evidence"))
		describe_evidence(line, size, b);
	else if (str_equal(kind, "diagnosis"))
		describe_diagnosis(line, size, b);
	else if (str_equal(kind, "plan"))
		describe_plan(line, size, b);
	else if (str_equal(kind, "decision"))
		str_append(line, size, "%s by %s: %s", json_text(b, "verdict", "?"),
			   json_text(b, "by", "?"), json_text(b, "text", ""));
	else if (str_equal(kind, "attempt"))
		describe_attempt(line, size, b);
	else if (str_equal(kind, "verdict"))
		describe_verdict(line, size, b);
	else
		str_append(line, size, "%s", json_text(b, "text", ""));
}

static enum colour colour_of_kind(const char *kind, struct json_object *b)
{
	if (str_equal(kind, "evidence"))
		return str_equal(json_text(b, "provenance", ""), "untrusted") ? COLOUR_YELLOW :
										COLOUR_GREY;
	if (str_equal(kind, "diagnosis") || str_equal(kind, "narrative"))
		return COLOUR_BOLD;
	if (str_equal(kind, "verdict"))
		return str_equal(json_text(b, "result", ""), "improved") ? COLOUR_GREEN :
									   COLOUR_RED;
	return COLOUR_NONE;
}

/* What was ruled out, and why, below a diagnosis. */
static void print_hypotheses(const struct ctl *ctl, struct json_object *b, size_t indent)
{
	struct json_object *all = json_items(b, "hypotheses");

	for (size_t i = 0; all && i < json_object_array_length(all); i++) {
		struct json_object *h = json_object_array_get_idx(all, i);
		bool excluded = json_object_get_boolean(json_member(h, "excluded"));
		const char *reason = json_text(h, "reason", "");
		char line[512] = "", clean[1024] = "";

		str_append(line, sizeof(line), "%s: score %" PRId64 " of %" PRId64 "%s%s",
			   json_text(h, "runbook", "?"), json_int(h, "score"),
			   json_int(h, "min_score"),
			   excluded  ? ", ruled out: " :
			   reason[0] ? ", " :
				       "",
			   reason);
		printf("%*s", (int)indent, "");
		ctl_print_wrapped(ctl, COLOUR_GREY, indent + 2,
				  str_escape(clean, sizeof(clean), line));
	}
}

void story_print_record(const struct ctl *ctl, struct json_object *record, const char *prefix)
{
	const char *kind = json_text(record, "kind", "?");
	struct json_object *body = json_member(record, kind);
	size_t indent = strlen(prefix) + KIND_WIDTH + 2;
	char line[LINE_MAX_BYTES] = "", clean[LINE_MAX_BYTES * 2] = "";

	describe(line, sizeof(line), kind, body);
	printf("%s%-*s  ", prefix, KIND_WIDTH, kind);
	ctl_print_wrapped(ctl, colour_of_kind(kind, body), indent,
			  str_escape(clean, sizeof(clean), line));
	if (str_equal(kind, "diagnosis"))
		print_hypotheses(ctl, body, indent);
}

static void print_span(const char *what, struct json_object *i, const char *key, int64_t from_ns)
{
	char span[CLOCK_SPAN_MAX] = "";
	int64_t at_ns = json_int(i, key);

	if (at_ns > 0 && from_ns > 0 && at_ns >= from_ns)
		printf("%12s: %s after it was detected\n", what,
		       clock_format_span((uint64_t)(at_ns - from_ns), span));
}

void story_print_incident(const struct ctl *ctl, struct json_object *answer)
{
	struct json_object *record = json_member(answer, "incident");
	struct json_object *i = json_member(record, "incident");
	struct json_object *records = json_items(answer, "records");
	int64_t detected_ns = json_int(i, "detected_boot_ns");
	char clean[LINE_MAX_BYTES] = "", ago[AGO_MAX] = "", when[AGO_MAX] = "";
	int64_t first_us = json_int(i, "opened_usec");
	const char *cause = json_text(i, "cause", "");

	printf("%s%s%s\n", colour_on(ctl, COLOUR_BOLD),
	       str_escape(clean, sizeof(clean), json_text(i, "title", "incident")),
	       colour_off(ctl));
	printf("%12s: %s\n", "Incident", json_text(record, "incident_id", "?"));
	printf("%12s: %s\n", "State", json_text(i, "state", "?"));
	printf("%12s: %s\n", "Cause", cause[0] ? cause : "not known yet");
	printf("%12s: %s (%s)\n", "Opened", format_local((uint64_t)first_us, when),
	       format_ago((uint64_t)first_us, ago));
	print_span("Acted", i, "acted_boot_ns", detected_ns);
	print_span("Healed", i, "healed_boot_ns", detected_ns);
	putchar('\n');
	for (size_t n = 0; records && n < json_object_array_length(records); n++) {
		struct json_object *r = json_object_array_get_idx(records, n);

		char prefix[32] = "";

		str_append(prefix, sizeof(prefix), "%+8.2f s ",
			   (double)(json_int(r, "time_usec") - first_us) / 1e6);
		story_print_record(ctl, r, prefix);
	}
}

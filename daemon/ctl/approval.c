/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/approval.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "ctl/api.h"
#include "model/record.h"

int approval_fetch(const struct ctl *ctl, struct json_object **ret)
{
	return api_call(ctl, API_ACTIONS, "GET", "/v1/approvals", NULL, ret);
}

const char *approval_describe(struct json_object *o, char *buf, size_t size)
{
	struct json_object *params = json_member(o, "params");

	buf[0] = '\0';
	str_append(buf, size, "%s", json_text(o, "action", "?"));
	if (!params || !json_object_is_type(params, json_type_object))
		return buf;
	json_object_object_foreach(params, key, value) {
		str_append(buf, size, " %s=%s", key, json_object_get_string(value));
	}
	return buf;
}

/* Incident ids and keys alike may be given by their beginning or ending. */
static bool names(const char *full, const char *part)
{
	size_t n = strlen(full), m = strlen(part);

	return m >= 4 && m <= n && (strncmp(full, part, m) == 0 || strcmp(full + n - m, part) == 0);
}

/* The one pending approval that id names. Returns 1; 0: none; -ENOTUNIQ. */
static int find(struct json_object *answer, const char *id, struct json_object **ret)
{
	struct json_object *all = json_items(answer, "approvals");
	int n = 0;

	for (size_t i = 0; all && i < json_object_array_length(all); i++) {
		struct json_object *o = json_object_array_get_idx(all, i);

		if (!names(json_text(o, "key", ""), id) &&
		    !names(json_text(o, "incident_id", ""), id))
			continue;
		*ret = o;
		n++;
	}
	return n > 1 ? -ENOTUNIQ : n;
}

static void print_what(const struct ctl *ctl, struct json_object *o)
{
	char what[512] = "", clean[1024] = "", ago[AGO_MAX] = "";

	printf("%12s: %s%s%s\n", "Action", colour_on(ctl, COLOUR_BOLD),
	       str_escape(clean, sizeof(clean), approval_describe(o, what, sizeof(what))),
	       colour_off(ctl));
	printf("%12s: %s\n", "Risk", json_text(o, "risk", "?"));
	printf("%12s: ", "Why");
	ctl_print_wrapped(ctl, COLOUR_NONE, 14,
			  str_escape(clean, sizeof(clean), json_text(o, "reason", "?")));
	printf("%12s: %s\n", "Undo",
	       str_escape(clean, sizeof(clean), json_text(o, "undo", "none")));
	printf("%12s: %s\n", "Asked by", json_text(o, "actor", "?"));
	printf("%12s: %s\n", "Expires", format_ago((uint64_t)json_int(o, "expires_usec"), ago));
}

static int send_decision(const struct ctl *ctl, struct json_object *o, const char *decision)
{
	_cleanup_json_ struct json_object *body = json_object_new_object(), *answer = NULL;
	char path[96] = "";
	int r;

	str_append(path, sizeof(path), "/v1/approvals/%s", json_text(o, "key", ""));
	(void)json_add_string(body, "decision", decision);
	(void)json_add_string(body, "hash", json_text(o, "hash", ""));
	if (ctl->reason)
		(void)json_add_string(body, "reason", ctl->reason);
	r = api_call(ctl, API_APPROVE, "POST", path, body, &answer);
	if (r != CTL_OK)
		return r;
	if (ctl->json != JSON_MODE_OFF)
		return ctl_print_json(ctl, answer);
	printf("%s.\n", str_equal(decision, "approve") ? "Approved" : "Denied");
	if (str_equal(decision, "approve"))
		ctl_hint(ctl, "follow it: aiopsctl logs -f");
	return CTL_OK;
}

int approval_decide(const struct ctl *ctl, int argc, char **argv, const char *decision)
{
	_cleanup_json_ struct json_object *answer = NULL;
	struct json_object *o = NULL;
	int r;

	if (argc != 2)
		return ctl_fail(ctl, CTL_USAGE, "list them: aiopsctl approvals",
				"%s: give the id of one pending action", argv[0]);
	r = approval_fetch(ctl, &answer);
	if (r != CTL_OK)
		return r;
	r = find(answer, argv[1], &o);
	if (r <= 0)
		return ctl_fail(ctl, r == 0 ? CTL_NOT_FOUND : CTL_USAGE,
				"list them: aiopsctl approvals",
				r == 0 ? "nothing that waits is named '%s'" :
					 "'%s' names more than one: give more of it",
				argv[1]);
	if (ctl->json == JSON_MODE_OFF)
		print_what(ctl, o);
	r = ctl_confirm(ctl, "%s this?", str_equal(decision, "approve") ? "Approve" : "Deny");
	if (r < 0)
		return ctl_fail(ctl, CTL_USAGE, "say --yes", "nobody can be asked to confirm here");
	return r == 0 ? ctl_fail(ctl, CTL_FAILED, NULL, "not confirmed: nothing was sent") :
			send_decision(ctl, o, decision);
}

int approval_exit(struct json_object *attempt)
{
	int64_t error = json_int(attempt, "error");

	switch (attempt_phase_from_string(json_text(attempt, "phase", ""))) {
	case ATTEMPT_PHASE_DENIED:
	case ATTEMPT_PHASE_WAITING:
		return CTL_REFUSED;
	case ATTEMPT_PHASE_UNKNOWN:
		return CTL_UNVERIFIED;
	case ATTEMPT_PHASE_FAILED:
		if (json_object_get_boolean(json_member(attempt, "ran")))
			return CTL_UNVERIFIED;
		return error == -EPERM || error == -EACCES ? CTL_REFUSED : CTL_FAILED;
	default:
		return CTL_OK;
	}
}

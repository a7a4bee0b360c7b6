/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/str.h"
#include "ctl/story.h"

/* The last record of an incident that says most: its last narrative or verdict, else the last. */
static struct json_object *record_to_explain(struct json_object *incident)
{
	struct json_object *records = json_items(incident, "records");
	size_t n = records ? json_object_array_length(records) : 0;

	for (size_t i = n; i > 0; i--) {
		struct json_object *r = json_object_array_get_idx(records, i - 1);
		const char *kind = json_text(r, "kind", "");

		if (str_equal(kind, "verdict") || str_equal(kind, "diagnosis"))
			return r;
	}
	return n ? json_object_array_get_idx(records, n - 1) : NULL;
}

/* Evidence that a diagnosis names, taken from the incident's records. */
static void print_evidence(const struct ctl *ctl, struct json_object *diagnosis,
			   struct json_object *records)
{
	struct json_object *ids = json_items(json_member(diagnosis, "diagnosis"), "evidence_ids");

	for (size_t i = 0; ids && i < json_object_array_length(ids); i++) {
		const char *id = json_object_get_string(json_object_array_get_idx(ids, i));

		for (size_t k = 0; records && k < json_object_array_length(records); k++) {
			struct json_object *r = json_object_array_get_idx(records, k);

			if (str_equal(json_text(r, "id", ""), id))
				story_print_record(ctl, r, "  ");
		}
	}
}

static void print_link(const struct ctl *ctl, struct json_object *record,
		       struct json_object *records)
{
	story_print_record(ctl, record, "");
	if (str_equal(json_text(record, "kind", ""), "diagnosis"))
		print_evidence(ctl, record, records);
}

static void print_chain(const struct ctl *ctl, struct json_object *answer,
			struct json_object *records)
{
	struct json_object *chain = json_items(answer, "chain");
	size_t n = chain ? json_object_array_length(chain) : 0;

	print_link(ctl, json_member(answer, "record"), records);
	for (size_t i = 0; i < n; i++) {
		printf("%sbecause%s\n", colour_on(ctl, COLOUR_GREY), colour_off(ctl));
		print_link(ctl, json_object_array_get_idx(chain, i), records);
	}
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_json_ struct json_object *answer = NULL, *incident = NULL, *explained = NULL;
	struct json_object *record;
	const char *id;
	int r;

	if (argc != 2)
		return ctl_fail(ctl, CTL_USAGE, "list them: aiopsctl incidents",
				"why: give the id of an incident or of one of its records");
	r = story_fetch(ctl, "/v1/records/", argv[1], &answer);
	if (r != CTL_OK)
		return r;
	record = json_member(answer, "record");
	id = json_text(record, "incident_id", NULL);
	if (id && story_fetch(ctl, "/v1/incidents/", id, &incident) == CTL_OK &&
	    str_equal(json_text(record, "id", ""), id) && record_to_explain(incident)) {
		id = json_text(record_to_explain(incident), "id", id);
		r = story_fetch(ctl, "/v1/records/", id, &explained);
		if (r != CTL_OK)
			return r;
	}
	if (ctl->json != JSON_MODE_OFF)
		return ctl_print_json(ctl, explained ? explained : answer);
	print_chain(ctl, explained ? explained : answer, json_items(incident, "records"));
	return CTL_OK;
}

const struct verb_ops verb_why = {
	.name = "why",
	.group = "See",
	.usage = "ID",
	.summary = "why it thought or did so: the chain of evidence",
	.help = "With an incident's id it begins at the last verdict or diagnosis; with the id of\n"
		"a record (from 'aiopsctl incidents show ID --json') at that one. Each line rests\n"
		"on the next.",
	.run = run,
};

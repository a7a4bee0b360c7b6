/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: daemon/recorder.a gen/registry_recorder_inspector.o */
/* links: selftests/fuzz/httpfuzz.o daemon/recorder/inspectors.a daemon/stores.a */
#include <assert.h>

#include "recorder/recorder.h"
#include "selftests/fuzz/httpfuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Something to find: an incident of three records. */
static void remember(struct recorder *rec)
{
	struct record r = { .id = 1000, .incident_id = 1000, .kind = RECORD_KIND_INCIDENT };

	r.entity = entity_make(ENTITY_KIND_UNIT, "a.service");
	for (unsigned i = 0; i < 3; i++) {
		(void)history_add_record(rec->history, &r);
		r.parent_id = r.id;
		r.id += 7;
	}
	(void)history_flush(rec->history);
}

static struct recorder *recorder_here(void)
{
	static struct recorder rec;
	const char *here = httpfuzz_directory();
	const struct recorder_paths paths = { here, here, here };
	struct err err = { 0 };

	if (rec.event)
		return &rec;
	if (recorder_init(&rec, &paths, &err) < 0)
		assert(!err_text(&err));
	remember(&rec);
	return &rec;
}

/* history.sock of a real recorder with a real database. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	httpfuzz_send(recorder_here()->event, "history", data, size);
	return 0;
}

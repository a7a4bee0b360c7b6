/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "ipc/frame.h"
#include "model/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What passed the check is written by everybody as JSON and printed: it must bear that. */
static void use_record(const struct record *r)
{
	_cleanup_json_ struct json_object *o = NULL;
	char entity[ENTITY_TEXT_MAX] = "";
	const char *text;

	assert(record_to_json(r, &o) == 0);
	text = json_object_to_json_string(o);
	assert(str_is_clean_utf8(text, strlen(text)));
	(void)entity_format(&r->entity, entity);
}

static void use(const struct frame *f)
{
	char text[4096];

	assert(frame_type_to_string((enum frame_type)f->type));
	if (f->type == FRAME_RECORD)
		use_record(&f->record);
	if (f->type == FRAME_PROPOSE)
		(void)params_format(&f->proposal.plan.step.params, text, sizeof(text));
	if (f->type == FRAME_ROLLUP)
		assert(f->rollups.n <= FRAME_ROLLUPS_MAX);
	if (f->type == FRAME_EVIDENCE)
		assert(f->inspect_item.evidence.n_facts <= FACTS_MAX);
}

/* The first byte is the type of a frame whose head is right, so that the fuzzer gets to the bodies; an
 * odd second byte leaves the head to it, too. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct frame f;
	struct err err = { 0 };
	size_t skip;

	if (size < 2)
		return 0;
	frame_init(&f, (enum frame_type)(data[0] % _FRAME_TYPE_MAX));
	skip = data[1] & 1 ? 0 : FRAME_HEAD_SIZE;
	if (size - 2 > sizeof(f) - skip)
		return 0;
	memcpy((uint8_t *)&f + skip, data + 2, size - 2);
	if (frame_check(&f, skip ? f.size : size - 2, &err) < 0)
		assert(err.text[0]);
	else
		use(&f);
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "model/fault_status.h"

#define KEY "0123456789abcdef0123456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte says which file. A seal would keep the fuzzer out, so what lies behind it is asked. */
static void fuzz_record(const uint8_t *data, size_t size)
{
	struct fault_record r = { 0 };
	struct err err = { 0 };
	char text[FAULT_PARAMS_TEXT_MAX] = "";

	memcpy(&r, data, size < sizeof(r) ? size : sizeof(r));
	memcpy(r.key, KEY, sizeof(r.key));
	if (fault_record_check(&r, KEY, &err) < 0) {
		assert(err.text[0]);
		return;
	}
	assert(r.duration_ns >= FAULT_DURATION_MIN_NS && r.duration_ns <= FAULT_DURATION_MAX_NS);
	(void)fault_params_unit(&r.params);
	(void)params_format(&r.params, text, sizeof(text));
}

static void fuzz_undo(const uint8_t *data, size_t size)
{
	struct fault_undo u = { 0 };
	struct err err = { 0 };

	memcpy(&u, data, size < sizeof(u) ? size : sizeof(u));
	memcpy(u.key, KEY, sizeof(u.key));
	if (fault_undo_check(&u, KEY, &err) == 0)
		assert(u.state_size <= sizeof(u.state));
	else
		assert(err.text[0]);
}

static void fuzz_status(const uint8_t *data, size_t size)
{
	struct fault_status s = { 0 }, back = { 0 };
	_cleanup_json_ struct json_object *o = NULL;
	struct err err = { 0 };
	const char *text;

	if (fault_status_from_text((const char *)data, size, &s, &err) < 0) {
		assert(err.text[0]);
		return;
	}
	assert(fault_status_to_json(&s, &o) == 0);
	text = json_object_to_json_string(o);
	assert(fault_status_from_text(text, strlen(text), &back, &err) == 0);
	assert(back.state == s.state && back.duration_ns == s.duration_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] % 3 == 0)
		fuzz_record(data + 1, size - 1);
	else if (data[0] % 3 == 1)
		fuzz_undo(data + 1, size - 1);
	else
		fuzz_status(data + 1, size - 1);
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "model/step.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte says which file. A seal would keep the fuzzer out, so what lies behind it is asked,
 * and the seal itself with the bytes as they are. */

static void fuzz_record(const uint8_t *data, size_t size)
{
	static struct step_record r;
	char text[4096];
	struct err err = { 0 };

	memset(&r, 0, sizeof(r));
	memcpy(&r, data, size < sizeof(r) ? size : sizeof(r));
	if (step_record_check(&r, &err) < 0) {
		assert(err.text[0]);
		return;
	}
	assert(strlen(r.key) == 32 && strlen(r.boot_id) == 32);
	assert(r.op == STEP_OP_REVERT ? strlen(r.target_key) == 32 : !r.target_key[0]);
	(void)params_format(&r.params, text, sizeof(text));
	(void)step_op_to_string(r.op);
}

static void fuzz_result(const uint8_t *data, size_t size)
{
	struct step_result r;
	struct err err = { 0 };

	memset(&r, 0, sizeof(r));
	memcpy(&r, data, size < sizeof(r) ? size : sizeof(r));
	if (step_result_check(&r, &err) < 0)
		assert(err.text[0]);
	else
		assert(attempt_phase_is_final(r.phase) &&
		       str_is_clean_utf8(r.text, strlen(r.text)));
}

static void fuzz_undo(const uint8_t *data, size_t size)
{
	static struct undo_record u;
	struct err err = { 0 };

	memset(&u, 0, sizeof(u));
	memcpy(&u, data, size < sizeof(u) ? size : sizeof(u));
	if (undo_record_check(&u, &err) < 0)
		assert(err.text[0]);
	else
		assert(u.size <= sizeof(u.data) && u.params.n <= PARAMS_MAX);
}

static void fuzz_claim(const uint8_t *data, size_t size)
{
	char text[STEP_CLAIM_MAX] = "";

	memcpy(text, data, size < sizeof(text) - 1 ? size : sizeof(text) - 1);
	assert((unsigned)step_claim_parse(text) < _STEP_PHASE_MAX);
}

static void fuzz_seal(const uint8_t *data, size_t size)
{
	static union {
		struct step_result result;
		uint8_t bytes[sizeof(struct step_result)];
	} u;

	memset(&u, 0, sizeof(u));
	memcpy(u.bytes, data, size < sizeof(u) ? size : sizeof(u));
	/* Nobody guesses a SHA-256. */
	assert(sealed_check(&u, size, sizeof(u), STEP_KIND_RESULT, STEP_VERSION, NULL) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const fuzz[])(const uint8_t *, size_t) = { fuzz_record, fuzz_result,
								 fuzz_undo, fuzz_claim, fuzz_seal };

	if (size > 0)
		fuzz[data[0] % ELEMENTSOF(fuzz)](data + 1, size - 1);
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <stdint.h>

#include "model/silence.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken says who and why, and ends. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct silence s = { 0 };
	struct err err = { 0 };

	if (silence_parse("f.yaml", (const char *)data, size, &s, &err) < 0) {
		assert(err.text[0]);
		return 0;
	}
	assert(s.by[0] && s.reason[0] && s.n_alerts <= SILENCE_ALERTS_MAX);
	assert(s.until_us > 0 ? s.until_us - s.from_us <= SILENCE_SPAN_MAX_US :
				s.for_s > 0 && s.for_s <= 86400 && s.at_s < 86400 + 3600);
	(void)silence_is_on(&s, UINT64_C(1764000000000000));
	return 0;
}

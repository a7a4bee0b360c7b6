/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <math.h>
#include <stdint.h>

#include "model/alert_test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken has a window within its bounds and a finite threshold; so have its tests. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct alert_tests tests;
	struct alert a = { 0 };
	struct err err = { 0 };

	if (alert_tests_parse("f.yaml", (const char *)data, size, &tests, &err) == 0)
		for (uint32_t i = 0; i < tests.n; i++)
			assert(tests.v[i].n_values > 0 &&
			       tests.v[i].n_values <= ALERT_TEST_VALUES_MAX);
	err = (struct err){ 0 };
	if (alert_parse("f.yaml", (const char *)data, size, &a, &err) < 0) {
		assert(err.text[0]);
		return 0;
	}
	assert(a.id[0] && a.signal[0] && a.rule[0] && a.reason[0] && a.source[0]);
	assert(a.m >= 1 && a.m <= a.n && a.n <= ALERT_WINDOW_MAX && a.clear_n >= 1);
	assert(isfinite(a.from) && a.objective < 1);
	assert(isfinite(a.threshold) && isfinite(a.clear_ratio));
	return 0;
}

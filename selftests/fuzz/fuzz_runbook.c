/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"
#include "model/runbook.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(runbook_done) struct runbook r = { 0 };
	const struct runbook_names names = { 0 };
	struct err err = { 0 };

	if (runbook_parse("f.md", (const char *)data, size, &r, &err) < 0) {
		assert(!r.body && !r.tests && err.text[0]);
		return 0;
	}
	assert(r.n_alerts <= RUNBOOK_ALERTS_MAX);
	assert(!runbook_is_guide(&r) || (r.n_plan == 0 && r.autonomy <= AUTONOMY_SUGGEST));
	assert(r.n_evidence <= RUNBOOK_CLAUSES_MAX && r.n_exclude <= RUNBOOK_CLAUSES_MAX);
	assert(r.n_plan <= ALTERNATIVES_MAX && r.n_tests <= RUNBOOK_TESTS_MAX);
	assert((runbook_is_guide(&r) || r.min_score > 0) && str_is_terminated(r.id, sizeof(r.id)));
	for (uint32_t i = 0; i < r.n_plan; i++)
		assert(r.plan[i].n_params <= PARAMS_MAX);
	for (uint32_t i = 0; i < r.n_tests; i++)
		assert(r.tests[i].fault[0] || r.tests[i].search[0] ||
		       entity_is_valid(&r.tests[i].given.entity));
	(void)runbook_lint(&r, &names, &err);
	return 0;
}

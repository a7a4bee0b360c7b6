/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <stdint.h>

#include "model/policy.h"

static const struct entity ssh = { .kind = ENTITY_KIND_UNIT, .name = "ssh.service" };
static const struct entity x = { .kind = ENTITY_KIND_UNIT, .name = "x.service" };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever the policy says: protected units and an unset mode are never allowed. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(policy_done) struct policy p = { 0 };
	struct decision d = { 0 };
	struct err err = { 0 };

	if (policy_parse("f.yaml", (const char *)data, size, &p, &err) < 0) {
		assert(err.text[0]);
		return 0;
	}
	assert(p.n_rules <= POLICY_RULES_MAX && p.limits.per_host_per_hour > 0);
	policy_decide(&p, NULL, "unit.start", &ssh, AUTONOMY_AUTO, &d);
	assert(d.verdict == DECISION_DENY);
	policy_decide(&p, NULL, "unit.start", &x, AUTONOMY_AUTO, &d);
	assert(p.mode == AUTONOMY_AUTO || d.verdict != DECISION_ALLOW);
	policy_decide(&p, NULL, "unit.start", &x, AUTONOMY_OBSERVE, &d);
	assert(d.verdict == DECISION_DENY);
	return 0;
}

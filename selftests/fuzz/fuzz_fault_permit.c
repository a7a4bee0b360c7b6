/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: daemon/fault.a */
#include <assert.h>
#include <stdint.h>

#include "fault/fault.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A file of chaos.d. Who gets an error permits nothing. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fault_permit unit = { .unit = "aiops-target-api.service" }, host = { 0 };
	struct err err = { 0 };

	if (fault_permit_parse("f.yaml", (const char *)data, size, &unit, &err) < 0)
		assert(err.text[0]);
	assert(!unit.is_allowed || unit.is_enabled);
	(void)fault_permit_parse("f.yaml", (const char *)data, size, &host, &err);
	return 0;
}

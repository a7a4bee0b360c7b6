/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "sys/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken has a name that is one part of a path, and a digest. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct snapshot s = { 0 };
	struct err err = { 0 };

	if (snapshot_parse((const char *)data, size, &s, &err) < 0) {
		assert(err.text[0] && !s.name[0]);
		return 0;
	}
	assert(str_is_plain_name(s.name) && strlen(s.sha256) == SHA256_HEX_MAX - 1);
	assert(s.size_bytes <= INT64_MAX && s.created_wall_us <= INT64_MAX);
	return 0;
}

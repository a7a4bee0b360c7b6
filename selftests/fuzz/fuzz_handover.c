/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/handover.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* However the bytes come in pieces: what is known stays so, at the end all is known, and the other gets
 * what begins with one of its prefixes and nothing else. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const prefixes[] = { "/action/", "/v1/actions", "/v1/mode", NULL };
	const char *line = (const char *)data, *path = memchr(data, ' ', size);
	enum handover_owner known = HANDOVER_OWNER_UNKNOWN;
	bool begins = false;

	if (size > HANDOVER_LINE_MAX)
		return 0;
	for (size_t n = 0; n <= size; n++) {
		char *copy = memcpy(malloc(n ? n : 1), line, n); /* its end is the end */
		enum handover_owner owner = handover_owner_of(prefixes, copy, n);

		free(copy);
		assert(known == HANDOVER_OWNER_UNKNOWN || owner == known);
		known = owner;
	}
	for (const char *const *p = prefixes; path && *p; p++)
		begins |= size - (size_t)(path + 1 - line) >= strlen(*p) &&
			  memcmp(path + 1, *p, strlen(*p)) == 0;
	assert((known == HANDOVER_OWNER_OTHER) == begins);
	assert(size < HANDOVER_LINE_MAX || known != HANDOVER_OWNER_UNKNOWN);
	return 0;
}

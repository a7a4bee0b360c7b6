/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sys/spool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A segment that a power cut or a disk has been at: it is read to its end, and what is taken for rows are. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	size_t at = 0, rows, skip;

	while (at < size) {
		size_t n = spool_rows(text + at, size - at, &rows, &skip);

		assert(n + skip <= size - at && (n == 0 || skip == 0));
		assert((rows > 0) == (n > 0));
		assert(n == 0 || text[at + n - 1] == '\n');
		if (n + skip == 0)
			break;
		at += n + skip;
	}
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/audit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A line that somebody else wrote never checks; one of ours does, whatever the entry holds. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *copy = malloc(size + 1);
	struct audit_head start, head = { 0 }, before, after;
	struct audit_entry entry = { .seq = size };
	static char line[AUDIT_LINE_MAX];
	struct err err = { 0 };
	int r;

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	copy[size] = '\0';
	audit_head_init(&start);
	if (audit_line_check(copy, size, &start, &head, NULL, &err) < 0)
		assert(err.text[0]);
	(void)audit_line_read(copy, size, &before, &after);
	(void)str_copy(entry.attempt.text, sizeof(entry.attempt.text), copy);
	(void)str_copy(entry.actor, sizeof(entry.actor), copy + size / 2);
	r = audit_line_format(&entry, &start, line, &head, NULL);
	assert(r > 0 && line[r - 1] == '\n' && !memchr(line, '\n', (size_t)r - 1));
	assert(audit_line_check(line, (size_t)r - 1, &start, &after, NULL, NULL) == 0);
	assert(str_equal(after.hash, head.hash));
	return 0;
}

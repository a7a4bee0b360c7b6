/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: daemon/recorder/template.o */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "recorder/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Log text is from strangers: whatever it is, templates are bounded, clean and add up. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ struct templates *t = calloc(1, sizeof(*t));
	_cleanup_free_ char *text = malloc(size + 1);
	uint32_t lines = 0, counted = 0;

	if (!t || !text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	for (char *p = text, *end = text + size; p < end; p += strlen(p) + 1) {
		char *newline = strchr(p, '\n'), masked[TEMPLATE_TEXT_MAX] = "";

		if (newline)
			*newline = '\0';
		(void)template_mask(p, masked);
		assert(str_is_clean_utf8(masked, strlen(masked)));
		templates_add(t, p, p[0] & 7);
		lines++;
	}
	templates_sort(t);
	assert(t->lines_count == lines && t->n <= TEMPLATES_MAX);
	for (uint32_t i = 0; i < t->n; i++) {
		assert(str_is_terminated(t->v[i].text, sizeof(t->v[i].text)));
		counted += t->v[i].lines_count;
	}
	assert(counted + t->overflow_count == lines);
	return 0;
}

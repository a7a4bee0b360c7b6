/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "model/chunk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct text {
	const char *begin, *end, *behind;
};

/* Pieces come in order, do not overlap, are not too long and not empty. */
static int take(void *userdata, const struct chunk *c, struct err *reterr)
{
	struct text *t = userdata;

	(void)reterr;
	assert(c->length > 0 && c->length <= CHUNK_BYTES_MAX);
	assert(c->body >= t->behind && c->body + c->length <= t->end);
	assert(!isspace((unsigned char)c->body[c->length - 1]));
	assert(strlen(c->section) < CHUNK_SECTION_MAX);
	t->behind = c->body + c->length;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char nothing[] = "";

	for (int form = CHUNK_FORM_MARKDOWN; form <= CHUNK_FORM_PLAIN; form++) {
		const char *p = size > 0 ? (const char *)data : nothing;
		struct text t = { p, p + size, p };

		assert(chunk_split(p, size, (enum chunk_form)form, take, &t, NULL) == 0);
	}
	return 0;
}

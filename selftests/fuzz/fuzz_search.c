/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/searchterms.h"
#include "sys/knowledge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct knowledge *make(void)
{
	static const char text[] = "# Title\n\nnear or not and \"quoted\" column: word* ^first\n";
	const struct knowledge_document d = { .kind = KNOWLEDGE_KIND_DOCUMENT,
					      .form = CHUNK_FORM_MARKDOWN,
					      .name = "d",
					      .title = "column",
					      .path = "d.md",
					      .text = text,
					      .length = sizeof(text) - 1 };
	struct knowledge *k = NULL;

	if (knowledge_create(":memory:", &k, NULL) < 0 || knowledge_add(k, &d, NULL) != 1 ||
	    knowledge_finish(k, NULL) < 0)
		abort();
	return k;
}

/* Whatever a person types, FTS5 understands what we make of it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct knowledge *k;
	_cleanup_free_ char *text = malloc(size + 1);
	char match[SEARCH_MATCH_MAX];
	struct knowledge_hit hits[2];
	struct err err = { 0 };
	int r;

	if (!text)
		return 0;
	if (!k)
		k = make();
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	r = knowledge_search(k, text, _KNOWLEDGE_KIND_MAX, hits, 2, &err);
	assert(r >= 0 || (search_terms(text, match) == 0 && err.text[0]));
	return 0;
}

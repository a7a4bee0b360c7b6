/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: daemon/sys.a */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sys/nft.h"
#include "sys/nlraw.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Attributes as the kernel sends them, whatever their lengths say. */
static void walk(const void *data, size_t size, unsigned depth)
{
	for (const struct nlattr *a = nlraw_first(data, size); a; a = nlraw_next(data, size, a)) {
		const uint8_t *begin = nlraw_data(a);

		assert(begin + nlraw_size(a) <= (const uint8_t *)data + size);
		(void)nlraw_be32(a);
		(void)nlraw_be64(a);
		(void)strlen(nlraw_text(a));
		assert(nlraw_find(data, size, nlraw_type(a)));
		if (depth > 0)
			walk(begin, nlraw_size(a), depth - 1);
	}
}

/* A rule of the firewall, as it was kept for its way back. */
static void describe(const uint8_t *data, size_t size)
{
	static struct nft_rule rule;
	char text[256];

	memset(&rule, 0, sizeof(rule));
	size = size < sizeof(rule.bytes) ? size : sizeof(rule.bytes);
	memcpy(rule.bytes, data, size);
	rule.expressions_size = (uint16_t)size;
	assert(strlen(nft_describe(&rule, text, sizeof(text))) < sizeof(text));
	(void)nft_is_refusal(&rule);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Aligned as a message is, and of just its size. */
	uint8_t *copy = aligned_alloc(NLMSG_ALIGNTO, size > 0 ? NLMSG_ALIGN(size) : NLMSG_ALIGNTO);

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	walk(copy, size, 3);
	describe(copy, size);
	free(copy);
	return 0;
}

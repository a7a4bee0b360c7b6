/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: daemon/ctl/since.o */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "ctl/since.h"
#include "model/entity.h"
#include "model/step.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Single words from a command line, a URL or a unit's name: each parser of them, on the same word. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char word[512] = "", key[STR_HEX128_MAX] = "", text[ENTITY_TEXT_MAX] = "";
	struct entity e = { 0 }, back = { 0 };
	uint64_t v = 0;
	double d = 0;

	memcpy(word, data, size < sizeof(word) ? size : sizeof(word) - 1);
	(void)since_parse(word, UINT64_C(1764000000000000), &v);
	(void)str_parse_u64(word, &v);
	(void)str_parse_double(word, &d);
	if (step_unit_parse(word, key) == 0)
		assert(str_is_hex128(key));
	if (entity_parse(word, &e, NULL) == 0) {
		assert(entity_is_valid(&e));
		assert(entity_parse(entity_format(&e, text), &back, NULL) == 0);
		assert(back.kind == e.kind && str_equal(back.name, e.name));
	}
	if (str_is_unit_name(word))
		assert(str_is_clean_utf8(word, strlen(word)) && !strchr(word, '/'));
	return 0;
}

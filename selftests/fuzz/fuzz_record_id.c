/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "model/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every id has one spelling of 11 to 13 characters, which reads back as itself. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[32] = "", canonical[RECORD_ID_MAX] = "";
	uint64_t id = 0, back = 0;

	memcpy(text, data, size < sizeof(text) - 1 ? size : sizeof(text) - 1);
	if (record_id_parse(text, &id) == 0) {
		assert(id != 0);
		assert(strlen(record_id_format(id, canonical)) == strlen(text));
		assert(record_id_parse(canonical, &back) == 0 && back == id);
	}
	memcpy(&id, text, sizeof(id));
	if (id != 0)
		assert(record_id_parse(record_id_format(id, canonical), &back) == 0 && back == id);
	return 0;
}

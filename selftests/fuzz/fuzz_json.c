/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <stdint.h>

#include "base/json.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What parses is written and parses again as the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_json_ struct json_object *o = NULL;
	_cleanup_json_ struct json_object *back = NULL;
	struct err err = { 0 };
	const char *text;
	size_t length = 0;

	if (json_parse((const char *)data, size, &o, &err) < 0) {
		assert(!o && err.text[0]);
		return 0;
	}
	text = json_object_to_json_string_length(o, JSON_C_TO_STRING_PLAIN, &length);
	/* Escaped in the input, a C1 control comes out raw; a longer text may come out, too. */
	if (length > JSON_TEXT_MAX || !str_is_clean_text(text, length))
		return 0;
	assert(json_parse(text, length, &back, &err) == 0);
	assert(json_object_equal(o, back));
	return 0;
}

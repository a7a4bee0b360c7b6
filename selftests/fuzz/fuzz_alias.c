/* SPDX-License-Identifier: LGPL-2.1-or-later */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "base/str.h"
#include "model/action_alias.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken has a plain name, so that it is one part of a path. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct action_info none = { .name = NULL };
	struct action_aliases a = { 0 };
	struct err err = { 0 };

	if (aliases_parse("f.yaml", (const char *)data, size, &a, &err) < 0)
		assert(err.text[0]);
	assert(a.n <= ALIASES_MAX);
	for (uint32_t i = 0; i < a.n; i++) {
		assert(str_is_plain_name(a.v[i].name) && a.v[i].n_params <= PARAMS_MAX);
		assert(alias_lint(&a.v[i], &none, &err) < 0);
	}
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"
#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Counts nodes; asserts what the parser promises of each. */
static size_t check(const struct yaml_node *parent, unsigned depth)
{
	size_t n = 1;

	assert(depth <= YAML_DEPTH_MAX);
	assert(parent->line > 0 && parent->column > 0);
	if (parent->kind == YAML_KIND_SCALAR) {
		assert(!parent->child && strlen(parent->value) <= YAML_SCALAR_MAX);
		assert(str_is_clean_text(parent->value, strlen(parent->value)));
	}
	for (const struct yaml_node *c = parent->child; c; c = c->next) {
		assert((c->key != NULL) == (parent->kind == YAML_KIND_MAPPING));
		assert(!c->key || yaml_find(parent, c->key) == c);
		n += check(c, depth + 1);
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(yaml_doc_freep) struct yaml_doc *doc = NULL;
	struct err err = { 0 };

	if (yaml_parse("f", (const char *)data, size, &doc, &err) < 0) {
		assert(!doc && strncmp(err.text, "f:", 2) == 0);
		return 0;
	}
	assert(check(yaml_root(doc), 0) <= YAML_NODES_MAX);
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"
#include "model/service.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_data(const struct service *s)
{
	assert(!s->cache_dir[0] || strchr(s->cache_dir + 1, '/') ||
	       str_equal(s->cache_dir, "/tmp"));
	assert(s->env_file.n_secrets <= SERVICE_SECRETS_MAX && s->n_depends <= SERVICE_DEPENDS_MAX);
	assert(!s->upstream.key[0] || s->env_file.path[0] == '/');
	assert(!s->database.socket_dir[0] || (s->database.owner[0] && s->database.port > 0));
}

/* What is taken has a name, a unit and only URLs and paths that may be shown. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct service s = { 0 };
	struct err err = { 0 };

	if (service_parse("f.yaml", (const char *)data, size, &s, &err) < 0) {
		assert(err.text[0]);
		return 0;
	}
	assert(s.name[0] && !s.unit[0] != !s.container[0]);
	assert(s.container[0] ? str_is_container_name(s.container) : str_is_unit_name(s.unit));
	check_data(&s);
	assert(s.n_endpoints <= SERVICE_ENDPOINTS_MAX && s.config_paths.n <= SERVICE_PATHS_MAX);
	for (uint32_t i = 0; i < s.n_endpoints; i++) {
		const struct endpoint *e = &s.endpoints[i];

		assert(e->name[0] && str_is_clean_utf8(e->url, strlen(e->url)));
		assert(e->interval_ms >= 200 && e->timeout_ms >= 50 && e->slow_ms >= 1);
	}
	for (uint32_t i = 0; i < s.config_paths.n; i++)
		assert(s.config_paths.v[i][0] == '/');
	return 0;
}

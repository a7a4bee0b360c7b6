/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"
#include "sys/docker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_list(const char *text, size_t size)
{
	struct docker_listed v[4];
	struct err err = { 0 };
	int n = docker_parse_list(text, size, v, ELEMENTSOF(v), &err);

	assert(n <= (int)ELEMENTSOF(v) && (n >= 0 || err.text[0]));
	for (int i = 0; i < n; i++)
		assert(strlen(v[i].id) == DOCKER_ID_MAX - 1 && docker_is_name(v[i].name));
}

static void check_facts(const char *text, size_t size)
{
	static struct docker_facts f;
	struct err err = { 0 };

	if (docker_parse_facts(text, size, &f, &err) < 0) {
		assert(err.text[0]);
		return;
	}
	assert(strlen(f.id) == DOCKER_ID_MAX - 1 && docker_is_name(f.name));
	assert(f.state < _DOCKER_STATE_MAX && f.health < _DOCKER_HEALTH_MAX);
	assert(f.n_labels <= DOCKER_LABELS_MAX);
	for (uint32_t i = 0; i < f.n_labels; i++)
		assert(str_is_clean_utf8(f.labels[i].value, strlen(f.labels[i].value)));
	(void)docker_facts_is_at_rest(&f);
}

/* Whatever a server on Docker's socket answers, to whichever question. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct docker_usage usage = { 0 };
	char oldest[16], message[128], word[64] = "";

	check_list(text, size);
	check_facts(text, size);
	(void)docker_parse_usage(text, size, &usage, NULL);
	(void)docker_parse_events(text, size, NULL);
	if (docker_parse_version(text, size, oldest, NULL) == 0)
		(void)docker_negotiate("1.52", oldest, NULL);
	memcpy(word, data, size < sizeof(word) ? size : sizeof(word) - 1);
	(void)docker_negotiate(word, "", NULL);
	(void)docker_parse_message(word, strlen(word), message, sizeof(message));
	assert(str_is_clean_utf8(message, strlen(message)));
	return 0;
}

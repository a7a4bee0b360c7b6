/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "executor/executor.h"

/* One attempt as a stream: a line for what it is now, and for each phase that it passes, to its last. */
struct following {
	struct http_stream stream;
	struct executor *executor;
	char key[STR_HEX128_MAX];
	bool begun;
	enum attempt_phase phase; /* of the last line */
};

static int next_line(struct http_stream *stream, struct json_object **ret)
{
	struct following *f = (struct following *)stream;
	const struct broker *b = &f->executor->broker;
	const struct entry *e = attempts_find(&b->attempts, f->key);

	if (!e || (f->begun && attempt_phase_is_final(f->phase)))
		return -ENODATA;
	if (f->begun && e->attempt.phase == f->phase)
		return 0;
	if (executor_json_attempt(e, b, ret) < 0)
		return -ENOMEM;
	f->begun = true;
	f->phase = e->attempt.phase;
	return 1;
}

static void following_free(struct http_stream *stream)
{
	free(stream);
}

struct http_stream *executor_follow(struct executor *x, const char *key)
{
	struct following *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->stream = (struct http_stream){ .next = next_line, .free = following_free };
	f->executor = x;
	(void)str_copy(f->key, sizeof(f->key), key);
	return &f->stream;
}

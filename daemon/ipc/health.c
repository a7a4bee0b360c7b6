/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ipc/health.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES_TYPE "application/x-ndjson"

int health_add(struct json_object *o, const struct health_part *parts, size_t n)
{
	struct json_object *array = json_object_new_array();
	bool ok = true;

	if (!array || json_add(o, "parts", array) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		_cleanup_json_ struct json_object *one = json_object_new_object();
		const struct health_part *p = &parts[i];

		ok = ok && !p->reason;
		if (!one || json_add_string(one, "name", p->name) < 0 ||
		    json_add_bool(one, "ok", !p->reason) < 0 ||
		    json_add_string(one, "reason", p->reason ? p->reason : "") < 0 ||
		    json_object_array_add(array, one) < 0)
			return -ENOMEM;
		TAKE_PTR(one);
	}
	return json_add_string(o, "status", ok ? "ok" : "degraded");
}

int health_answer(const struct http_request *rq, struct http_answer *ret)
{
	const char *accept = http_header(rq, "Accept");
	struct json_object *array = NULL;
	char *text = NULL;
	size_t length = 0;
	FILE *f;

	if (!accept || !strstr(accept, LINES_TYPE) ||
	    !json_object_object_get_ex(ret->json, "parts", &array))
		return 0;
	f = open_memstream(&text, &length);
	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i < json_object_array_length(array); i++)
		fprintf(f, "%s\n",
			json_object_to_json_string_ext(json_object_array_get_idx(array, i),
						       JSON_C_TO_STRING_PLAIN));
	if (fclose(f) != 0) {
		free(text);
		return -ENOMEM;
	}
	(void)json_object_put(TAKE_PTR(ret->json));
	ret->text = text;
	ret->text_type = LINES_TYPE;
	return 0;
}

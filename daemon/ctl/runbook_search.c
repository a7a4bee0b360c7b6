/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/runbook_search.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "ctl/api.h"
#include "model/searchterms.h"

#define HITS_DEFAULT 5
#define PATH_SIZE    (3 * SEARCH_TEXT_MAX + 128)

int runbook_search_index(const struct runbooks *all, struct knowledge **ret, struct err *reterr)
{
	_cleanup_(knowledge_closep) struct knowledge *k = NULL;
	int r = knowledge_create(":memory:", &k, reterr);

	for (uint32_t i = 0; r >= 0 && i < all->n; i++)
		r = knowledge_add_runbook(k, &all->v[i], reterr);
	if (r >= 0)
		r = knowledge_finish(k, reterr);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(k);
	return 0;
}

int runbook_search_test(struct knowledge *k, const char *id, const char *text, struct err *reterr)
{
	struct knowledge_hit hit = { 0 };
	int n = knowledge_search(k, text, KNOWLEDGE_KIND_RUNBOOK, &hit, 1, reterr);

	if (n < 0)
		return n;
	if (n == 0)
		return err_set(reterr, -EBADMSG, "search '%.100s': found nothing", text);
	if (!str_equal(hit.name, id))
		return err_set(reterr, -EBADMSG, "search '%.100s': found '%s' first", text,
			       hit.name);
	return 0;
}

static void append_escaped(char *dst, size_t size, const char *text)
{
	for (; *text; text++)
		str_append(dst, size, isalnum((unsigned char)*text) ? "%c" : "%%%02X",
			   (unsigned char)*text);
}

static unsigned hits_max(const struct ctl *ctl)
{
	unsigned n = ctl->rows_max > 0 ? ctl->rows_max : HITS_DEFAULT;

	return n < KNOWLEDGE_HITS_MAX ? n : KNOWLEDGE_HITS_MAX;
}

/* The same shape as the recorder's answer. */
static struct json_object *hit_json(const struct knowledge_hit *h)
{
	struct json_object *o = json_object_new_object();

	(void)json_add_string(o, "kind", knowledge_kind_to_string(h->kind));
	(void)json_add_string(o, "name", h->name);
	(void)json_add_string(o, "title", h->title);
	(void)json_add_string(o, "section", h->section);
	(void)json_add_string(o, "snippet", h->snippet);
	(void)json_add_double(o, "score", h->score);
	(void)json_add_string(o, "path", h->path);
	return o;
}

static int search_here(const struct runbooks *all, const char *text, unsigned n_max,
		       struct json_object **ret, struct err *reterr)
{
	_cleanup_(knowledge_closep) struct knowledge *k = NULL;
	_cleanup_free_ struct knowledge_hit *hits = calloc(n_max, sizeof(*hits));
	struct json_object *array;
	int n = runbook_search_index(all, &k, reterr);

	if (!hits)
		return err_set(reterr, -ENOMEM, "search: Out of memory");
	if (n >= 0)
		n = knowledge_search(k, text, _KNOWLEDGE_KIND_MAX, hits, n_max, reterr);
	if (n < 0)
		return n;
	*ret = json_object_new_object();
	array = json_object_new_array();
	for (int i = 0; i < n; i++)
		(void)json_object_array_add(array, hit_json(&hits[i]));
	(void)json_add_string(*ret, "query", text);
	(void)json_add_u64(*ret, "documents", knowledge_stats(k)->documents);
	(void)json_add(*ret, "hits", array);
	return 0;
}

/* A snippet on one line; its marks become bold where there is colour, and words are shown as they are
 * where there is none. */
static void print_snippet(const struct ctl *ctl, const char *snippet)
{
	static const char begin[] = KNOWLEDGE_MARK_BEGIN, end[] = KNOWLEDGE_MARK_END;
	char line[2 * KNOWLEDGE_SNIPPET_MAX] = "";

	for (const char *p = snippet; *p;) {
		bool is_begin = strncmp(p, begin, strlen(begin)) == 0;
		bool is_end = !is_begin && strncmp(p, end, strlen(end)) == 0;

		if (ctl->colour && (is_begin || is_end)) {
			str_append(line, sizeof(line), "%s",
				   is_begin ? colour_on(ctl, COLOUR_BOLD) : colour_off(ctl));
			p += strlen(begin);
			continue;
		}
		str_append(line, sizeof(line), "%c",
			   iscntrl((unsigned char)*p) ? ' ' : (unsigned char)*p);
		p++;
	}
	printf("    %s\n", line);
}

static int print_hits(const struct ctl *ctl, struct json_object *answer)
{
	struct json_object *hits = json_items(answer, "hits");
	size_t n = hits ? json_object_array_length(hits) : 0;

	if (ctl->json != JSON_MODE_OFF)
		return ctl_print_json(ctl, answer);
	for (size_t i = 0; i < n; i++) {
		struct json_object *h = json_object_array_get_idx(hits, i);
		char name[256] = "", title[512] = "", section[512] = "";

		(void)str_escape(name, sizeof(name), json_text(h, "name", ""));
		(void)str_escape(title, sizeof(title), json_text(h, "title", ""));
		(void)str_escape(section, sizeof(section), json_text(h, "section", ""));
		printf("%s%s%s%s  %s%s%s  %s(%s, %.1f)%s\n", i ? "\n" : "",
		       colour_on(ctl, COLOUR_BOLD), name, colour_off(ctl), title,
		       section[0] ? ": " : "", section, colour_on(ctl, COLOUR_GREY),
		       json_text(h, "kind", ""), json_number(h, "score"), colour_off(ctl));
		print_snippet(ctl, json_text(h, "snippet", ""));
		printf("    %s%s%s\n", colour_on(ctl, COLOUR_GREY), json_text(h, "path", ""),
		       colour_off(ctl));
	}
	if (n == 0)
		return ctl_fail(ctl, CTL_NOT_FOUND, "try other words, or a line of the log",
				"nothing fits");
	if (str_equal(json_text(json_object_array_get_idx(hits, 0), "kind", ""), "runbook"))
		ctl_hint(ctl, "read it: aiopsctl runbooks show %s",
			 json_text(json_object_array_get_idx(hits, 0), "name", ""));
	return CTL_OK;
}

static int search_text(const struct ctl *ctl, const struct runbooks *all, const char *text)
{
	_cleanup_json_ struct json_object *answer = NULL;
	char path[PATH_SIZE] = "", match[SEARCH_MATCH_MAX];
	struct err err = { 0 };

	if (search_terms(text, match) == 0)
		return ctl_fail(ctl, CTL_USAGE,
				"say what you see: aiopsctl runbooks search "
				"no space left on device",
				"runbooks search: no word to look for");
	str_append(path, sizeof(path), "/v1/knowledge/search?limit=%u&q=", hits_max(ctl));
	append_escaped(path, sizeof(path), text);
	if (api_try(ctl, API_HISTORY, path, &answer, &err) < 0) {
		ctl_hint(ctl, "runbooks only: %s", err_text(&err));
		if (search_here(all, text, hits_max(ctl), &answer, &err) < 0)
			return ctl_fail_err(ctl, CTL_FAILED, NULL, &err);
	}
	return print_hits(ctl, answer);
}

static int search_incident(const struct ctl *ctl)
{
	_cleanup_json_ struct json_object *answer = NULL;
	char path[1024] = "";
	int r;

	str_append(path, sizeof(path), "/v1/knowledge/search?limit=%u&incident=", hits_max(ctl));
	append_escaped(path, sizeof(path), ctl->incident);
	r = api_call(ctl, API_HISTORY, "GET", path, NULL, &answer);
	return r != CTL_OK ? r : print_hits(ctl, answer);
}

int runbook_search(const struct ctl *ctl, const struct runbooks *all, int argc, char **argv)
{
	char text[SEARCH_TEXT_MAX / 2] = "";

	if (ctl->incident && argc > 0)
		return ctl_fail(ctl, CTL_USAGE, NULL,
				"runbooks search: give either words or --incident");
	if (ctl->incident)
		return search_incident(ctl);
	for (int i = 0; i < argc; i++)
		str_append(text, sizeof(text), "%s%s", i ? " " : "", argv[i]);
	return search_text(ctl, all, text);
}

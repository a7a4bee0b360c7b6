/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ipc/query.h"
#include "model/searchterms.h"
#include "recorder/recorder.h"

/* GET /v1/knowledge/search. The knowledge base is made by `aiops-recorder index`, a process of its own;
 * here it is only read, so that a big document delays nobody. */

#define HITS_DEFAULT 5
#define HINT         "make it: systemctl start aiops-index"

static int no_memory(struct err *reterr)
{
	return err_set(reterr, -ENOMEM, "answer: Out of memory");
}

int recorder_knowledge_open(struct recorder *r, struct knowledge **ret, struct err *reterr)
{
	struct recorder_knowledge *k = &r->knowledge;
	struct err cause = { 0 };
	struct stat st;

	if (stat(k->path, &st) < 0)
		return err_set(reterr, -EBUSY, "open knowledge base '%s': %s", k->path,
			       strerror(errno));
	if (!k->db || st.st_dev != k->dev || st.st_ino != k->ino) {
		k->db = knowledge_close(k->db);
		if (knowledge_open(k->path, &k->db, &cause) < 0)
			return err_set(reterr, -EBUSY, "open knowledge base '%s': %s", k->path,
				       err_text(&cause));
		k->dev = st.st_dev;
		k->ino = st.st_ino;
	}
	*ret = k->db;
	return 0;
}

/* What an incident says of itself, as one would type it. */
struct words {
	char text[SEARCH_TEXT_MAX];
};

static void add_word(struct words *w, struct json_object *o)
{
	const char *s = json_object_get_type(o) == json_type_string ? json_object_get_string(o) :
								      NULL;

	/* The newest say most, and old ones may be many: each once. */
	if (s && s[0] && !strstr(w->text, s))
		str_append(w->text, sizeof(w->text), "%s ", s);
}

static void add_facts(struct words *w, struct json_object *facts)
{
	if (json_object_get_type(facts) != json_type_object)
		return;
	json_object_object_foreach(facts, name, value) {
		(void)name;
		add_word(w, value);
	}
}

static void on_row(void *userdata, const struct store_row *row)
{
	static const char *const kinds[] = { "event", "incident", "diagnosis", "evidence" };
	static const char *const members[] = { "alert", "title", "cause", "text" };
	_cleanup_json_ struct json_object *o = NULL;
	struct words *w = userdata;
	struct json_object *part, *member;

	if (!row->json || json_parse(row->json, strlen(row->json), &o, NULL) < 0)
		return;
	for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
		if (!json_object_object_get_ex(o, kinds[i], &part) ||
		    json_object_get_type(part) != json_type_object)
			continue;
		for (size_t k = 0; k < ELEMENTSOF(members); k++)
			if (json_object_object_get_ex(part, members[k], &member))
				add_word(w, member);
		if (json_object_object_get_ex(part, "facts", &member))
			add_facts(w, member);
	}
}

static int collect_words(struct recorder *rec, const char *incident, struct words *ret,
			 struct err *reterr)
{
	const struct store_ops *ops;
	uint64_t id = 0;
	void *state;
	int r = recorder_find_incident(rec, incident, &id, reterr);

	if (r >= 0)
		r = history_query(rec->history, &ops, &state, reterr);
	if (r < 0)
		return r;
	r = ops->incident(state, id, 0, STORE_ROWS_MAX, on_row, ret, reterr);
	return history_queried(rec->history, r, reterr) < 0 ? r : 0;
}

static int add_hit(struct json_object *array, const struct knowledge_hit *h)
{
	struct json_object *o = json_object_new_object();

	if (!o || json_add_string(o, "kind", knowledge_kind_to_string(h->kind)) < 0 ||
	    json_add_string(o, "name", h->name) < 0 || json_add_string(o, "title", h->title) < 0 ||
	    json_add_string(o, "section", h->section) < 0 ||
	    json_add_string(o, "snippet", h->snippet) < 0 ||
	    json_add_double(o, "score", h->score) < 0 || json_add_string(o, "path", h->path) < 0 ||
	    json_object_array_add(array, o) < 0) {
		(void)json_object_put(o);
		return -ENOMEM;
	}
	return 0;
}

struct question {
	const char *text;
	enum knowledge_kind kind;
	uint64_t hits_max;
};

static int parse_question(struct recorder *rec, const struct http_request *rq, struct words *words,
			  struct question *ret, struct err *reterr)
{
	static const char *const known[] = { "q", "incident", "kind", "limit", NULL };
	const struct query_range limit = { "limit", 1, KNOWLEDGE_HITS_MAX };
	const char *q = http_query(rq, "q"), *incident = http_query(rq, "incident");
	const char *kind = http_query(rq, "kind");
	int r = query_check(rq, known, reterr);

	*ret = (struct question){ q, _KNOWLEDGE_KIND_MAX, HITS_DEFAULT };
	if (r >= 0)
		r = query_u64(rq, &limit, &ret->hits_max, reterr);
	if (r >= 0 && !q == !incident)
		r = err_set(reterr, -EINVAL, "search: give either 'q' or 'incident'");
	if (r >= 0 && kind) {
		int k = knowledge_kind_from_string(kind);

		if (k < 0)
			return err_set(reterr, -EINVAL,
				       "parameter 'kind': is runbook, manual or document");
		ret->kind = (enum knowledge_kind)k;
	}
	if (r < 0 || q)
		return r;
	ret->text = words->text;
	return collect_words(rec, incident, words, reterr);
}

static int answer(struct knowledge *k, const struct question *q, struct json_object *o,
		  struct err *reterr)
{
	_cleanup_free_ struct knowledge_hit *hits = calloc(q->hits_max, sizeof(*hits));
	struct json_object *array = json_object_new_array();
	struct knowledge_stats count = { 0 };
	int n;

	if (!hits || !array || json_add(o, "hits", array) < 0)
		return no_memory(reterr);
	n = knowledge_search(k, q->text, q->kind, hits, q->hits_max, reterr);
	if (n == -ENODATA)
		return err_set(reterr, -EINVAL, "search: no word to look for in it");
	if (n >= 0 && knowledge_count(k, &count, reterr) < 0)
		n = -EIO;
	for (int i = 0; i < n; i++)
		if (add_hit(array, &hits[i]) < 0)
			return no_memory(reterr);
	if (n >= 0 && (json_add_string(o, "query", q->text) < 0 ||
		       json_add_u64(o, "documents", count.documents) < 0))
		return no_memory(reterr);
	return n;
}

int recorder_get_knowledge(void *userdata, const struct http_request *rq, struct http_answer *ret,
			   struct err *reterr)
{
	struct recorder *rec = userdata;
	_cleanup_json_ struct json_object *o = json_object_new_object();
	_cleanup_free_ struct words *words = calloc(1, sizeof(*words));
	struct knowledge *k;
	struct question q;
	int r;

	if (!o || !words)
		return no_memory(reterr);
	r = parse_question(rec, rq, words, &q, reterr);
	if (r < 0)
		return r;
	r = recorder_knowledge_open(rec, &k, reterr);
	if (r < 0) {
		(void)str_copy(ret->hint, sizeof(ret->hint), HINT);
		return r;
	}
	r = answer(k, &q, o, reterr);
	if (r == -EUCLEAN) {
		rec->knowledge.db = knowledge_close(rec->knowledge.db);
		(void)str_copy(ret->hint, sizeof(ret->hint), HINT);
		return err_set(reterr, -EBUSY, "search: the knowledge base is damaged");
	}
	if (r < 0)
		return r;
	ret->json = TAKE_PTR(o);
	return 0;
}

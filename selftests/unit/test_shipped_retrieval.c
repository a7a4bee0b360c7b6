/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The shipped runbooks are found by what people write: selftests/data/retrieval. Prints the figures. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "base/yaml.h"
#include "sys/knowledge.h"

#define SYMPTOMS_FILE "selftests/data/retrieval/symptoms.jsonl"
#define SYMPTOMS_N    100
#define HITS          10

struct symptom {
	bool held_out;
	char runbook[RULE_NAME_MAX], text[512];
};

struct part {
	unsigned n, first, in_three;
	double reciprocal;
	uint64_t worst_ns, sum_ns;
};

static struct knowledge *knowledge;
static struct symptom symptoms[SYMPTOMS_N];
static unsigned n_runbooks;

static int build(void **state)
{
	_cleanup_free_ char *text = malloc(YAML_TEXT_MAX);
	struct err err = { 0 };
	glob_t found = { 0 };

	(void)state;
	if (!text || knowledge_create(":memory:", &knowledge, &err) < 0 ||
	    glob("runbooks/*.md", 0, NULL, &found) != 0)
		return -1;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		_cleanup_(runbook_done) struct runbook r = { 0 };
		ssize_t n = fd_read_file(AT_FDCWD, found.gl_pathv[i], text, YAML_TEXT_MAX);

		if (n < 0 || runbook_parse(found.gl_pathv[i], text, (size_t)n, &r, &err) < 0 ||
		    knowledge_add_runbook(knowledge, &r, &err) <= 0) {
			(void)fprintf(stderr, "%s: %s\n", found.gl_pathv[i], err_text(&err));
			return -1;
		}
		n_runbooks++;
	}
	globfree(&found);
	return knowledge_finish(knowledge, &err);
}

static int load(void **state)
{
	_cleanup_fclose_ FILE *f = fopen(SYMPTOMS_FILE, "re");
	char line[2048];
	unsigned n = 0;

	if (build(state) < 0 || !f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		_cleanup_json_ struct json_object *o = NULL;
		const char *text = NULL, *runbook = NULL, *part = NULL;

		line[strcspn(line, "\n")] = '\0';
		if (n == SYMPTOMS_N || json_parse(line, strlen(line), &o, NULL) < 0 ||
		    json_get_string(o, "symptom", &text, NULL) < 0 ||
		    json_get_string(o, "runbook", &runbook, NULL) < 0 ||
		    json_get_string(o, "part", &part, NULL) < 0)
			return -1;
		symptoms[n].held_out = str_equal(part, "held-out");
		(void)str_copy(symptoms[n].runbook, sizeof(symptoms[n].runbook), runbook);
		(void)str_copy(symptoms[n].text, sizeof(symptoms[n].text), text);
		n++;
	}
	return n == SYMPTOMS_N ? 0 : -1;
}

static int unload(void **state)
{
	(void)state;
	knowledge = knowledge_close(knowledge);
	return 0;
}

/* Returns the rank from 1; 0: not among the first. */
static unsigned ask(const struct symptom *s, struct part *p)
{
	static struct knowledge_hit hits[HITS];
	uint64_t begin_ns = clock_boot_ns(), took_ns;
	struct err err = { 0 };
	int n = knowledge_search(knowledge, s->text, KNOWLEDGE_KIND_RUNBOOK, hits, HITS, &err);

	took_ns = clock_boot_ns() - begin_ns;
	p->n++;
	p->sum_ns += took_ns;
	p->worst_ns = took_ns > p->worst_ns ? took_ns : p->worst_ns;
	for (int i = 0; i < n; i++)
		if (str_equal(hits[i].name, s->runbook)) {
			p->first += i == 0;
			p->in_three += i < 3;
			p->reciprocal += 1.0 / (i + 1);
			return (unsigned)i + 1;
		}
	return 0;
}

static void print_part(const char *name, const struct part *p)
{
	print_message("retrieval, %s: n %u, recall@1 %.2f, recall@3 %.2f, MRR %.3f, mean %.2f ms, "
		      "worst %.2f ms\n",
		      name, p->n, (double)p->first / p->n, (double)p->in_three / p->n,
		      p->reciprocal / p->n, (double)p->sum_ns / p->n / (double)NS_PER_MS,
		      (double)p->worst_ns / (double)NS_PER_MS);
}

static void symptoms_of_people_find_the_right_runbook(void **state)
{
	bool verbose = getenv("AIOPS_RETRIEVAL_MISSES") != NULL;
	struct part tuning = { 0 }, held_out = { 0 };

	(void)state;
	for (size_t i = 0; i < SYMPTOMS_N; i++) {
		unsigned rank = ask(&symptoms[i], symptoms[i].held_out ? &held_out : &tuning);

		/* Who tunes sees the misses of one part only. */
		if (verbose && !symptoms[i].held_out && rank != 1)
			print_message("%2u %s: %s\n", rank, symptoms[i].runbook, symptoms[i].text);
	}
	print_part("tuning", &tuning);
	print_part("held out", &held_out);
	assert_int_equal(tuning.n, 70);
	assert_int_equal(held_out.n, 30);
	assert_true(tuning.in_three >= 60);
	assert_true(held_out.in_three >= 24);
}

static unsigned ask_its_own(const struct runbook *r)
{
	unsigned asked = 0;

	for (uint32_t i = 0; i < r->n_tests; i++) {
		struct knowledge_hit hit = { 0 };
		const char *text = r->tests[i].search;

		if (!text[0])
			continue;
		assert_int_equal(knowledge_search(knowledge, text, KNOWLEDGE_KIND_RUNBOOK, &hit, 1,
						  NULL),
				 1);
		if (!str_equal(hit.name, r->id))
			fail_msg("%s: '%s' finds '%s' first", r->id, text, hit.name);
		asked++;
	}
	return asked;
}

static void each_is_found_first_by_its_own_questions(void **state)
{
	_cleanup_free_ char *text = malloc(YAML_TEXT_MAX);
	glob_t found = { 0 };
	unsigned asked = 0;

	(void)state;
	assert_non_null(text);
	assert_int_equal(glob("runbooks/*.md", 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		_cleanup_(runbook_done) struct runbook r = { 0 };
		ssize_t n = fd_read_file(AT_FDCWD, found.gl_pathv[i], text, YAML_TEXT_MAX);

		assert_true(n > 0);
		assert_int_equal(runbook_parse("r.md", text, (size_t)n, &r, NULL), 0);
		asked += ask_its_own(&r);
	}
	globfree(&found);
	assert_true(asked >= 100);
}

static void there_are_forty_runbooks_and_each_label_is_one(void **state)
{
	struct knowledge_stats count = { 0 };

	(void)state;
	assert_int_equal(knowledge_count(knowledge, &count, NULL), 0);
	assert_int_equal(count.documents, n_runbooks);
	assert_true(n_runbooks >= 40);
	for (size_t i = 0; i < SYMPTOMS_N; i++) {
		char path[128] = "";

		str_append(path, sizeof(path), "runbooks/%s.md", symptoms[i].runbook);
		if (access(path, R_OK) < 0)
			fail_msg("%s: no runbook '%s'", SYMPTOMS_FILE, symptoms[i].runbook);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(symptoms_of_people_find_the_right_runbook),
		cmocka_unit_test(each_is_found_first_by_its_own_questions),
		cmocka_unit_test(there_are_forty_runbooks_and_each_label_is_one),
	};

	return cmocka_run_group_tests(tests, load, unload);
}

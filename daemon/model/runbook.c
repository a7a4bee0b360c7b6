/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/runbook.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/confdir.h"
#include "base/str.h"

#define RUNBOOK_FILE_MAX (64 * 1024) /* bytes: body and front matter */

static int add_file(const struct confdir_file *file, const char *text, size_t length,
		    void *userdata, struct err *reterr)
{
	char stem[sizeof(file->name)] = "";
	struct runbooks *all = userdata;
	struct runbook *grown, *r;
	int k;

	if (all->n >= RUNBOOKS_MAX)
		return err_set(reterr, -E2BIG, "%s:1:1: more than %d runbooks", file->path,
			       RUNBOOKS_MAX);
	grown = reallocarray(all->v, all->n + 1, sizeof(*all->v));
	if (!grown)
		return err_set(reterr, -ENOMEM, "load runbooks: %s", strerror(ENOMEM));
	all->v = grown;
	r = &all->v[all->n];
	k = runbook_parse(file->path, text, length, r, reterr);
	if (k < 0)
		return k;
	all->n++;
	if (!str_equal(r->id, confdir_stem(file, stem, sizeof(stem))))
		return err_set(reterr, -EINVAL, "%s:1:1: id '%s' is not the file's name",
			       file->path, r->id);
	return 0;
}

int runbooks_load(int root_fd, struct runbooks *ret, struct err *reterr)
{
	static const struct confdir_kind kind = { "runbooks", ".md", RUNBOOK_FILE_MAX, false };
	_cleanup_(runbooks_done) struct runbooks all = { 0 };
	int r = confdir_load(root_fd, &kind, add_file, &all, reterr);

	if (r < 0)
		return r;
	*ret = all;
	all = (struct runbooks){ 0 };
	return 0;
}

void runbooks_done(struct runbooks *r)
{
	for (uint32_t i = 0; i < r->n; i++)
		runbook_done(&r->v[i]);
	free(r->v);
	*r = (struct runbooks){ 0 };
}

void runbooks_drop_guides(struct runbooks *r)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->n; i++)
		if (runbook_is_guide(&r->v[i]))
			runbook_done(&r->v[i]);
		else if (n++ < i)
			r->v[n - 1] = r->v[i];
	if (n < r->n && n > 0) {
		struct runbook *shrunk = reallocarray(r->v, n, sizeof(*r->v));

		r->v = shrunk ? shrunk : r->v;
	}
	r->n = n;
}

const struct runbook *runbooks_find(const struct runbooks *r, const char *id)
{
	for (uint32_t i = 0; i < r->n; i++)
		if (str_equal(r->v[i].id, id))
			return &r->v[i];
	return NULL;
}

static bool clauses_need(const struct clause *clauses, uint32_t n, const char *inspector,
			 bool of_root)
{
	for (uint32_t i = 0; i < n; i++)
		if ((clauses[i].of_root != 0) == of_root &&
		    str_equal(clauses[i].inspector, inspector))
			return true;
	return false;
}

bool runbook_needs_inspector(const struct runbook *r, const char *inspector, bool of_root)
{
	return clauses_need(r->evidence, r->n_evidence, inspector, of_root) ||
	       clauses_need(r->exclude, r->n_exclude, inspector, of_root);
}

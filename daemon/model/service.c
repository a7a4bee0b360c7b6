/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/confdir.h"
#include "base/str.h"
#include "base/yaml.h"

/* Two entries that mean the same thing would each act on their own. */
static int refuse_twice(const struct services *all, const struct service *s, const char *path,
			struct err *reterr)
{
	struct entity e = service_entity(s);

	for (uint32_t i = 0; i < all->n; i++) {
		struct entity other = service_entity(&all->v[i]);

		if (str_equal(all->v[i].name, s->name))
			return err_set(reterr, -EINVAL, "%s:1:1: service '%s' is there twice", path,
				       s->name);
		if (entity_equal(&e, &other))
			return err_set(reterr, -EINVAL, "%s:1:1: %s '%s' is there twice", path,
				       entity_kind_to_string(e.kind), e.name);
	}
	for (uint32_t i = 0; i < s->n_endpoints; i++) {
		bool within = false;

		for (uint32_t j = 0; j < i; j++)
			within |= str_equal(s->endpoints[i].name, s->endpoints[j].name);
		if (within || services_find_endpoint(all, s->endpoints[i].name, NULL))
			return err_set(reterr, -EINVAL, "%s:1:1: endpoint '%s' is there twice",
				       path, s->endpoints[i].name);
	}
	return 0;
}

static int add_file(const struct confdir_file *file, const char *text, size_t length,
		    void *userdata, struct err *reterr)
{
	struct services *all = userdata;
	struct service *s = &all->v[all->n];
	int r;

	if (all->n >= SERVICES_MAX)
		return err_set(reterr, -E2BIG, "%s:1:1: more than %d services", file->path,
			       SERVICES_MAX);
	r = service_parse(file->path, text, length, s, reterr);
	if (r == 0)
		r = refuse_twice(all, s, file->path, reterr);
	all->n += r == 0;
	return r;
}

/* All that s depends on is among the done ones. */
static bool depends_are_done(const struct services *all, const struct service *s, const bool done[])
{
	for (uint32_t i = 0; i < s->n_depends; i++)
		if (!done[services_find(all, s->depends_on[i]) - all->v])
			return false;
	return true;
}

/* Takes away what depends on nothing that is left, until nothing is left, or a circle. */
static int check_no_circle(const struct services *all, struct err *reterr)
{
	bool done[SERVICES_MAX] = { 0 };

	for (uint32_t n = 0; n < all->n;) {
		uint32_t i = 0;

		while (i < all->n && (done[i] || !depends_are_done(all, &all->v[i], done)))
			i++;
		if (i < all->n) {
			done[i] = true;
			n++;
			continue;
		}
		for (i = 0; done[i];)
			i++;
		return err_set(reterr, -EINVAL, "load services: '%s' is in a circle of depends_on",
			       all->v[i].name);
	}
	return 0;
}

static int check_names(const struct services *all, const struct service *s, struct err *reterr)
{
	for (uint32_t i = 0; i < s->n_depends; i++)
		if (!services_find(all, s->depends_on[i]))
			return err_set(reterr, -EINVAL,
				       "load services: '%s' depends on '%s', which is not there",
				       s->name, s->depends_on[i]);
	for (uint32_t i = 0; i < s->env_file.n_secrets; i++) {
		const char *name = s->env_file.secrets[i].postgres_service;
		const struct service *db = services_find(all, name);

		if (name[0] && (!db || !db->database.socket_dir[0]))
			return err_set(
				reterr, -EINVAL,
				"load services: '%s' has a secret in '%s', which is no database",
				s->name, name);
	}
	return 0;
}

static int check_references(const struct services *all, struct err *reterr)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < all->n; i++)
		r = check_names(all, &all->v[i], reterr);
	return r < 0 ? r : check_no_circle(all, reterr);
}

static int load(int root_fd, bool trusted, struct services *ret, struct err *reterr)
{
	const struct confdir_kind kind = { "services", ".yaml", YAML_TEXT_MAX, trusted };
	_cleanup_(services_done) struct services all = { 0 };
	int r;

	all.v = calloc(SERVICES_MAX, sizeof(*all.v));
	if (!all.v)
		return err_set(reterr, -ENOMEM, "load services: %s", strerror(ENOMEM));
	r = confdir_load(root_fd, &kind, add_file, &all, reterr);
	if (r >= 0)
		r = check_references(&all, reterr);
	if (r < 0)
		return r;
	*ret = all;
	all = (struct services){ 0 };
	return 0;
}

int services_load(int root_fd, struct services *ret, struct err *reterr)
{
	return load(root_fd, false, ret, reterr);
}

int services_load_trusted(int root_fd, struct services *ret, struct err *reterr)
{
	return load(root_fd, true, ret, reterr);
}

void services_done(struct services *s)
{
	free(s->v);
	*s = (struct services){ 0 };
}

struct entity service_entity(const struct service *s)
{
	return s->unit[0] ? entity_make(ENTITY_KIND_UNIT, s->unit) :
			    entity_make(ENTITY_KIND_CONTAINER, s->container);
}

const struct service *services_find(const struct services *s, const char *name)
{
	for (uint32_t i = 0; s && i < s->n; i++)
		if (str_equal(s->v[i].name, name))
			return &s->v[i];
	return NULL;
}

const struct service *services_find_entity(const struct services *s, const struct entity *e)
{
	for (uint32_t i = 0; s && i < s->n; i++) {
		struct entity own = service_entity(&s->v[i]);

		if (entity_equal(&own, e))
			return &s->v[i];
	}
	return NULL;
}

const struct service *services_find_unit(const struct services *s, const char *unit)
{
	struct entity e = entity_make(ENTITY_KIND_UNIT, unit);

	return services_find_entity(s, &e);
}

const struct service *services_find_endpoint(const struct services *s, const char *endpoint,
					     const struct endpoint **ret_endpoint)
{
	for (uint32_t i = 0; s && i < s->n; i++) {
		for (uint32_t j = 0; j < s->v[i].n_endpoints; j++) {
			if (!str_equal(s->v[i].endpoints[j].name, endpoint))
				continue;
			if (ret_endpoint)
				*ret_endpoint = &s->v[i].endpoints[j];
			return &s->v[i];
		}
	}
	return NULL;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/confdir.h"
#include "base/str.h"
#include "base/yaml.h"

static const struct yaml_field service_fields[] = {
	YAML_TEXT("name", service, name, true),
	YAML_TEXT("unit", service, unit, true),
	YAML_OTHER("endpoints", false),
	YAML_OTHER("config_paths", false),
	YAML_END,
};

static const struct yaml_field endpoint_fields[] = {
	YAML_TEXT("name", endpoint, name, true),
	YAML_TEXT("url", endpoint, url, true),
	YAML_U32("interval_ms", endpoint, interval_ms, 200, 60000),
	YAML_U32("timeout_ms", endpoint, timeout_ms, 50, 30000),
	YAML_U32("slow_ms", endpoint, slow_ms, 1, 30000),
	YAML_U32("expect_status", endpoint, expect_status, 100, 599),
	YAML_END,
};

/* Names are shown, logged and typed: a word of letters, digits and "._-". */
static bool name_is_valid(const char *s)
{
	return s[0] != '.' && s[0] != '-' &&
	       s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")] ==
		       '\0';
}

/* The rest of url after http://, https:// or tcp://; NULL for another scheme. */
static const char *url_authority(const char *url)
{
	static const char *const schemes[] = { "http://", "https://", "tcp://" };

	for (size_t i = 0; i < ELEMENTSOF(schemes); i++)
		if (strncmp(url, schemes[i], strlen(schemes[i])) == 0)
			return url + strlen(schemes[i]);
	return NULL;
}

/* No user names and passwords (they would be in every record), no spaces, a port for tcp. */
static bool url_is_valid(const char *url)
{
	const char *host = url_authority(url);
	size_t length = host ? strcspn(host, "/?#") : 0;

	if (length == 0 || host[0] == ':' || memchr(host, '@', length))
		return false;
	for (const char *c = url; *c; c++)
		if (*c <= ' ' || *c > '~' || strchr("\"'\\<>`", *c))
			return false;
	if (strncmp(url, "tcp://", 6) == 0)
		return host[length] == '\0' && strrchr(host, ':') && strrchr(host, ':')[1];
	return true;
}

static bool path_is_valid(const char *path)
{
	return path[0] == '/' && !strstr(path, "/../") && !strstr(path, "//") &&
	       str_is_clean_utf8(path, strlen(path)) &&
	       (strlen(path) < 3 || strcmp(path + strlen(path) - 3, "/..") != 0);
}

static int read_endpoint(const struct yaml_doc *doc, const struct yaml_node *node,
			 struct service *s, struct err *reterr)
{
	struct endpoint *e = &s->endpoints[s->n_endpoints];
	int r;

	*e = (struct endpoint){
		.interval_ms = 1000, .timeout_ms = 1000, .slow_ms = 250, .expect_status = 200
	};
	r = yaml_read(doc, node, endpoint_fields, e, reterr);
	if (r < 0)
		return r;
	if (!name_is_valid(e->name))
		return yaml_error(doc, yaml_find(node, "name"), -EINVAL, reterr,
				  "'%s': expected letters, digits, '.', '_' and '-'", e->name);
	if (!url_is_valid(e->url))
		return yaml_error(doc, yaml_find(node, "url"), -EINVAL, reterr,
				  "'%.128s': expected http://, https:// or tcp://HOST:PORT, "
				  "without a password",
				  e->url);
	s->n_endpoints++;
	return 0;
}

static int read_endpoints(const struct yaml_doc *doc, const struct yaml_node *list,
			  struct service *s, struct err *reterr)
{
	int r = list ? yaml_check_list(doc, list, SERVICE_ENDPOINTS_MAX, reterr) : 0;

	for (const struct yaml_node *n = list ? list->child : NULL; r == 0 && n; n = n->next)
		r = read_endpoint(doc, n, s, reterr);
	return r;
}

static int read_paths(const struct yaml_doc *doc, const struct yaml_node *list, struct service *s,
		      struct err *reterr)
{
	int r = list ? yaml_check_list(doc, list, SERVICE_PATHS_MAX, reterr) : 0;

	for (const struct yaml_node *n = list ? list->child : NULL; r == 0 && n; n = n->next) {
		char *path = s->config_paths[s->n_paths];

		r = yaml_copy_text(doc, n, path, sizeof(s->config_paths[0]), reterr);
		if (r == 0 && !path_is_valid(path))
			return yaml_error(doc, n, -EINVAL, reterr,
					  "'%.128s': expected an absolute path", path);
		s->n_paths++;
	}
	return r;
}

static int read_service(const struct yaml_doc *doc, struct service *s, struct err *reterr)
{
	const struct yaml_node *root = yaml_root(doc);
	int r = yaml_read(doc, root, service_fields, s, reterr);

	if (r < 0)
		return r;
	if (!name_is_valid(s->name))
		return yaml_error(doc, yaml_find(root, "name"), -EINVAL, reterr,
				  "'%s': expected letters, digits, '.', '_' and '-'", s->name);
	if (!str_is_unit_name(s->unit))
		return yaml_error(doc, yaml_find(root, "unit"), -EINVAL, reterr,
				  "'%.128s': expected a unit's full name, as in 'nginx.service'",
				  s->unit);
	r = read_endpoints(doc, yaml_find(root, "endpoints"), s, reterr);
	return r < 0 ? r : read_paths(doc, yaml_find(root, "config_paths"), s, reterr);
}

int service_parse(const char *file_name, const char *text, size_t length, struct service *ret,
		  struct err *reterr)
{
	_cleanup_(yaml_doc_freep) struct yaml_doc *doc = NULL;
	struct service s = { 0 };
	int r = yaml_parse(file_name, text, length, &doc, reterr);

	if (r == 0)
		r = read_service(doc, &s, reterr);
	if (r == 0)
		*ret = s;
	return r;
}

/* Two entries that mean the same thing would each act on their own. */
static int refuse_twice(const struct services *all, const struct service *s, const char *path,
			struct err *reterr)
{
	for (uint32_t i = 0; i < all->n; i++) {
		if (str_equal(all->v[i].name, s->name))
			return err_set(reterr, -EINVAL, "%s:1:1: service '%s' is there twice", path,
				       s->name);
		if (str_equal(all->v[i].unit, s->unit))
			return err_set(reterr, -EINVAL, "%s:1:1: unit '%s' is there twice", path,
				       s->unit);
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

static int load(int root_fd, bool trusted, struct services *ret, struct err *reterr)
{
	const struct confdir_kind kind = { "services", ".yaml", YAML_TEXT_MAX, trusted };
	_cleanup_(services_done) struct services all = { 0 };
	int r;

	all.v = calloc(SERVICES_MAX, sizeof(*all.v));
	if (!all.v)
		return err_set(reterr, -ENOMEM, "load services: %s", strerror(ENOMEM));
	r = confdir_load(root_fd, &kind, add_file, &all, reterr);
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

const struct service *services_find_unit(const struct services *s, const char *unit)
{
	for (uint32_t i = 0; s && i < s->n; i++)
		if (str_equal(s->v[i].unit, unit))
			return &s->v[i];
	return NULL;
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

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/service.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "model/service_read.h"

static const struct yaml_field service_fields[] = {
	YAML_TEXT("name", service, name, true),
	YAML_TEXT("unit", service, unit, false),
	YAML_TEXT("container", service, container, false),
	YAML_TEXT("cache_dir", service, cache_dir, false),
	YAML_OTHER("depends_on", false),
	YAML_OTHER("endpoints", false),
	YAML_OTHER("config_paths", false),
	YAML_OTHER("tracked_files", false),
	YAML_OTHER("temp_dirs", false),
	YAML_OTHER("log_dirs", false),
	YAML_OTHER("env_file", false),
	YAML_OTHER("upstream", false),
	YAML_OTHER("database", false),
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
bool service_url_is_valid(const char *url)
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
	r = service_check_name(doc, yaml_find(node, "name"), e->name, reterr);
	if (r < 0)
		return r;
	if (!service_url_is_valid(e->url))
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

static int read_depends(const struct yaml_doc *doc, const struct yaml_node *list, struct service *s,
			struct err *reterr)
{
	int r = list ? yaml_check_list(doc, list, SERVICE_DEPENDS_MAX, reterr) : 0;

	for (const struct yaml_node *n = list ? list->child : NULL; r == 0 && n; n = n->next) {
		char *name = s->depends_on[s->n_depends++];

		r = yaml_copy_text(doc, n, name, SERVICE_NAME_MAX, reterr);
		if (r == 0)
			r = service_check_name(doc, n, name, reterr);
	}
	return r;
}

/* What is restarted, limited and protected: exactly one. */
static int check_entity(const struct yaml_doc *doc, const struct service *s, struct err *reterr)
{
	const struct yaml_node *root = yaml_root(doc);

	if (!s->unit[0] == !s->container[0])
		return yaml_error(doc, root, -EINVAL, reterr,
				  "expected one of 'unit' and 'container'");
	if (s->unit[0] && !str_is_unit_name(s->unit))
		return yaml_error(doc, yaml_find(root, "unit"), -EINVAL, reterr,
				  "'%.128s': expected a unit's full name, as in 'nginx.service'",
				  s->unit);
	if (s->container[0] && !str_is_container_name(s->container))
		return yaml_error(doc, yaml_find(root, "container"), -EINVAL, reterr,
				  "'%.128s': expected a container's name", s->container);
	return 0;
}

static int read_service(const struct yaml_doc *doc, struct service *s, struct err *reterr)
{
	const struct yaml_node *root = yaml_root(doc), *cache = yaml_find(root, "cache_dir");
	int r = yaml_read(doc, root, service_fields, s, reterr);

	if (r == 0)
		r = service_check_name(doc, yaml_find(root, "name"), s->name, reterr);
	if (r == 0)
		r = check_entity(doc, s, reterr);
	if (r == 0)
		r = read_endpoints(doc, yaml_find(root, "endpoints"), s, reterr);
	if (r == 0)
		r = read_depends(doc, yaml_find(root, "depends_on"), s, reterr);
	if (r == 0 && cache)
		r = service_check_dir(doc, cache, s->cache_dir, reterr);
	return r < 0 ? r : service_read_data(doc, root, s, reterr);
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

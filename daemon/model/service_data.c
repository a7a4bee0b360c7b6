/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "model/service_read.h"

static const struct yaml_field env_fields[] = {
	YAML_TEXT("path", env_file, path, true),
	YAML_OTHER("secrets", false),
	YAML_END,
};

static const struct yaml_field secret_fields[] = {
	YAML_TEXT("key", secret, key, true),
	YAML_U32("bytes", secret, bytes, 16, 64),
	YAML_TEXT("postgres_role", secret, postgres_role, false),
	YAML_TEXT("postgres_service", secret, postgres_service, false),
	YAML_END,
};

static const struct yaml_field upstream_fields[] = {
	YAML_TEXT("key", upstream, key, true),
	YAML_TEXT("primary", upstream, primary, true),
	YAML_TEXT("fallback", upstream, fallback, true),
	YAML_TEXT("health_path", upstream, health_path, true),
	YAML_END,
};

static const struct yaml_field database_fields[] = {
	YAML_TEXT("socket_dir", database, socket_dir, true),
	YAML_U32("port", database, port, 1, 65535),
	YAML_TEXT("name", database, name, true),
	YAML_TEXT("maintenance_name", database, maintenance_name, false),
	YAML_TEXT("owner", database, owner, true),
	YAML_TEXT("owner_credential", database, owner_credential, false),
	YAML_TEXT("operator", database, operator, false),
	YAML_TEXT("operator_credential", database, operator_credential, false),
	YAML_TEXT("snapshots_dir", database, snapshots_dir, false),
	YAML_TEXT("migrations_dir", database, migrations_dir, false),
	YAML_U32("keep_old_s", database, keep_old_s, 0, 604800),
	YAML_OTHER("required_tables", false),
	YAML_END,
};

/* A text with the key it was read from, which its error names. */
struct checked {
	const char *key, *text;
};

int service_check_name(const struct yaml_doc *doc, const struct yaml_node *node, const char *name,
		       struct err *reterr)
{
	if (str_is_plain_name(name))
		return 0;
	return yaml_error(doc, node, -EINVAL, reterr,
			  "'%.64s': expected letters, digits, '.', '_' and '-'", name);
}

static bool path_is_valid(const char *path)
{
	size_t length = strlen(path);

	return path[0] == '/' && length > 1 && path[length - 1] != '/' && !strstr(path, "//") &&
	       !strstr(path, "/./") && !strstr(path, "/../") && str_is_clean_utf8(path, length) &&
	       !str_equal(strrchr(path, '/'), "/.") && !str_equal(strrchr(path, '/'), "/..");
}

static int check_path(const struct yaml_doc *doc, const struct yaml_node *node, const char *path,
		      struct err *reterr)
{
	if (path_is_valid(path))
		return 0;
	return yaml_error(doc, node, -EINVAL, reterr,
			  "'%.128s': expected an absolute path without '.', '..' and '//'", path);
}

int service_check_dir(const struct yaml_doc *doc, const struct yaml_node *node, const char *path,
		      struct err *reterr)
{
	int r = check_path(doc, node, path, reterr);

	if (r == 0 && !strchr(path + 1, '/') && !str_equal(path, "/tmp"))
		return yaml_error(doc, node, -EINVAL, reterr,
				  "'%.128s': too much is in there to be removed", path);
	return r;
}

/* An environment variable's name, as a shell takes it. */
static bool env_key_is_valid(const char *s)
{
	for (const char *c = s; *c; c++)
		if (!(isalpha((unsigned char)*c) || *c == '_' ||
		      (c > s && isdigit((unsigned char)*c))))
			return false;
	return s[0] != '\0';
}

static int check_env_key(const struct yaml_doc *doc, const struct yaml_node *node, const char *key,
			 struct err *reterr)
{
	if (env_key_is_valid(key))
		return 0;
	return yaml_error(doc, yaml_find(node, "key"), -EINVAL, reterr,
			  "'%.64s': expected a variable's name, as in 'DB_PASSWORD'", key);
}

/* A name of PostgreSQL that needs no quotes: it is put into commands and connection strings. */
static bool postgres_name_is_valid(const char *s)
{
	return (islower((unsigned char)s[0]) || s[0] == '_') &&
	       s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static int check_postgres_name(const struct yaml_doc *doc, const struct yaml_node *mapping,
			       struct checked name, struct err *reterr)
{
	if (!name.text[0] || postgres_name_is_valid(name.text))
		return 0;
	return yaml_error(doc, yaml_find(mapping, name.key), -EINVAL, reterr,
			  "'%.64s': expected lower-case letters, digits and '_'", name.text);
}

static int read_paths(const struct yaml_doc *doc, const struct yaml_node *list, bool removable,
		      struct path_list *ret, struct err *reterr)
{
	int r = list ? yaml_check_list(doc, list, SERVICE_PATHS_MAX, reterr) : 0;

	for (const struct yaml_node *n = list ? list->child : NULL; r == 0 && n; n = n->next) {
		char *path = ret->v[ret->n];

		r = yaml_copy_text(doc, n, path, SERVICE_PATH_MAX, reterr);
		if (r == 0)
			r = removable ? service_check_dir(doc, n, path, reterr) :
					check_path(doc, n, path, reterr);
		ret->n += r == 0;
	}
	return r;
}

static int read_secret(const struct yaml_doc *doc, const struct yaml_node *node, struct env_file *e,
		       struct err *reterr)
{
	struct secret *s = &e->secrets[e->n_secrets];
	int r;

	*s = (struct secret){ .bytes = 32 };
	r = yaml_read(doc, node, secret_fields, s, reterr);
	if (r == 0)
		r = check_env_key(doc, node, s->key, reterr);
	if (r == 0)
		r = check_postgres_name(
			doc, node, (struct checked){ "postgres_role", s->postgres_role }, reterr);
	if (r == 0 && !s->postgres_role[0] != !s->postgres_service[0])
		r = yaml_error(doc, node, -EINVAL, reterr,
			       "expected both of 'postgres_role' and 'postgres_service', or none");
	for (uint32_t i = 0; r == 0 && i < e->n_secrets; i++)
		if (str_equal(e->secrets[i].key, s->key))
			r = yaml_error(doc, node, -EINVAL, reterr, "'%s' is there twice", s->key);
	e->n_secrets += r == 0;
	return r;
}

static int read_env_file(const struct yaml_doc *doc, const struct yaml_node *node,
			 struct env_file *e, struct err *reterr)
{
	const struct yaml_node *list = yaml_find(node, "secrets");
	int r = yaml_read(doc, node, env_fields, e, reterr);

	if (r == 0)
		r = check_path(doc, yaml_find(node, "path"), e->path, reterr);
	if (r == 0 && list)
		r = yaml_check_list(doc, list, SERVICE_SECRETS_MAX, reterr);
	for (const struct yaml_node *n = list ? list->child : NULL; r == 0 && n; n = n->next)
		r = read_secret(doc, n, e, reterr);
	return r;
}

static int read_upstream(const struct yaml_doc *doc, const struct yaml_node *node,
			 struct service *s, struct err *reterr)
{
	struct upstream *u = &s->upstream;
	int r = yaml_read(doc, node, upstream_fields, u, reterr);

	if (r == 0)
		r = check_env_key(doc, node, u->key, reterr);
	if (r < 0)
		return r;
	if (!s->env_file.path[0])
		return yaml_error(doc, node, -EINVAL, reterr,
				  "'upstream' needs an 'env_file', which its key is in");
	if (!service_url_is_valid(u->primary) || !service_url_is_valid(u->fallback) ||
	    str_equal(u->primary, u->fallback))
		return yaml_error(doc, node, -EINVAL, reterr,
				  "'primary' and 'fallback': expected two different URLs, without "
				  "a password");
	if (u->health_path[0] != '/' || u->health_path[strcspn(u->health_path, " \"'\\<>`#?")])
		return yaml_error(doc, yaml_find(node, "health_path"), -EINVAL, reterr,
				  "'%.64s': expected a path, as in '/healthz'", u->health_path);
	return 0;
}

static int check_database(const struct yaml_doc *doc, const struct yaml_node *node,
			  const struct database *d, struct err *reterr)
{
	const struct checked names[] = { { "name", d->name },
					 { "maintenance_name", d->maintenance_name },
					 { "owner", d->owner }, { "operator", d->operator} };
	const struct checked credentials[] = { { "owner_credential", d->owner_credential },
					       { "operator_credential", d->operator_credential } };
	const struct checked paths[] = { { "socket_dir", d->socket_dir },
					 { "snapshots_dir", d->snapshots_dir },
					 { "migrations_dir", d->migrations_dir } };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ELEMENTSOF(names); i++)
		r = check_postgres_name(doc, node, names[i], reterr);
	for (size_t i = 0; r == 0 && i < ELEMENTSOF(credentials); i++)
		if (credentials[i].text[0])
			r = service_check_name(doc, yaml_find(node, credentials[i].key),
					       credentials[i].text, reterr);
	for (size_t i = 0; r == 0 && i < ELEMENTSOF(paths); i++)
		if (paths[i].text[0])
			r = check_path(doc, yaml_find(node, paths[i].key), paths[i].text, reterr);
	return r;
}

static int read_tables(const struct yaml_doc *doc, const struct yaml_node *list,
		       struct table_list *ret, struct err *reterr)
{
	int r = list ? yaml_check_list(doc, list, SERVICE_TABLES_MAX, reterr) : 0;

	for (const struct yaml_node *n = list ? list->child : NULL; r == 0 && n; n = n->next) {
		char *name = ret->v[ret->n];

		r = yaml_copy_text(doc, n, name, POSTGRES_NAME_MAX, reterr);
		if (r == 0 && !postgres_name_is_valid(name))
			r = yaml_error(doc, n, -EINVAL, reterr,
				       "'%.64s': expected lower-case letters, digits and '_'",
				       name);
		ret->n += r == 0;
	}
	return r;
}

static int read_database(const struct yaml_doc *doc, const struct yaml_node *node,
			 struct service *s, struct err *reterr)
{
	struct database *d = &s->database;
	int r;

	*d = (struct database){ .port = 5432, .maintenance_name = "postgres", .keep_old_s = 86400 };
	r = yaml_read(doc, node, database_fields, d, reterr);
	if (r == 0)
		r = check_database(doc, node, d, reterr);
	return r < 0 ? r :
		       read_tables(doc, yaml_find(node, "required_tables"), &s->required_tables,
				   reterr);
}

int service_read_data(const struct yaml_doc *doc, const struct yaml_node *root, struct service *s,
		      struct err *reterr)
{
	const struct yaml_node *env = yaml_find(root, "env_file"),
			       *upstream = yaml_find(root, "upstream"),
			       *database = yaml_find(root, "database");
	int r = read_paths(doc, yaml_find(root, "config_paths"), false, &s->config_paths, reterr);

	if (r == 0)
		r = read_paths(doc, yaml_find(root, "tracked_files"), false, &s->tracked_files,
			       reterr);
	if (r == 0)
		r = read_paths(doc, yaml_find(root, "temp_dirs"), true, &s->temp_dirs, reterr);
	if (r == 0)
		r = read_paths(doc, yaml_find(root, "log_dirs"), true, &s->log_dirs, reterr);
	if (r == 0 && env)
		r = read_env_file(doc, env, &s->env_file, reterr);
	if (r == 0 && upstream)
		r = read_upstream(doc, upstream, s, reterr);
	if (r == 0 && database)
		r = read_database(doc, database, s, reterr);
	return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "selftests/target/app/env.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#define KEYS_MAX 32

enum env_type { ENV_TYPE_TEXT, ENV_TYPE_NUMBER };

struct env_key {
	const char *name;
	enum env_type type;
	size_t offset, size;
	uint32_t min, max;
};

#define TEXT(key, member)                                                                     \
	{                                                                                     \
		.name = (key), .type = ENV_TYPE_TEXT, .offset = offsetof(struct env, member), \
		.size = sizeof(((struct env *)NULL)->member), .min = 1                        \
	}
#define NUMBER(key, member, low, high)                                                          \
	{                                                                                       \
		.name = (key), .type = ENV_TYPE_NUMBER, .offset = offsetof(struct env, member), \
		.min = (low), .max = (high)                                                     \
	}

static const struct env_key keys[] = {
	TEXT("BIND", bind_address),
	NUMBER("PORT", port, 0, 65535),
	TEXT("DB_HOST", db_host),
	NUMBER("DB_PORT", db_port, 1, 65535),
	TEXT("DB_NAME", db_name),
	TEXT("DB_USER", db_user),
	TEXT("DB_PASSWORD", db_password),
	NUMBER("DB_POOL_MAX", db_pool_max, 1, 32),
	TEXT("MIGRATIONS_DIR", migrations_dir),
	TEXT("CACHE_DIR", cache_dir),
	TEXT("RATES_URL", rates_url),
};

void env_init(struct env *env)
{
	*env = (struct env){
		.bind_address = "127.0.0.1", .port = 8080, .db_port = 5432, .db_pool_max = 8
	};
}

static const struct env_key *find_key(const char *name, size_t n, size_t *ret_index)
{
	for (size_t i = 0; i < ELEMENTSOF(keys); i++)
		if (strlen(keys[i].name) == n && memcmp(keys[i].name, name, n) == 0) {
			*ret_index = i;
			return &keys[i];
		}
	return NULL;
}

/* False for a value that is not of the key's kind. */
static bool take_value(struct env *env, const struct env_key *key, const char *value)
{
	char *member = (char *)env + key->offset;
	uint64_t number = 0;

	switch (key->type) {
	case ENV_TYPE_NUMBER:
		if (str_parse_u64(value, &number) < 0 || number < key->min || number > key->max)
			return false;
		*(uint32_t *)(void *)member = (uint32_t)number;
		return true;
	case ENV_TYPE_TEXT:
		return value[0] && str_copy(member, key->size, value) == 0;
	}
	return false;
}

/* The quotes go; -EBADMSG if there is but one. */
static int unquote(char *value)
{
	size_t n = strlen(value);

	if (value[0] != '"')
		return strchr(value, '"') ? -EBADMSG : 0;
	if (n < 2 || strchr(value + 1, '"') != value + n - 1)
		return -EBADMSG;
	memmove(value, value + 1, n - 2);
	value[n - 2] = '\0';
	return 0;
}

static int parse_line(const char *line, size_t n, struct env *env, bool seen[static KEYS_MAX],
		      struct err *reterr)
{
	const char *equals = memchr(line, '=', n);
	size_t key_length = equals ? (size_t)(equals - line) : 0, index = 0;
	size_t value_length = equals ? n - key_length - 1 : 0;
	const struct env_key *key = find_key(line, key_length, &index);
	char value[ENV_TEXT_MAX] = "";

	if (!equals || key_length == 0)
		return err_set(reterr, -EBADMSG, "not KEY=VALUE");
	if (!key)
		return err_set(reterr, -EBADMSG, "unknown key");
	if (seen[index])
		return err_set(reterr, -EBADMSG, "key '%s' stands there twice", key->name);
	seen[index] = true;
	if (value_length >= sizeof(value) || !str_is_clean_utf8(equals + 1, value_length))
		return err_set(reterr, -EBADMSG, "the value of '%s' is too long or no clean UTF-8",
			       key->name);
	memcpy(value, equals + 1, value_length);
	if (unquote(value) < 0 || !take_value(env, key, value))
		return err_set(reterr, -EBADMSG, "'%s' cannot have this value", key->name);
	return 0;
}

/* What belongs together must be there together. */
static int check_whole(const char *file, const struct env *env, struct err *reterr)
{
	if (env->db_host[0] && (!env->db_name[0] || !env->db_user[0] || !env->db_password[0] ||
				!env->migrations_dir[0]))
		return err_set(reterr, -EBADMSG,
			       "%s: DB_HOST needs DB_NAME, DB_USER, DB_PASSWORD and MIGRATIONS_DIR",
			       file);
	if (env->rates_url[0] && !env->cache_dir[0])
		return err_set(reterr, -EBADMSG, "%s: RATES_URL needs CACHE_DIR", file);
	return 0;
}

int env_parse(const char *file, const char *text, struct env *env, struct err *reterr)
{
	bool seen[KEYS_MAX] = { false };
	unsigned number = 1;

	_Static_assert(ELEMENTSOF(keys) <= KEYS_MAX, "a place for each key");
	env_init(env);
	for (const char *line = text; *line; number++) {
		size_t n = strcspn(line, "\n");
		const char *next = line[n] ? line + n + 1 : line + n;
		int r;

		while (n > 0 && isspace((unsigned char)line[n - 1]))
			n--;
		r = n == 0 || line[0] == '#' ? 0 : parse_line(line, n, env, seen, reterr);
		if (r < 0)
			return err_wrap(reterr, r, "%s:%u", file, number);
		line = next;
	}
	return check_whole(file, env, reterr);
}

int env_load(const char *path, struct env *env, struct err *reterr)
{
	char text[ENV_FILE_MAX] = "";
	ssize_t n = fd_read_file(AT_FDCWD, path, text, sizeof(text));
	int r;

	if (n < 0)
		return err_set(reterr, (int)n, "read file '%s': %s", path, strerror((int)-n));
	if (strlen(text) != (size_t)n)
		return err_set(reterr, -EBADMSG, "read file '%s': it holds a NUL byte", path);
	r = env_parse(path, text, env, reterr);
	explicit_bzero(text, sizeof(text));
	return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "sys/docker.h"

/* What Docker's answers say: pure. Names, labels and texts in them are whatever a container's owner
 * wrote, so each is checked or cleaned before it goes on. */

static const char *const state_names[] = {
	[DOCKER_STATE_CREATED] = "created",   [DOCKER_STATE_RUNNING] = "running",
	[DOCKER_STATE_PAUSED] = "paused",     [DOCKER_STATE_RESTARTING] = "restarting",
	[DOCKER_STATE_REMOVING] = "removing", [DOCKER_STATE_EXITED] = "exited",
	[DOCKER_STATE_DEAD] = "dead",
};
LOOKUP_DEFINE(docker_state, enum docker_state, state_names);

static const char *const health_names[] = {
	[DOCKER_HEALTH_NONE] = "none",
	[DOCKER_HEALTH_STARTING] = "starting",
	[DOCKER_HEALTH_HEALTHY] = "healthy",
	[DOCKER_HEALTH_UNHEALTHY] = "unhealthy",
};
LOOKUP_DEFINE(docker_health, enum docker_health, health_names);

/* Whatever the reason, the answer is not what it should be. */
static int bad_answer(struct err *reterr)
{
	if (reterr)
		reterr->code = -EBADMSG;
	return -EBADMSG;
}

/* ---- versions ---- */

/* "1.41". Returns the minor; -EBADMSG. */
static int parse_version(const char *s)
{
	unsigned major = 0, minor = 0;
	int n = 0;

	if (sscanf(s, "%1u.%3u%n", &major, &minor, &n) != 2 || s[n] != '\0')
		return -EBADMSG;
	return major == DOCKER_API_MAJOR ? (int)minor : -EBADMSG;
}

int docker_negotiate(const char *newest, const char *oldest, struct err *reterr)
{
	int max = parse_version(newest), min = oldest[0] ? parse_version(oldest) : 0;
	char clean[64];

	if (max < 0 || min < 0)
		return err_set(reterr, -EBADMSG, "'%s' is no version of its API",
			       str_escape(clean, sizeof(clean), max < 0 ? newest : oldest));
	if (max < DOCKER_API_MIN)
		return err_set(reterr, -EPROTONOSUPPORT,
			       "it speaks API %s at most, and the oldest we speak is %d.%d", newest,
			       DOCKER_API_MAJOR, DOCKER_API_MIN);
	if (min > DOCKER_API_MAX)
		return err_set(reterr, -EPROTONOSUPPORT,
			       "it speaks API %s at least, and the newest we speak is %d.%d",
			       oldest, DOCKER_API_MAJOR, DOCKER_API_MAX);
	return max < DOCKER_API_MAX ? max : DOCKER_API_MAX;
}

int docker_parse_version(const char *text, size_t length, char ret_oldest[static 16],
			 struct err *reterr)
{
	_cleanup_json_ struct json_object *o = NULL;
	const char *s = NULL;
	int r = json_parse_answer(text, length, DOCKER_ANSWER_MAX, &o, reterr);

	if (r == 0)
		r = json_get_string(o, "MinAPIVersion", &s, reterr);
	if (r < 0)
		return err_wrap(reterr, bad_answer(reterr), "read its version");
	if (str_copy(ret_oldest, 16, s) < 0)
		return err_set(reterr, -EBADMSG,
			       "read its version: field 'MinAPIVersion': too long");
	return 0;
}

/* ---- fields ---- */

static int get_object(struct json_object *o, const char *key, struct json_object **ret,
		      struct err *reterr)
{
	if (json_object_is_type(o, json_type_object) && json_object_object_get_ex(o, key, ret) &&
	    json_object_is_type(*ret, json_type_object))
		return 0;
	return err_set(reterr, -EBADMSG, "field '%s': no object", key);
}

/* *ret stays 0 where the field is absent or null. */
static int get_number(struct json_object *o, const char *key, int64_t *ret, struct err *reterr)
{
	struct json_object *v = NULL;

	*ret = 0;
	if (!json_object_object_get_ex(o, key, &v) || !v)
		return 0;
	return json_get_i64(o, key, ret, reterr) < 0 ? bad_answer(reterr) : 0;
}

static int get_text(struct json_object *o, const char *key, char *ret, size_t size,
		    struct err *reterr)
{
	const char *s = NULL;

	if (json_get_string(o, key, &s, reterr) < 0)
		return bad_answer(reterr);
	if (str_copy(ret, size, s) < 0 || !str_is_clean_utf8(ret, strlen(ret)))
		return err_set(reterr, -EBADMSG, "field '%s': too long or not clean", key);
	return 0;
}

static bool is_id(const char *s)
{
	return strlen(s) == DOCKER_ID_MAX - 1 && strspn(s, "0123456789abcdef") == DOCKER_ID_MAX - 1;
}

static int get_id(struct json_object *o, char ret[static DOCKER_ID_MAX], struct err *reterr)
{
	int r = get_text(o, "Id", ret, DOCKER_ID_MAX, reterr);

	if (r == 0 && !is_id(ret))
		return err_set(reterr, -EBADMSG, "field 'Id': not 64 hexadecimal digits");
	return r;
}

static int get_state(struct json_object *o, const char *key, enum docker_state *ret,
		     struct err *reterr)
{
	char name[32] = "";
	int r = get_text(o, key, name, sizeof(name), reterr);
	int state = r == 0 ? docker_state_from_string(name) : r;

	if (state < 0)
		return r < 0 ? r :
			       err_set(reterr, -EBADMSG, "field '%s': '%s' is no state we know",
				       key, name);
	*ret = (enum docker_state)state;
	return 0;
}

bool docker_is_name(const char *s)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	size_t length = strspn(s, letters);

	return length > 0 && s[length] == '\0' && length < DOCKER_NAME_MAX && !strchr("_.-", s[0]);
}

/* ---- list ---- */

/* "/web" is its name; "/other/web" is what a linked container calls it. Returns 1; 0 without one. */
static int get_name(struct json_object *o, char ret[static DOCKER_NAME_MAX])
{
	struct json_object *names = NULL;
	size_t n = json_object_object_get_ex(o, "Names", &names) &&
				   json_object_is_type(names, json_type_array) ?
			   json_object_array_length(names) :
			   0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *v = json_object_array_get_idx(names, i);
		const char *s = json_object_is_type(v, json_type_string) ?
					json_object_get_string(v) :
					"";

		if (s[0] == '/' && docker_is_name(s + 1))
			return str_copy(ret, DOCKER_NAME_MAX, s + 1) == 0;
	}
	return 0;
}

static int read_listed(struct json_object *o, struct docker_listed *ret, struct err *reterr)
{
	int r;

	if (!json_object_is_type(o, json_type_object))
		return err_set(reterr, -EBADMSG, "no object");
	r = get_id(o, ret->id, reterr);
	if (r == 0)
		r = get_state(o, "State", &ret->state, reterr);
	return r < 0 ? r : get_name(o, ret->name);
}

int docker_parse_list(const char *text, size_t length, struct docker_listed *v, size_t max,
		      struct err *reterr)
{
	_cleanup_json_ struct json_object *o = NULL;
	size_t n, n_named = 0;
	int r = json_parse_answer(text, length, DOCKER_ANSWER_MAX, &o, reterr);

	if (r < 0)
		return err_wrap(reterr, r, "read its containers");
	if (!json_object_is_type(o, json_type_array))
		return err_set(reterr, -EBADMSG, "read its containers: no array");
	n = json_object_array_length(o);
	for (size_t i = 0; i < n; i++) {
		struct docker_listed one = { 0 };

		r = read_listed(json_object_array_get_idx(o, i), &one, reterr);
		if (r < 0)
			return err_wrap(reterr, r, "read its containers: entry %zu", i);
		if (r == 0)
			continue; /* being removed: it has lost its name */
		if (n_named == max)
			return err_set(reterr, -E2BIG, "read its containers: more than %zu", max);
		v[n_named++] = one;
	}
	return (int)n_named;
}

/* ---- inspect ---- */

static int read_health(struct json_object *state, enum docker_health *ret, struct err *reterr)
{
	struct json_object *health = NULL;
	char name[32] = "";
	int v;

	*ret = DOCKER_HEALTH_NONE;
	if (!json_object_object_get_ex(state, "Health", &health) || !health)
		return 0;
	if (get_text(health, "Status", name, sizeof(name), reterr) < 0)
		return err_wrap(reterr, -EBADMSG, "field 'Health'");
	v = name[0] ? docker_health_from_string(name) : DOCKER_HEALTH_NONE;
	if (v < 0)
		return err_set(reterr, -EBADMSG, "field 'Health': '%s' is none we know", name);
	*ret = (enum docker_health)v;
	return 0;
}

static int read_state(struct json_object *o, struct docker_facts *f, struct err *reterr)
{
	struct json_object *state = NULL;
	const char *problem = NULL;
	int r = get_object(o, "State", &state, reterr);

	if (r == 0)
		r = get_state(state, "Status", &f->state, reterr);
	if (r == 0)
		r = read_health(state, &f->health, reterr);
	if (r == 0)
		r = get_number(state, "Pid", &f->pid, reterr);
	if (r == 0)
		r = get_number(state, "ExitCode", &f->exit_code, reterr);
	if (r == 0)
		r = get_text(state, "StartedAt", f->started_at, sizeof(f->started_at), reterr);
	if (r == 0)
		r = get_text(state, "FinishedAt", f->finished_at, sizeof(f->finished_at), reterr);
	if (r == 0 && json_get_bool(state, "OOMKilled", &f->is_oom_killed, reterr) < 0)
		r = bad_answer(reterr);
	if (r == 0 && json_get_string(state, "Error", &problem, NULL) == 0)
		f->has_error = problem[0] != '\0';
	return r;
}

static int read_host_config(struct json_object *o, struct docker_facts *f, struct err *reterr)
{
	struct docker_limits *l = &f->limits;
	const struct {
		const char *key;
		int64_t *ret;
	} numbers[] = {
		{ "Memory", &l->memory_bytes },     { "MemorySwap", &l->memory_swap_bytes },
		{ "NanoCpus", &l->nano_cpus },      { "CpuQuota", &l->cpu_quota_us },
		{ "CpuPeriod", &l->cpu_period_us }, { "PidsLimit", &l->pids },
	};
	struct json_object *config = NULL, *policy = NULL;
	char name[32] = "";
	int r = get_object(o, "HostConfig", &config, reterr);

	for (size_t i = 0; r == 0 && i < ELEMENTSOF(numbers); i++)
		r = get_number(config, numbers[i].key, numbers[i].ret, reterr);
	if (r == 0)
		r = get_object(config, "RestartPolicy", &policy, reterr);
	if (r == 0)
		r = get_text(policy, "Name", name, sizeof(name), reterr);
	f->is_restarted_by_docker = str_equal(name, "always") || str_equal(name, "unless-stopped");
	return r;
}

/* What is too long, not clean or one too many is nothing we go by. */
static void read_labels(struct json_object *o, struct docker_facts *f)
{
	struct json_object *config = NULL, *labels = NULL;

	if (!json_object_object_get_ex(o, "Config", &config) ||
	    !json_object_is_type(config, json_type_object) ||
	    !json_object_object_get_ex(config, "Labels", &labels) ||
	    !json_object_is_type(labels, json_type_object))
		return;
	json_object_object_foreach(labels, key, v) {
		struct docker_label *l = &f->labels[f->n_labels];
		const char *value = json_object_is_type(v, json_type_string) ?
					    json_object_get_string(v) :
					    "";

		if (f->n_labels == DOCKER_LABELS_MAX)
			break;
		if (str_copy(l->key, sizeof(l->key), key) == 0 &&
		    str_copy(l->value, sizeof(l->value), value) == 0 &&
		    str_is_clean_utf8(key, strlen(key)) && str_is_clean_utf8(value, strlen(value)))
			f->n_labels++;
	}
}

static int read_facts(struct json_object *o, struct docker_facts *f, struct err *reterr)
{
	char name[DOCKER_NAME_MAX + 1] = "";
	int r;

	if (!json_object_is_type(o, json_type_object))
		return err_set(reterr, -EBADMSG, "no object");
	r = get_id(o, f->id, reterr);
	if (r == 0)
		r = get_text(o, "Name", name, sizeof(name), reterr);
	if (r == 0 && (name[0] != '/' || !docker_is_name(name + 1)))
		r = err_set(reterr, -EBADMSG, "field 'Name': '%s' is none", name);
	if (r == 0)
		r = str_copy(f->name, sizeof(f->name), name + 1);
	if (r == 0)
		r = get_number(o, "RestartCount", &f->restart_count, reterr);
	if (r == 0)
		r = read_state(o, f, reterr);
	if (r == 0)
		r = read_host_config(o, f, reterr);
	if (r == 0)
		read_labels(o, f);
	return r;
}

int docker_parse_facts(const char *text, size_t length, struct docker_facts *ret,
		       struct err *reterr)
{
	_cleanup_json_ struct json_object *o = NULL;
	struct docker_facts f = { 0 };
	int r = json_parse_answer(text, length, DOCKER_ANSWER_MAX, &o, reterr);

	if (r == 0)
		r = read_facts(o, &f, reterr);
	if (r < 0)
		return err_wrap(reterr, r, "read a container");
	*ret = f;
	return 0;
}

/* Source: signal(7), 128 + n of a process that signal n ended: SIGINT, SIGTERM. */
bool docker_facts_is_at_rest(const struct docker_facts *f)
{
	bool is_over = f->state == DOCKER_STATE_EXITED || f->state == DOCKER_STATE_CREATED;
	bool in_order = f->exit_code == 0 || f->exit_code == 128 + 2 || f->exit_code == 128 + 15;

	if (!is_over || f->has_error || f->is_oom_killed)
		return false;
	/* Docker would have started it again, had not someone told it to stop. */
	return in_order || f->is_restarted_by_docker;
}

const char *docker_facts_label(const struct docker_facts *f, const char *key)
{
	for (uint32_t i = 0; i < f->n_labels; i++)
		if (str_equal(f->labels[i].key, key))
			return f->labels[i].value;
	return NULL;
}

/* ---- stats ---- */

/* Source: docker stats takes the same off (calculateMemUsageUnixNoCache). cgroup v1 calls the number of
 * the whole subtree total_inactive_file, v2 inactive_file. */
static int64_t read_cache(struct json_object *memory)
{
	static const char *const keys[] = { "total_inactive_file", "inactive_file" };
	struct json_object *stats = NULL;
	int64_t cache = 0;

	if (!json_object_object_get_ex(memory, "stats", &stats) ||
	    !json_object_is_type(stats, json_type_object))
		return 0;
	for (size_t i = 0; i < ELEMENTSOF(keys); i++)
		if (json_get_i64(stats, keys[i], &cache, NULL) == 0)
			return cache;
	return 0;
}

/* A limit that is as large as the kernel counts, or as the host has memory, is told as 0: none. */
static uint64_t number_of(int64_t most)
{
	return most >= DOCKER_MEMORY_NONE || most < 0 ? 0 : (uint64_t)most;
}

int docker_parse_usage(const char *text, size_t length, struct docker_usage *ret,
		       struct err *reterr)
{
	_cleanup_json_ struct json_object *o = NULL;
	struct json_object *memory = NULL, *pids = NULL;
	int64_t used = 0, memory_max = 0, n_pids = 0, pids_max = 0, cache = 0;
	int r = json_parse_answer(text, length, DOCKER_ANSWER_MAX, &o, reterr);

	if (r == 0)
		r = get_object(o, "memory_stats", &memory, reterr);
	if (r == 0)
		r = get_number(memory, "usage", &used, reterr);
	if (r == 0)
		r = get_number(memory, "limit", &memory_max, reterr);
	if (r == 0)
		r = get_object(o, "pids_stats", &pids, reterr);
	if (r == 0)
		r = get_number(pids, "current", &n_pids, reterr);
	if (r == 0)
		r = get_number(pids, "limit", &pids_max, reterr);
	if (r == 0 && (used < 0 || n_pids < 0))
		r = err_set(reterr, -EBADMSG, "a number is negative");
	if (r < 0)
		return err_wrap(reterr, r, "read what a container uses");
	cache = read_cache(memory);
	*ret = (struct docker_usage){
		.memory_bytes = (uint64_t)(cache > 0 && cache < used ? used - cache : used),
		.pids = (uint64_t)n_pids,
		.memory_max_bytes = number_of(memory_max),
		.pids_max = number_of(pids_max),
	};
	return 0;
}

/* ---- events ---- */

/* "stop", "unpause", and "kill" by one of SIGINT, SIGQUIT, SIGKILL, SIGTERM: others (SIGHUP) end nothing. */
static bool is_telling(struct json_object *event)
{
	static const char *const signals[] = { "2", "3", "9", "15" };
	struct json_object *actor = NULL, *attributes = NULL;
	const char *action = "", *number = "";

	if (json_get_string(event, "Action", &action, NULL) < 0)
		return false;
	if (str_equal(action, "stop") || str_equal(action, "unpause"))
		return true;
	if (!str_equal(action, "kill") || get_object(event, "Actor", &actor, NULL) < 0 ||
	    get_object(actor, "Attributes", &attributes, NULL) < 0 ||
	    json_get_string(attributes, "signal", &number, NULL) < 0)
		return false;
	for (size_t i = 0; i < ELEMENTSOF(signals); i++)
		if (str_equal(number, signals[i]))
			return true;
	return false;
}

int docker_parse_events(const char *text, size_t length, struct err *reterr)
{
	bool any = false;

	for (const char *end = text + length, *line = text; line < end;) {
		_cleanup_json_ struct json_object *o = NULL;
		const char *stop = memchr(line, '\n', (size_t)(end - line));
		size_t n = stop ? (size_t)(stop - line) : (size_t)(end - line);

		if (n > 0 && json_parse_answer(line, n, DOCKER_ANSWER_MAX, &o, reterr) < 0)
			return err_wrap(reterr, bad_answer(reterr), "read its events");
		any = any || (n > 0 && is_telling(o));
		line += n + 1;
	}
	return any;
}

/* ---- words ---- */

const char *docker_parse_message(const char *text, size_t length, char *buf, size_t size)
{
	_cleanup_json_ struct json_object *o = NULL;
	const char *message = NULL;
	char line[256] = "";

	if (json_parse_answer(text, length, DOCKER_ANSWER_MAX, &o, NULL) < 0 ||
	    json_get_string(o, "message", &message, NULL) < 0)
		message = text;
	(void)str_copy(line, sizeof(line), message);
	line[strcspn(line, "\r\n")] = '\0';
	return str_escape(buf, size, line);
}

static void add_number(char *buf, size_t size, const char *key, int64_t value)
{
	if (value != 0)
		str_append(buf, size, "%s\"%s\":%" PRId64, buf[1] ? "," : "", key, value);
}

const char *docker_format_limits(const struct docker_limits *l, char *buf, size_t size)
{
	buf[0] = '\0';
	str_append(buf, size, "{");
	add_number(buf, size, "Memory", l->memory_bytes);
	add_number(buf, size, "MemorySwap", l->memory_swap_bytes);
	add_number(buf, size, "NanoCpus", l->nano_cpus);
	add_number(buf, size, "CpuQuota", l->cpu_quota_us);
	add_number(buf, size, "CpuPeriod", l->cpu_period_us);
	add_number(buf, size, "PidsLimit", l->pids);
	str_append(buf, size, "}");
	return buf;
}

/* {"name":["^/web$"]}, percent-encoded; in a regular expression a dot is any character. */
const char *docker_format_filter(const char *name, char *buf, size_t size)
{
	buf[0] = '\0';
	str_append(buf, size, "%%7B%%22name%%22%%3A%%5B%%22%%5E%%2F");
	for (; *name; name++)
		str_append(buf, size, *name == '.' ? "%%5B%c%%5D" : "%c", *name);
	str_append(buf, size, "%%24%%22%%5D%%7D");
	return buf;
}

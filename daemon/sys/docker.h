/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/lookup.h"

/* What a step asks of Docker over its socket, blocking, with a bound on every call and every answer.
 * A request is made of an enum and a container's full id, which comes out of Docker's own inventory:
 * no caller hands in a path. Source: Docker Engine API v1.41 to v1.52, docs.docker.com/reference/api/engine. */

#define DOCKER_SOCKET    "run/docker.sock" /* below a root */
#define DOCKER_API_MAJOR 1
#define DOCKER_API_MIN \
	40 /* 1.40, Engine 19.03: the oldest whose answers have all that is read here */
#define DOCKER_API_MAX     52 /* 1.52, Engine 29: the newest whose changes have been read */
#define DOCKER_READ_MAX_NS (5 * NS_PER_S)
#define DOCKER_ANSWER_MAX  (1024 * 1024) /* bytes; an inventory of 500 containers has half of it */

#define DOCKER_ID_MAX     65  /* 64 hexadecimal digits */
#define DOCKER_NAME_MAX   129 /* Docker has no bound of its own; a host name's is 64 */
#define DOCKER_TIME_MAX   40  /* "2026-01-01T00:00:00.000000000Z" */
#define DOCKER_LABELS_MAX 32
#define DOCKER_LABEL_MAX  128 /* bytes; a longer one is left out */

#define DOCKER_MEMORY_MIN (INT64_C(6) << 20) /* Docker: "Minimum memory limit allowed is 6MB" */
/* Docker takes no limit of memory away again (0 means unchanged), but the kernel takes this for none: its
 * PAGE_COUNTER_MAX in bytes. */
#define DOCKER_MEMORY_NONE (INT64_MAX / 4096 * 4096)

enum docker_state {
	DOCKER_STATE_CREATED,
	DOCKER_STATE_RUNNING,
	DOCKER_STATE_PAUSED,
	DOCKER_STATE_RESTARTING,
	DOCKER_STATE_REMOVING,
	DOCKER_STATE_EXITED,
	DOCKER_STATE_DEAD,
	_DOCKER_STATE_MAX,
};
LOOKUP_DECLARE(docker_state, enum docker_state);

enum docker_health {
	DOCKER_HEALTH_NONE, /* no health check is defined */
	DOCKER_HEALTH_STARTING,
	DOCKER_HEALTH_HEALTHY,
	DOCKER_HEALTH_UNHEALTHY,
	_DOCKER_HEALTH_MAX,
};
LOOKUP_DECLARE(docker_health, enum docker_health);

/* As Docker keeps them (HostConfig). 0: none is set, and in an update: leave as it is. */
struct docker_limits {
	int64_t memory_bytes;      /* at least DOCKER_MEMORY_MIN */
	int64_t memory_swap_bytes; /* memory and swap together; -1: no limit of swap */
	int64_t nano_cpus;         /* 1000000000 is one CPU; excludes cpu_quota_us */
	int64_t cpu_quota_us;      /* of each cpu_period_us; -1: no limit */
	int64_t cpu_period_us;     /* 0: the kernel's 100000 */
	int64_t pids;              /* -1: no limit */
};

struct docker_label {
	char key[DOCKER_LABEL_MAX], value[DOCKER_LABEL_MAX];
};

/* GET /containers/ID/json */
struct docker_facts {
	char id[DOCKER_ID_MAX], name[DOCKER_NAME_MAX];
	enum docker_state state;
	enum docker_health health;
	int64_t pid, exit_code, restart_count;
	bool is_oom_killed;
	bool has_error;              /* Docker could not start it */
	bool is_restarted_by_docker; /* restart policy "always" or "unless-stopped" */
	char started_at[DOCKER_TIME_MAX], finished_at[DOCKER_TIME_MAX];
	struct docker_limits limits;
	uint32_t n_labels;
	struct docker_label labels[DOCKER_LABELS_MAX];
};

/* One of GET /containers/json. */
struct docker_listed {
	char id[DOCKER_ID_MAX], name[DOCKER_NAME_MAX];
	enum docker_state state;
};

/* What it uses now: GET /containers/ID/stats. */
struct docker_usage {
	uint64_t memory_bytes; /* without the file cache that the kernel would give up first */
	uint64_t pids;
	/* What the kernel allows it; 0: no limit. */
	uint64_t memory_max_bytes, pids_max;
};

enum docker_verb {
	DOCKER_VERB_START,
	DOCKER_VERB_STOP,
	DOCKER_VERB_RESTART,
	DOCKER_VERB_PAUSE,
	DOCKER_VERB_UNPAUSE,
	DOCKER_VERB_UPDATE,
	_DOCKER_VERB_MAX,
};
LOOKUP_DECLARE(docker_verb, enum docker_verb);

/* A Docker that answered and speaks a version we do. */
struct docker {
	char socket_path[64];
	uint32_t api_minor;
	uint64_t deadline_ns; /* CLOCK_BOOTTIME: no call goes on after it */
};

/* Asks for the versions and takes the newest that both speak. Returns 0; -EPROTONOSUPPORT where there
 * is none; -ENOENT, -ECONNREFUSED: Docker does not run here; -ETIMEDOUT; other -errno.
 * Errors of all of these begin with "ask Docker: ". */
int docker_open(int root_fd, uint64_t deadline_ns, struct docker *ret,
		struct err *reterr) _warn_unused_;

/* A container's name: [a-zA-Z0-9][a-zA-Z0-9_.-]*, shorter than DOCKER_NAME_MAX. */
bool docker_is_name(const char *s);

/* Every container there is, running or not. Returns how many of v[max]; -E2BIG for more; -errno. */
int docker_list(const struct docker *d, struct docker_listed *v, size_t max,
		struct err *reterr) _warn_unused_;

/* Facts of the container that has this name now. Returns 0; -EINVAL: no name; -ENOENT; -errno. */
int docker_find(const struct docker *d, const char *name, struct docker_facts *ret,
		struct err *reterr) _warn_unused_;

/* Facts by the full id. Returns 0; -ENOENT: removed; -errno. */
int docker_inspect(const struct docker *d, const char *id, struct docker_facts *ret,
		   struct err *reterr) _warn_unused_;

/* Returns 0; -ENOENT; -errno. Of a container that does not run all is 0. */
int docker_read_usage(const struct docker *d, const char *id, struct docker_usage *ret,
		      struct err *reterr) _warn_unused_;

/* Was it told over Docker's API to stop or to die since it started? Docker remembers its last 256
 * events and forgets them when it restarts. Returns 1; 0; -errno. */
int docker_was_stopped(const struct docker *d, const struct docker_facts *f,
		       struct err *reterr) _warn_unused_;

/* Was it told to go on since then (microseconds since the epoch)? Returns as above. */
int docker_was_unpaused(const struct docker *d, const char *id, uint64_t since_wall_us,
			struct err *reterr) _warn_unused_;

/* Does it and waits until Docker says so. limits: for UPDATE only. Returns 0, also where it was so
 * already; -ENOENT: removed; -EBUSY: its state does not allow it; -EINVAL: Docker refuses the numbers;
 * -EINPROGRESS: asked for, and no answer came; -EIO: Docker could not; other -errno: not asked for. */
int docker_do(const struct docker *d, enum docker_verb verb, const char *id,
	      const struct docker_limits *limits, struct err *reterr) _warn_unused_;

/* ---- pure: what Docker's answers say ------------------------------------------------------------- */

/* "1.41" of Api-Version, and MinAPIVersion ("" if not known): the minor to speak. Returns it;
 * -EPROTONOSUPPORT with both sides' numbers; -EBADMSG. */
int docker_negotiate(const char *newest, const char *oldest, struct err *reterr);

/* Each returns 0 (docker_parse_list: the count); -EBADMSG naming the field; -E2BIG. */
int docker_parse_version(const char *text, size_t length, char ret_oldest[static 16],
			 struct err *reterr) _warn_unused_;
int docker_parse_list(const char *text, size_t length, struct docker_listed *v, size_t max,
		      struct err *reterr) _warn_unused_;
int docker_parse_facts(const char *text, size_t length, struct docker_facts *ret,
		       struct err *reterr) _warn_unused_;
int docker_parse_usage(const char *text, size_t length, struct docker_usage *ret,
		       struct err *reterr) _warn_unused_;
/* A line of JSON for each event: of what was asked for. Returns 1 if one of them ends a container or lets
 * it go on; 0; -EBADMSG. */
int docker_parse_events(const char *text, size_t length, struct err *reterr) _warn_unused_;
/* The reason in an answer that is none ({"message": ...} or a line of text), cleaned. Returns buf. */
const char *docker_parse_message(const char *text, size_t length, char *buf, size_t size);
/* The body of an update. Returns buf. */
const char *docker_format_limits(const struct docker_limits *l, char *buf, size_t size);
/* The query of a list that knows only this name. Returns buf. */
const char *docker_format_filter(const char *name, char *buf, size_t size);

/* Did it end in order, as far as its facts tell: by itself without an error, or by the signal that
 * stops? Docker's own events tell more (docker_was_stopped). */
bool docker_facts_is_at_rest(const struct docker_facts *f);

/* Its value, or NULL. */
const char *docker_facts_label(const struct docker_facts *f, const char *key);

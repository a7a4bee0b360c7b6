/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "model/entity.h"

/* What a step asks of systemd, blocking, with a bound on every call. Source of all facts and verbs:
 * org.freedesktop.systemd1(5). bus: sd_bus *; NULL makes every call -ENOTCONN. */

#define UNITCTL_CALL_MAX_NS   (5 * NS_PER_S)  /* one call; sd-bus would wait 25 s */
#define UNITCTL_RELOAD_MAX_NS (90 * NS_PER_S) /* a reload answers when every unit is read again */

struct unit_facts {
	char id[256]; /* its own name: an alias's is that of the unit behind it */
	char load_state[32], active_state[32], sub_state[32], result[32], unit_file_state[32];
	char freezer_state[32];
	char type[16];                      /* of a service: "oneshot", "simple", ... */
	char invocation_id[STR_HEX128_MAX]; /* "" before the first start */
	char control_group[512];            /* below /sys/fs/cgroup; "" while it has none */
	uint32_t main_pid;
	uint32_t job_id; /* 0: none pending */
	bool refuse_manual_start, refuse_manual_stop;
	bool reload_needed; /* its files changed since systemd read them */
	bool can_reload, can_freeze;
	uint64_t state_change_mono_us; /* a reload passes through a state of its own */
	uint64_t active_exit_mono_us;  /* 0: never was active, as a oneshot that remains not */
};

/* Connects as root to systemd's own socket, which works while the bus daemon is frozen or dead, else
 * over the system bus. Returns 0; -errno. */
int unitctl_open(void **ret_bus, struct err *reterr) _warn_unused_;
void *unitctl_close(void *bus);
DEFINE_CLEANUP(void *, unitctl_close);

/* Facts of a unit, loaded from disk if it was not (load_state says "not-found" then if there is
 * none). Returns 0; -errno. */
int unitctl_read(void *bus, const char *unit, struct unit_facts *ret,
		 struct err *reterr) _warn_unused_;

/* Queues a job ("StartUnit", "StopUnit", "RestartUnit", "ReloadUnit") and waits until systemd has removed
 * it. What somebody else has queued for the unit stands (mode fail): an administrator's stop is not overridden.
 * Returns 0; -EBUSY: another job is in the way; -EIO with the job's result if it failed; -EINPROGRESS if
 * it was not over by deadline_ns or the connection was lost after the call; other -errno: nothing was
 * queued. */
int unitctl_run_job(void *bus, const char *method, const char *unit, uint64_t deadline_ns,
		    struct err *reterr) _warn_unused_;

/* Stops a unit that we made ourselves, whatever is queued for it (mode replace): this is an undo. Returns
 * as unitctl_run_job(), but for -EBUSY. */
int unitctl_stop_ours(void *bus, const char *unit, uint64_t deadline_ns,
		      struct err *reterr) _warn_unused_;

/* Waits until no job of the unit is pending. Returns 0; -EINPROGRESS at the deadline; -errno. */
int unitctl_wait_idle(void *bus, const char *unit, uint64_t deadline_ns,
		      struct err *reterr) _warn_unused_;

/* who: "main", "control", "all". Returns 0; -errno. */
int unitctl_kill(void *bus, const char *unit, const char *who, int signal_number,
		 struct err *reterr) _warn_unused_;

/* "FreezeUnit", "ThawUnit", "ResetFailedUnit": answered when it is done. Returns 0; -EINPROGRESS if no
 * answer came; other -errno. */
int unitctl_call(void *bus, const char *method, const char *unit, struct err *reterr) _warn_unused_;

/* Would a stop take another unit that runs along (Requires=, BindsTo=, PartOf= and the like of others)?
 * Returns 0; -EBUSY naming one of them; -E2BIG; other -errno. */
int unitctl_check_stops_alone(void *bus, const char *unit, struct err *reterr) _warn_unused_;

/* Reads all unit files again. Returns 0; -EINPROGRESS if no answer came; -errno. */
int unitctl_reload(void *bus, struct err *reterr) _warn_unused_;

/* May a person's or agent's action touch it? Refuses a unit that does not exist, is masked or has a
 * pending job, and another name of a unit: the policy and the protected list go by the unit's own.
 * Returns 0; -ENOENT, -EPERM, -EBUSY with the reason. Pure. */
int unit_facts_check_idle(const struct unit_facts *f, const char *unit,
			  struct err *reterr) _warn_unused_;

/* The same, and refuses a unit that is frozen by systemd: an administrator's intent. */
int unit_facts_check(const struct unit_facts *f, const char *unit,
		     struct err *reterr) _warn_unused_;

/* Reads a unit and checks it so: what every action on a unit begins with. Returns 0; as above. */
int unitctl_check(void *bus, const char *unit, struct unit_facts *ret,
		  struct err *reterr) _warn_unused_;

/* The one of units[] (ends with NULL) that is active, or failed when none is. Returns 0; -ENOENT: none;
 * -ENOTUNIQ naming two; other -errno. */
int unitctl_find_one(void *bus, const char *const units[], char ret[static ENTITY_NAME_MAX],
		     struct err *reterr) _warn_unused_;

/* Refuses a unit that systemd starts or stops right now. Returns 0; -EBUSY. Pure. */
int unit_facts_check_settled(const struct unit_facts *f, const char *unit,
			     struct err *reterr) _warn_unused_;

/* May it be started or restarted now? Not while systemd itself does, and what was stopped in order
 * only if even_stopped. Returns 0; -EBUSY, -EPERM. Pure. */
int unit_facts_check_start(const struct unit_facts *f, const char *unit, bool even_stopped,
			   struct err *reterr) _warn_unused_;

/* The id of its present or last start, "" before the first. Returns 0; -errno. */
int unitctl_read_invocation(void *bus, const char *unit, char ret[static STR_HEX128_MAX],
			    struct err *reterr) _warn_unused_;

/* Waits until no job is pending: was it started since the invocation `before`, and is it up or done?
 * Returns 0; -ENOENT: it was not started; -EIO: it is dead again; -EINPROGRESS; -errno. */
int unitctl_verify_start(void *bus, const char *unit, const char *before, uint64_t deadline_ns,
			 struct err *reterr) _warn_unused_;

static inline bool unit_facts_is_active(const struct unit_facts *f)
{
	return str_equal(f->active_state, "active") || str_equal(f->active_state, "reloading");
}

static inline bool unit_facts_is_down(const struct unit_facts *f)
{
	return str_equal(f->active_state, "inactive") || str_equal(f->active_state, "failed");
}

/* A oneshot that nobody could stop: it waits to be run, be it for the first time or again. */
static inline bool unit_facts_is_runnable(const struct unit_facts *f)
{
	return str_equal(f->type, "oneshot") && f->active_exit_mono_us == 0;
}

/* Ended well: an administrator stopped it or it was done. */
static inline bool unit_facts_is_at_rest(const struct unit_facts *f)
{
	return str_equal(f->active_state, "inactive") && str_equal(f->result, "success");
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"
#include "model/fault_record.h"
#include "model/fault_status.h"
#include "ops/fault.h"

/* aiops-fault: one fault from its record to the proof that nothing of it is left. Everything that a
 * fresh process needs to end it is in files (fault_record.h) before it is done. */

#define FAULT_CLEAR_TRIES 3
/* An effect that nobody saw by then is reported as none. */
#define FAULT_OBSERVE_MAX_NS (10 * NS_PER_S)
/* PID 1 ends us by force this long after we should have ended by ourselves. */
#define FAULT_GRACE_NS (5 * NS_PER_S)

struct fault {
	int root_fd, run_fd, dir_fd; /* configuration; the runtime directory and its "faults" */
	char key[STR_HEX128_MAX];
	const struct fault_ops *ops; /* NULL until the record or the undo file named it */
	struct fault_record record;
	struct fault_undo undo;
	struct fault_status status;
	struct fault_context context;
	char text[RECORD_TEXT_MAX]; /* what the fault says of itself goes here */
};

/* Opens the directories. Returns 0; -EINVAL: key is not 32 hexadecimal digits; other -errno. */
int fault_open(struct fault *f, const char *root, const char *runtime_dir, const char *key,
	       struct err *reterr) _warn_unused_;
void fault_done(struct fault *f);

/* The verbs. A key that ran before is never injected again, only ended. Return 0; -errno. */
int fault_run(struct fault *f, struct err *reterr) _warn_unused_;
int fault_clear(struct fault *f, struct err *reterr) _warn_unused_;
int fault_describe(FILE *out) _warn_unused_;

/* Gives up, for good, every system call that ending a fault does not need. Returns 0; -errno. */
int fault_confine(struct err *reterr) _warn_unused_;

/* A file chaos.d/NAME.yaml, root-owned; nothing is installed that switches faults on but by a
 * sandbox target:
 *
 *   enabled: true
 *   units: [aiops-target-*.service]   # names as in glob(7); without it any that is not protected
 *
 * A later file that says no takes back what the others said. */
struct fault_permit {
	const char *unit; /* NULL: the host */
	bool is_enabled, is_allowed;
};

/* Adds what one file says. Returns 0; -EBADMSG, -EINVAL with FILE:LINE:COLUMN. */
int fault_permit_parse(const char *file_name, const char *text, size_t length,
		       struct fault_permit *g, struct err *reterr) _warn_unused_;

/* May this fault be injected on this host now, as far as configuration and other faults go? unit may
 * be NULL. Reads only. Returns 0; -EPERM; -EBUSY; -errno with the reason. */
int fault_gate(const struct fault *f, const char *unit, struct err *reterr) _warn_unused_;

/* True once root has touched the stop file. */
bool fault_is_stopped(const struct fault *f);

/* Runs clear() until it finds nothing, at most FAULT_CLEAR_TRIES times, from f->undo; enters the
 * states as it goes. Returns 0; -errno of the first failure: the fault is STUCK. */
int fault_undo_all(struct fault *f, struct err *reterr) _warn_unused_;

/* Files. Readers return 1 if read, 0 if there is none, -errno if it is not to be used. */
int fault_read_record(struct fault *f, struct err *reterr) _warn_unused_;
int fault_read_undo(struct fault *f, struct err *reterr) _warn_unused_;
int fault_read_status(struct fault *f, struct err *reterr) _warn_unused_;
bool fault_has_file(const struct fault *f, const char *suffix);
void fault_remove_file(const struct fault *f, const char *suffix);
/* Stores the state of a fault; c is &f->context. The contract's record(). */
int fault_write_undo(const struct fault_context *c, const void *state, size_t size,
		     struct err *reterr);
/* Enters the state, writes KEY.status and says so in the journal; a failure to write is logged. */
void fault_enter(struct fault *f, enum fault_state state);
/* Turns the status into the result, removes the record, forgets all but the latest results. */
void fault_finish(struct fault *f);
/* Key of another fault that is not undone. Returns 1, 0 or -errno. */
int fault_find_other(const struct fault *f, char ret_key[static STR_HEX128_MAX],
		     struct err *reterr) _warn_unused_;

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "ipc/http.h"
#include "ipc/peer.h"
#include "model/service.h"
#include "recorder/audit.h"
#include "recorder/history.h"
#include "sys/knowledge.h"
#include "sys/spool.h"

/* The recorder: takes records, rollups and audit entries, answers inspections and queries. May block
 * on the disk, never on the network. */

#define RECORDER_PEERS_MAX 8
#define RECORDER_AUDIT_MAX 256 /* audit entries held back while the disk refuses them */

struct recorder_paths {
	const char *root, *runtime_dir, *state_dir;
};

struct recorder {
	sd_event *event;
	sd_event_source *batch_timer, *expire_timer, *audit_timer, *reload_signal;
	int root_fd;
	char audit_dir[4096];
	struct history *history;
	struct audit *audit; /* NULL: not open */
	struct recorder_knowledge {
		char path[4096];
		struct knowledge *db; /* NULL: not open */
		dev_t dev;            /* which file it is: a new one is renamed over it */
		ino_t ino;
	} knowledge;
	struct services services;
	struct peer_server *peers;
	struct http_server *http;
	uid_t executor_uid;
	struct peer *executor;           /* where acknowledgements go; NULL while it is away */
	struct audit_entry *audit_queue; /* a ring */
	size_t audit_head, n_audit;
	uint64_t audit_dropped;
	char audit_error[ERR_TEXT_MAX]; /* why nothing is written now, or "" */
	char spool_dir[4096];
	struct spool *spool; /* NULL: nothing is sent anywhere */
	bool spool_failed;
	uint64_t spool_told[2];         /* losses of telemetry and records that are on record */
	char spool_error[ERR_TEXT_MAX]; /* as audit_error */
};

/* Opens the state and serves both sockets. Returns 0; -errno. */
int recorder_init(struct recorder *r, const struct recorder_paths *paths,
		  struct err *reterr) _warn_unused_;
void recorder_done(struct recorder *r);

/* Takes over services.d; a bad one is refused and the old kept. */
void recorder_reload(struct recorder *r);

/* Queues one entry and writes what is queued; acknowledges to the executor what is on the disk. */
void recorder_audit_add(struct recorder *r, const struct audit_entry *entry);
/* Writes what is queued. Returns whether the queue is empty. */
bool recorder_audit_flush(struct recorder *r);
int recorder_audit_open(struct recorder *r, struct err *reterr) _warn_unused_;

/* Runs the inspector and answers with its evidence. */
void recorder_inspect(struct recorder *r, struct peer *p, const struct inspect *inspect);

/* The knowledge base as it is now. Returns 0; -EBUSY: there is none (yet), or it cannot be read. */
int recorder_knowledge_open(struct recorder *r, struct knowledge **ret,
			    struct err *reterr) _warn_unused_;

/* GET /v1/knowledge/search */
int recorder_get_knowledge(void *userdata, const struct http_request *rq, struct http_answer *ret,
			   struct err *reterr);
/* The id of an incident from the end of a URL. Returns 0; -EINVAL; -ENOENT; -ENOTUNIQ. */
int recorder_find_incident(struct recorder *r, const char *text, uint64_t *ret,
			   struct err *reterr) _warn_unused_;

/* ship.c: the same for the fleet's database, where one is wanted; nobody waits for it. */
void recorder_ship_record(struct recorder *r, const struct record *record);
void recorder_ship_rollups(struct recorder *r, const struct rollups *rollups);
/* Returns 0: it is in the spool, or there is none; -errno: try again. */
int recorder_ship_audit(struct recorder *r, const struct audit_entry *e,
			struct err *reterr) _warn_unused_;
void recorder_ship_flush(struct recorder *r);

/* What history.sock serves; userdata is the struct recorder. */
extern const struct http_endpoint recorder_endpoints[];

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-event.h>

#include "executor/audit.h"
#include "executor/broker.h"
#include "executor/starter.h"
#include "executor/store.h"
#include "ipc/handover.h"
#include "ipc/http.h"
#include "ipc/peer.h"
#include "ipc/query.h"
#include "model/action_alias.h"

/* The executor: the broker with its files, its sockets and the bus around it. */

#define EXECUTOR_PEERS_MAX 8

struct executor_paths {
	const char *root, *runtime_dir;
};

struct executor {
	struct executor_paths paths;
	int root_fd;
	sd_event *event;
	sd_event_source *timer, *sweep_timer, *inotify, *reload_signal;
	struct broker broker;
	struct policy policy;
	struct services services;
	struct action_aliases aliases;
	char aliases_error[ERR_TEXT_MAX]; /* "" where they are loaded */
	struct idempotency keys;
	struct store store;
	struct audit_queue audit;
	struct starter *starter;
	struct peer_server *agents;
	struct peer *recorder;
	struct receiver *receiver;
	struct http_server *http, *remote; /* remote: NULL where systemd has no such socket */
	uint64_t last_record_id;
};

/* Opens its state and takes up what an earlier process left. Returns 0; -errno. */
int executor_init(struct executor *x, const struct executor_paths *paths,
		  struct err *reterr) _warn_unused_;
/* Serves both sockets, after executor_init(). */
int executor_serve(struct executor *x, struct err *reterr) _warn_unused_;
void executor_done(struct executor *x);

/* Reads policy.d and services.d. A bad policy is not kept instead of a better one: it denies everything,
 * and says where it is bad. */
void executor_load_policy(struct executor *x);

/* Brings the broker's clock up to date; each input begins with it and ends with executor_turn(). */
struct broker *executor_broker(struct executor *x);
/* Arms the timer for the broker and sends what is to be recorded. */
void executor_turn(struct executor *x);

/* tell.c: what the broker tells the world, for its ops. */
void executor_tell_changed(void *userdata, struct entry *e);
void executor_tell_audit(void *userdata, const char *what, const char *actor,
			 const struct entry *e);
/* The state of an attempt for one who knows it as key. */
void executor_send_attempt(struct peer *p, const struct entry *e, const char *key,
			   uint64_t incident_id, uint64_t plan_id);

/* agents.c: frames of the agent; the recorder. */
extern const struct peer_handlers executor_agent_handlers, executor_recorder_handlers;

/* api.c: what approve.sock and remote.sock serve; userdata is the struct executor. */
extern const struct http_endpoint executor_endpoints[];
/* The attempt whose key, or a unique ending of it, is the path's tail. Returns NULL with -ENOENT. */
const struct entry *executor_find(struct executor *x, const struct http_request *rq,
				  struct err *reterr);
/* The state of an attempt after something was done about it; as it goes on where the request says
 * "?follow=1". */
int executor_answer_attempt(struct executor *x, const struct http_request *rq,
			    const struct entry *e, unsigned status, struct http_answer *ret,
			    struct err *reterr) _warn_unused_;
/* act.c: what is asked for. */
int executor_post_action(void *userdata, const struct http_request *rq, struct http_answer *ret,
			 struct err *reterr);
int executor_post_alias(void *userdata, const struct http_request *rq, struct http_answer *ret,
			struct err *reterr);
/* follow.c: an attempt as it passes its phases. Returns NULL without memory. */
struct http_stream *executor_follow(struct executor *x, const char *key);
/* json.c. Return 0; -ENOMEM. */
int executor_json_attempt(const struct entry *e, const struct broker *b, struct json_object **ret);
int executor_json_action(const struct action_info *a, struct json_object **ret);
/* Adds "aliases" and "limits" to what can be done. */
int executor_json_aliases(const struct executor *x, struct json_object *o);
int executor_json_limits(const struct executor *x, struct json_object *o);
/* The table with every action and alias as a path of its own. on_control: what control.sock serves, where
 * the agent has the rest. */
int executor_json_openapi(const struct executor *x, bool on_control, struct json_object **ret);
int executor_json_status(const struct executor *x, struct json_object **ret);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "agent/agent.h"
#include "ipc/query.h"

/* Parts of control.sock's answers. Return 0; -ENOMEM. */

/* api_status.c */
int api_add_status(const struct agent *a, struct json_object *o);
/* api_config.c */
int api_add_runbooks(const struct agent *a, struct json_object *o);
int api_add_alerts(const struct agent *a, struct json_object *o);
int api_add_signals(const struct agent *a, struct json_object *o);

/* api_scrape.c */
int api_get_scrape(void *userdata, const struct http_request *rq, struct http_answer *ret,
		   struct err *reterr) _warn_unused_;

/* api_metrics.c */
int api_get_metrics_query(void *userdata, const struct http_request *rq, struct http_answer *ret,
			  struct err *reterr) _warn_unused_;

/* Appends *one (taken, NULLed also on failure) to array. */
int api_append(struct json_object *array, struct json_object **one);

/* api_incidents.c */
int api_get_incidents(void *userdata, const struct http_request *rq, struct http_answer *ret,
		      struct err *reterr) _warn_unused_;
bool api_incident_is_wanted(const struct record *r, const struct query_incidents *q);

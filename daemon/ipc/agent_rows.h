/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ipc/http.h"

/* What the agent serves on control.sock, without who does it: the agent has that, and the executor, which
 * serves the rest there, describes both. Ends with .method == NULL. */

enum agent_row {
	AGENT_ROW_OPENAPI,
	AGENT_ROW_STATUS,
	AGENT_ROW_INCIDENTS,
	AGENT_ROW_INCIDENT,
	AGENT_ROW_RECORD,
	AGENT_ROW_RUNBOOKS,
	AGENT_ROW_ALERTS,
	AGENT_ROW_SIGNALS,
	AGENT_ROW_METRICS_QUERY,
	AGENT_ROW_HEALTH,
	AGENT_ROW_METRICS,
	AGENT_ROW_READY,
	_AGENT_ROW_MAX,
};

extern const struct http_endpoint agent_rows[_AGENT_ROW_MAX + 1];

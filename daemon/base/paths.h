/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Where things are on a host. Fixed: what other programs and people rely on. */
#define PATH_CONTROL_SOCKET  "/run/aiops/control.sock" /* agent, HTTP */
#define PATH_APPROVE_SOCKET  "/run/aiops/approve.sock" /* executor, HTTP */
#define PATH_HISTORY_SOCKET  "/run/aiops/history.sock" /* recorder, HTTP */
#define PATH_EXEC_SOCKET     "/run/aiops/exec.sock"    /* executor, frames */
#define PATH_RECORD_SOCKET   "/run/aiops/record.sock"  /* recorder, frames */
#define PATH_GATEWAY_SOCKET  "/run/aiops/gateway.sock" /* gateway, frames */
#define PATH_AGENT_DIR       "/run/aiops/agent"        /* the agent's own state that outlives it */
#define PATH_EXEC_DIR        "/run/aiops/exec"  /* the executor's: attempts, budgets, audit queue */
#define PATH_STEPS_DIR       "/run/aiops/steps" /* KEY (record), KEY.claim, KEY.result */
#define PATH_UNDO_DIR        "/run/aiops/undo"  /* KEY: undo records, root only */
#define PATH_FAULTS_DIR      "/run/aiops/faults" /* KEY (record), KEY.undo, KEY.status */
#define PATH_STATE_DIR       "/var/lib/aiops"
#define PATH_EXEC_STATE_DIR  "/var/lib/aiops-executor" /* mode, pause and budget over a reboot */
#define PATH_AUDIT_DIR       "/var/lib/aiops/audit"
#define PATH_HISTORY_DB      "/var/lib/aiops/history.db"
#define PATH_CREDENTIALS_DIR "/etc/aiops/credentials" /* root's; a step gets it as aiops_NAME */
#define PATH_GOOD_DIR        "/var/lib/aiops-good" /* root's: copies of tracked files, by service */
#define PATH_STOP_FILE       "/run/aiops/STOP"     /* root touches it: nothing new is started */

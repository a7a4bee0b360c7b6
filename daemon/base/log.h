/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <syslog.h>

#include "base/cleanup.h"

/* Only ipc and mains log; everything else returns errors. Speaks journald's native protocol on a
 * socket of our own with MSG_DONTWAIT, because sd_journal_send(3) blocks while journald is stopped;
 * what does not fit is counted, never waited for. Without journald: lines on stderr.
 * Source: systemd, docs/JOURNAL_NATIVE_PROTOCOL.md. */
void log_open(const char *syslog_identifier);

/* The same to another socket than journald's: a test's. */
void log_open_to(const char *syslog_identifier, const char *socket_path);

struct log_field {
	const char *name; /* upper case: AIOPS_INCIDENT, MESSAGE_ID, OBJECT_SYSTEMD_UNIT, ... */
	const char *value;
};

/* message: one line. fields: n of them, beyond MESSAGE and PRIORITY. */
void log_fields(int priority, const char *message, const struct log_field *fields, size_t n_fields);

void log_line(int priority, const char *format, ...) _printf_(2, 3);

/* Messages lost since log_open() because the socket's queue was full. */
uint64_t log_dropped(void);

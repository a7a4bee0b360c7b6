/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/str.h"

#define JOURNAL_SOCKET   "/run/systemd/journal/socket"
#define LOG_DATAGRAM_MAX 16384 /* bytes of one entry; the longest record is a fifth of it */
#define LOG_LINE_MAX     1024

/* The one global below the mains: logging has no object that everybody could pass around. */
static struct {
	char identifier[32];
	struct sockaddr_un address;
	int fd;
	bool to_stderr;
	uint64_t dropped;
} log_state = { .fd = -EBADF };

struct datagram {
	char data[LOG_DATAGRAM_MAX];
	size_t used;
};

void log_open_to(const char *syslog_identifier, const char *socket_path)
{
	closep(&log_state.fd);
	(void)str_copy(log_state.identifier, sizeof(log_state.identifier), syslog_identifier);
	log_state.address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	(void)str_copy(log_state.address.sun_path, sizeof(log_state.address.sun_path), socket_path);
	log_state.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	log_state.to_stderr = false;
	log_state.dropped = 0;
}

void log_open(const char *syslog_identifier)
{
	log_open_to(syslog_identifier, JOURNAL_SOCKET);
	log_state.to_stderr = isatty(STDERR_FILENO) == 1; /* started by hand: the person reads it */
}

static bool append(struct datagram *d, const void *data, size_t size)
{
	if (size > sizeof(d->data) - d->used)
		return false;
	memcpy(d->data + d->used, data, size);
	d->used += size;
	return true;
}

/* journald ignores fields it does not like; better never send one that could pass for a trusted
 * field (those begin with '_'). Source: systemd.journal-fields(7). */
static bool name_is_valid(const char *name)
{
	size_t length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

	return length <= 64 && name[length] == '\0' && name[0] >= 'A' && name[0] <= 'Z';
}

/* Adds one field: NAME=VALUE, or with its length in front where the value has a line feed. What no
 * longer fits is left out, whole. Source: systemd, docs/JOURNAL_NATIVE_PROTOCOL.md. */
static void append_field(struct datagram *d, const char *name, const char *value)
{
	size_t before = d->used, length = strlen(value);
	bool lines = memchr(value, '\n', length) != NULL;
	uint64_t size_le = htole64(length);
	bool fits = name_is_valid(name) && append(d, name, strlen(name));

	if (lines)
		fits = fits && append(d, "\n", 1) && append(d, &size_le, sizeof(size_le));
	else
		fits = fits && append(d, "=", 1);
	if (!fits || !append(d, value, length) || !append(d, "\n", 1))
		d->used = before;
}

/* Never waits, also where stderr is a pipe or a journal stream whose reader is stopped. */
static void write_stderr(int priority, const char *message)
{
	char line[LOG_LINE_MAX + 64] = "", clean[LOG_LINE_MAX] = "";
	struct pollfd ready = { .fd = STDERR_FILENO, .events = POLLOUT };
	size_t length;

	str_escape(clean, sizeof(clean), message);
	str_append(line, sizeof(line), "%s: %s%s", log_state.identifier,
		   priority <= LOG_ERR ? "error: " : "", clean);
	str_append(line, sizeof(line) - 1, "\n");
	length = strlen(line);
	if (send(STDERR_FILENO, line, length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return;
	/* A pipe that is ready has room for a line: it is under PIPE_BUF. */
	if (errno != ENOTSOCK || poll(&ready, 1, 0) <= 0 || !(ready.revents & POLLOUT) ||
	    write(STDERR_FILENO, line, length) < 0)
		log_state.dropped++;
}

/* Returns 0; -ENOENT where there is no journald; -EAGAIN and others where the entry is lost. */
static int send_datagram(const struct datagram *d)
{
	const struct sockaddr *to = (const struct sockaddr *)&log_state.address;

	/* An unconnected socket: a restarted journald is found again by itself. */
	if (log_state.fd < 0)
		return -ENOENT;
	if (sendto(log_state.fd, d->data, d->used, MSG_DONTWAIT | MSG_NOSIGNAL, to,
		   sizeof(log_state.address)) >= 0)
		return 0;
	return errno == ECONNREFUSED ? -ENOENT : -errno;
}

void log_fields(int priority, const char *message, const struct log_field *fields, size_t n_fields)
{
	struct datagram d = { 0 };
	char level[2] = { (char)('0' + (priority & LOG_PRIMASK)), '\0' };
	int r;

	if (log_state.to_stderr) {
		write_stderr(priority, message);
		return;
	}
	append_field(&d, "PRIORITY", level);
	append_field(&d, "SYSLOG_IDENTIFIER", log_state.identifier);
	append_field(&d, "MESSAGE", message);
	for (size_t i = 0; i < n_fields; i++)
		if (fields[i].value)
			append_field(&d, fields[i].name, fields[i].value);
	r = send_datagram(&d);
	if (r == -ENOENT)
		write_stderr(priority, message);
	else if (r < 0)
		log_state.dropped++;
}

void log_line(int priority, const char *format, ...)
{
	char message[LOG_LINE_MAX] = "";
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);
	log_fields(priority, message, NULL, 0);
}

uint64_t log_dropped(void)
{
	return log_state.dropped;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

/* Bytes of a stranger for a real HTTP server of ours in this process, over a real AF_UNIX socket. A tool,
 * not a test: what goes wrong aborts. Only root gets past the roles. */

/* A directory of its own for a server, gone when the process ends. */
const char *httpfuzz_directory(void);

/* One connection to the socket NAME.sock there. An input that begins with '!' is "METHOD URL\nBODY" and
 * is sent as a well-formed request, so that the fuzzer need not learn to count; any other is sent as it
 * is. Runs the loop until the server has closed. What it answered must be HTTP, and no 500. */
void httpfuzz_send(sd_event *event, const char *name, const uint8_t *data, size_t size);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/err.h"

/* The listening socket that systemd passed under this name (FileDescriptorName=), or where it passed
 * none, for tests and development, a new one at RUNTIME_DIR/NAME.sock (in place of a stale one).
 * type: SOCK_SEQPACKET for frames, SOCK_STREAM for HTTP, SOCK_DGRAM for what is handed over.
 * Returns the fd; -EINVAL when what was passed is no such socket; other -errno. */
int listen_get(const char *name, const char *runtime_dir, int type,
	       struct err *reterr) _warn_unused_;

/* The same of what systemd passed alone. Returns the fd; -ENOENT: it passed none of that name; ... */
int listen_find(const char *name, int type, struct err *reterr) _warn_unused_;

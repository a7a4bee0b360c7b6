/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* A struct that is kept in a file: a head that says what it is, then the rest. The seal finds what is
 * torn, cut, of another version or of another kind; it is no signature. */

#define SEALED_MAGIC   0x61696f73u /* "aios" */
#define SHA256_SIZE    32
#define SHA256_HEX_MAX 65 /* text form with the NUL */

struct sealed_head {
	uint32_t magic;
	uint16_t version, kind; /* the owner's */
	uint32_t size;          /* of the whole struct with this head */
	uint32_t reserved;
	uint8_t sha256[SHA256_SIZE]; /* of the whole struct with this field zero */
};

/* Fills the head, which is the first member of the size bytes at data. Returns 0; -ENOMEM. */
int sealed_close(void *data, size_t size, uint16_t kind, uint16_t version) _warn_unused_;

/* Checks got bytes read from a file against what is expected. Returns 0; -EBADMSG with the reason. */
int sealed_check(const void *data, size_t got, size_t size, uint16_t kind, uint16_t version,
		 struct err *reterr) _warn_unused_;

/* Seals data and writes it so that readers see all or nothing (see fd_write_atomic). */
int sealed_write(int dir_fd, const char *name, void *data, size_t size, uint16_t kind,
		 uint16_t version, struct err *reterr) _warn_unused_;

/* Reads and checks. Returns 0; -ENOENT; -EBADMSG; other -errno. On failure data is not to be used. */
int sealed_read(int dir_fd, const char *name, void *data, size_t size, uint16_t kind,
		uint16_t version, struct err *reterr) _warn_unused_;

/* SHA-256 of text as 64 lower-case hexadecimal digits. Returns 0; -ENOMEM. */
int sha256_hex(const void *data, size_t size, char ret[static SHA256_HEX_MAX]) _warn_unused_;

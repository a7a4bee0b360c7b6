/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

static inline bool str_equal(const char *a, const char *b)
{
	return a && b && __builtin_strcmp(a, b) == 0;
}

/* Copies src into dst of size bytes, always NUL-terminated.
 * Returns 0; -ENAMETOOLONG if it was cut (dst then holds the front part). */
int str_copy(char *dst, size_t size, const char *src);

/* Appends formatted text to dst (size bytes, NUL-terminated); a cut is silent and safe. */
void str_append(char *dst, size_t size, const char *format, ...) _printf_(3, 4);

/* Whole-string decimal parsers. Return 0; -EINVAL for anything else in s; -ERANGE. */
int str_parse_u64(const char *s, uint64_t *ret) _warn_unused_;
int str_parse_i64(const char *s, int64_t *ret) _warn_unused_;
int str_parse_double(const char *s, double *ret) _warn_unused_;

/* "250ms", "60s", "5min", "2h" or a bare number of seconds. Returns 0; -EINVAL; -ERANGE. */
int str_parse_span_ns(const char *s, uint64_t *ret_ns) _warn_unused_;

/* True if s (of length bytes) is UTF-8 with no NUL, no C0/C1 control except tab, no surrogates. */
bool str_is_clean_utf8(const char *s, size_t length);

/* The same for a text of several lines: line feeds and carriage returns are allowed too. */
bool str_is_clean_text(const char *s, size_t length);

/* Copies src with every control character and invalid byte as \\xNN: safe on any terminal and in
 * any log. Returns dst. */
char *str_escape(char *dst, size_t size, const char *src);

/* True for a full systemd unit name of characters [A-Za-z0-9:_.\\@-], with a known suffix, at most
 * 255 bytes, no slash. Source: systemd.unit(5). */
bool str_is_unit_name(const char *s);

/* True for the name of a Docker container: [a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}.
 * Source: moby daemon/names/names.go, RestrictedNameChars. */
bool str_is_container_name(const char *s);

#define STR_PLAIN_NAME_MAX 65 /* with the NUL; a SHA-256 in hexadecimal fits */

/* True for a word of at most 64 letters, digits and "._-" that begins with a letter or digit: what is
 * shown, logged and typed, and is never a path. */
bool str_is_plain_name(const char *s);

/* True if a cut text buffer of this size holds a NUL: what a receiver asks of a frame's strings. */
bool str_is_terminated(const char *s, size_t size);

/* The word of words[] (NULL-terminated) that a typing error may have made this of, or NULL. */
const char *str_nearest(const char *word, const char *const words[]);

/* A number for people: whole numbers in full, others to three significant digits.
 * Returns buf. */
#define STR_NUMBER_MAX 32
const char *str_number(double v, char buf[static STR_NUMBER_MAX]);

static inline const char *str_plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

#define STR_HEX128_MAX 33

/* 32 lower-case hexadecimal digits and nothing else. */
bool str_is_hex128(const char *s);

/* Fills buf with 128 random bits as hexadecimal. Returns 0; -errno of getrandom(2). */
int str_random_hex128(char buf[static STR_HEX128_MAX]) _warn_unused_;

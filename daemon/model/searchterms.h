/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

/* What people type, as an expression that FTS5 cannot misread: each word in double quotes, joined by OR.
 * No operator, column filter, prefix or quote of theirs gets through, so that there is no wrong query. */

#define SEARCH_TEXT_MAX  4096 /* bytes of a question; the rest is not looked at */
#define SEARCH_TERMS_MAX 64   /* words; what follows is left out */
#define SEARCH_WORD_MAX  64   /* bytes; a longer one is cut */
#define SEARCH_MATCH_MAX (SEARCH_TERMS_MAX * (SEARCH_WORD_MAX + 6) + 1)

/* Writes the expression to ret (size bytes). Words of one letter, words that say nothing ("the", "my")
 * and words that were there before are left out. Returns how many words are in it; 0: nothing to look for.
 * Source: SQLite FTS5, "Full-text Query Syntax", strings. */
size_t search_terms(const char *text, char ret[static SEARCH_MATCH_MAX]);

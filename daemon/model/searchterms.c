/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/searchterms.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

/* Words of every question. "no", "not" and "up" stay: "no space left", "not found", "address not up". */
static const char *const stop_words[] = {
	"a",     "about", "after", "again", "all",   "also", "although", "am",     "an",
	"and",   "any",   "are",   "as",    "at",    "be",   "been",     "but",    "by",
	"can",   "could", "did",   "do",    "does",  "even", "for",      "from",   "get",
	"gets",  "had",   "has",   "have",  "he",    "how",  "i",        "if",     "in",
	"into",  "is",    "it",    "its",   "just",  "me",   "my",       "of",     "on",
	"only",  "or",    "our",   "she",   "so",    "some", "than",     "that",   "the",
	"their", "them",  "then",  "there", "these", "they", "this",     "though", "to",
	"very",  "was",   "we",    "were",  "what",  "when", "where",    "which",  "while",
	"who",   "why",   "with",  "would", "yet",   "you",  "your",
};

/* Characters of other scripts are left to FTS5's own tokenizer. */
static bool is_word(unsigned char c)
{
	return isalnum(c) || c >= 0x80;
}

static bool says_something(const char *word)
{
	if (!word[0] || (!word[1] && !isdigit((unsigned char)word[0])))
		return false;
	for (size_t i = 0; i < ELEMENTSOF(stop_words); i++)
		if (str_equal(stop_words[i], word))
			return false;
	return true;
}

/* The next word in lower case. Returns where to go on, or NULL at the end. */
static const char *next_word(const char *p, const char *end, char word[static SEARCH_WORD_MAX])
{
	size_t n = 0;

	while (p < end && *p && !is_word((unsigned char)*p))
		p++;
	if (p >= end || !*p)
		return NULL;
	for (; p < end && is_word((unsigned char)*p); p++)
		if (n < SEARCH_WORD_MAX - 1)
			word[n++] = (char)tolower((unsigned char)*p);
	word[n] = '\0';
	return p;
}

size_t search_terms(const char *text, char ret[static SEARCH_MATCH_MAX])
{
	const char *end = text + strnlen(text, SEARCH_TEXT_MAX);
	char word[SEARCH_WORD_MAX] = "", quoted[SEARCH_WORD_MAX + 2] = "";
	size_t n = 0;

	ret[0] = '\0';
	for (const char *p = text; n < SEARCH_TERMS_MAX && (p = next_word(p, end, word));) {
		if (!says_something(word))
			continue;
		quoted[0] = '\0';
		str_append(quoted, sizeof(quoted), "\"%s\"", word);
		if (strstr(ret, quoted))
			continue;
		str_append(ret, SEARCH_MATCH_MAX, "%s%s", n > 0 ? " OR " : "", quoted);
		n++;
	}
	return n;
}

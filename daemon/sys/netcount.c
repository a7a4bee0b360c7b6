/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/netcount.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* "  eth0: rx_bytes packets errs drop fifo frame compressed multicast tx_bytes packets errs drop ...". The
 * two lines above have no colon. Fifo overruns are drops of the device itself. */
static bool parse_dev(char *line, struct netcount_dev *ret)
{
	char *name = line + strspn(line, " "), *colon = strrchr(line, ':');
	uint64_t rx_fifo = 0, tx_fifo = 0;
	struct netcount_dev d = { .rx_bytes = 0 };

	if (!colon || colon < name || (size_t)(colon - name) >= sizeof(d.name))
		return false;
	*colon = '\0';
	(void)str_copy(d.name, sizeof(d.name), name);
	if (sscanf(colon + 1,
		   "%" SCNu64 " %*u %" SCNu64 " %" SCNu64 " %" SCNu64 " %*u %*u %*u %" SCNu64
		   " %*u %" SCNu64 " %" SCNu64 " %" SCNu64,
		   &d.rx_bytes, &d.rx_errors, &d.rx_drops, &rx_fifo, &d.tx_bytes, &d.tx_errors,
		   &d.tx_drops, &tx_fifo) != 8)
		return false;
	d.rx_drops += rx_fifo;
	d.tx_drops += tx_fifo;
	*ret = d;
	return name[0] != '\0';
}

size_t netcount_parse_devs(char *text, struct netcount_dev *ret, size_t max)
{
	char *save = NULL;
	size_t n = 0;

	for (char *line = strtok_r(text, "\n", &save); line && n < max;
	     line = strtok_r(NULL, "\n", &save))
		n += parse_dev(line, &ret[n]);
	return n;
}

/* What follows "NAME:" at the next line that begins so, from p on; NULL. */
static const char *find_line(const char *p, const char *name)
{
	size_t length = strlen(name);

	while (p && *p) {
		if (strncmp(p, name, length) == 0 && p[length] == ':')
			return p + length + 1;
		p = strchr(p, '\n');
		p = p ? p + 1 : NULL;
	}
	return NULL;
}

/* The next word of this line and its length; NULL at the end of it. */
static const char *next_word(const char *p, size_t *ret_length)
{
	p += strspn(p, " ");
	*ret_length = strcspn(p, " \n");
	return *ret_length ? p : NULL;
}

static bool is_word(const char *p, size_t length, const char *word)
{
	return strlen(word) == length && memcmp(p, word, length) == 0;
}

static int parse_word(const char *p, uint64_t *ret)
{
	char *end = NULL;

	if (!isdigit((unsigned char)*p)) /* strtoull(3) takes "-1" */
		return -EBADMSG;
	errno = 0;
	*ret = strtoull(p, &end, 10);
	return errno || (*end && !strchr(" \n", *end)) ? -EBADMSG : 0;
}

int netcount_find(const char *text, const char *table, const char *column, uint64_t *ret)
{
	const char *names = find_line(text, table), *figures = find_line(names, table);
	size_t name_length = 0, figure_length = 0;

	if (!figures)
		return -ENODATA;
	for (;;) {
		names = next_word(names, &name_length);
		figures = next_word(figures, &figure_length);
		if (!names || !figures)
			return -ENODATA;
		if (is_word(names, name_length, column))
			return parse_word(figures, ret);
		names += name_length;
		figures += figure_length;
	}
}

int netcount_find_socket(const char *text, const char *line, const char *key, uint64_t *ret)
{
	const char *p = find_line(text, line);
	size_t length = 0;
	bool is_found;

	while (p && (p = next_word(p, &length))) {
		is_found = is_word(p, length, key);
		p = next_word(p + length, &length);
		if (p && is_found)
			return parse_word(p, ret);
		p = p ? p + length : NULL;
	}
	return -ENODATA;
}

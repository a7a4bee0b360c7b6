/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/disks.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

/* Partitions have no directory of their own in /sys/block. */
static bool is_whole_disk(int root_fd, const char *name)
{
	char path[64 + DISKS_NAME_MAX] = "";

	if (strncmp(name, "loop", 4) == 0 || strncmp(name, "ram", 3) == 0 ||
	    strncmp(name, "zram", 4) == 0 || strchr(name, '/') ||
	    !str_is_clean_utf8(name, strlen(name)))
		return false;
	str_append(path, sizeof(path), "sys/block/%s", name);
	return faccessat(root_fd, path, F_OK, 0) == 0;
}

/* " 254 0 vda reads merged sectors ms writes merged sectors ms in_flight busy_ms ...". */
static bool parse_line(const char *line, struct disk_stats *ret)
{
	return sscanf(line,
		      "%" SCNu32 " %" SCNu32 " %31s %" SCNu64 " %*u %" SCNu64 " %" SCNu64
		      " %" SCNu64 " %*u %" SCNu64 " %" SCNu64 " %*u %" SCNu64,
		      &ret->major, &ret->minor, ret->name, &ret->reads, &ret->read_sectors,
		      &ret->read_ms, &ret->writes, &ret->write_sectors, &ret->write_ms,
		      &ret->busy_ms) == 10;
}

size_t disks_parse(int root_fd, char *text, struct disk_stats *ret, size_t max)
{
	char *save = NULL;
	size_t n = 0;

	for (char *line = strtok_r(text, "\n", &save); line && n < max;
	     line = strtok_r(NULL, "\n", &save)) {
		struct disk_stats d = { .major = 0 };

		if (parse_line(line, &d) && is_whole_disk(root_fd, d.name))
			ret[n++] = d;
	}
	return n;
}

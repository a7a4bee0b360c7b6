/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Block devices that are disks: not loops, RAM disks or what is empty. Source: kernel
 * Documentation/admin-guide/iostats.rst, Documentation/ABI/stable/sysfs-block. */

#define DISKS_MAX      16
#define DISKS_NAME_MAX 32 /* DISK_NAME_LEN */
#define DISKS_TEXT_MAX (32 * 1024)

/* What /proc/diskstats counts of one since boot. */
struct disk_stats {
	char name[DISKS_NAME_MAX];
	uint32_t major, minor;
	uint64_t reads, read_sectors, read_ms, writes, write_sectors, write_ms, busy_ms;
};

/* The whole disks in a /proc/diskstats in text, at most max; text is changed. Returns how many. */
size_t disks_parse(int root_fd, char *text, struct disk_stats *ret, size_t max);

#define DISKS_SECTOR_BYTES 512 /* whatever the disk's own is: iostats.rst */

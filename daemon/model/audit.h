/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sealed.h"
#include "model/message.h"

/* The audit trail: what was done to the host, by whom, as JSON lines in segments NNNNNN.jsonl. Each
 * line ends with
 *
 *   ,"prev":"HASH OF THE LINE BEFORE","hash":"SHA-256"}
 *
 * where hash is SHA-256 over the 64 characters of prev and then all bytes of the line in front of
 * ,"hash": - so a changed, removed, added or moved line breaks every hash after it. "n" counts lines
 * from 1 across segments; the first line of a segment carries on from the last of the segment
 * before. What this cannot show is an end that was cut off: for that the newest n and hash are in the
 * journal too (field AIOPS_AUDIT_HEAD="N HASH").
 * What is too old or too much is removed from the beginning, by whole segments, and the trail says so: an
 * entry of AUDIT_WHAT_CUT whose text is "N HASH" of the last line that goes, written first.
 * Source of the idea: RFC 6962 (append-only logs), systemd's journalctl --verify. */

#define AUDIT_WHAT_CUT       "cut"
#define AUDIT_HASH_MAX       65                /* hexadecimal SHA-256 with the NUL */
#define AUDIT_LINE_MAX       (16 * 1024)       /* bytes with the newline */
#define AUDIT_SEGMENT_BYTES  (4 * 1024 * 1024) /* then a new segment begins */
#define AUDIT_SEGMENT_NAME   sizeof("000001.jsonl")
#define AUDIT_FILE_BYTES_MAX (AUDIT_SEGMENT_BYTES + AUDIT_LINE_MAX)

/* Where a chain stands. Zeroed: before the first line. */
struct audit_head {
	uint64_t n;
	char hash[AUDIT_HASH_MAX];
};

/* Head of an empty chain: n 0, hash of 64 zeros. */
void audit_head_init(struct audit_head *head);

/* Writes entry as the line after head, with its newline, and what head is then.
 * Returns bytes; -E2BIG; -ENOMEM. */
int audit_line_format(const struct audit_entry *entry, const struct audit_head *head,
		      char buf[static AUDIT_LINE_MAX], struct audit_head *ret_head,
		      struct err *reterr) _warn_unused_;

/* Which entry a line holds: what makes writing one again harmless. */
struct audit_key {
	char boot_id[STR_HEX128_MAX];
	uint64_t seq;
};

/* Checks one line (length without its newline) against head. ret_key may be NULL.
 * Returns 0; -EBADMSG with the cause. */
int audit_line_check(const char *line, size_t length, const struct audit_head *head,
		     struct audit_head *ret_head, struct audit_key *ret_key,
		     struct err *reterr) _warn_unused_;

/* Where the chain stood before and after a line, as the line itself claims: nothing is checked but
 * the form. Returns 0; -EBADMSG. */
int audit_line_read(const char *line, size_t length, struct audit_head *ret_before,
		    struct audit_head *ret_after) _warn_unused_;

/* "000001.jsonl" for 1. Returns buf. */
const char *audit_segment_name(unsigned segment, char buf[static AUDIT_SEGMENT_NAME]);

/* The lowest and highest number of a segment below dir_fd; 0 when there is none. Returns 0; -errno. */
int audit_segments(int dir_fd, unsigned *ret_first, unsigned *ret_last,
		   struct err *reterr) _warn_unused_;

/* "N HASH": where a chain stood. Returns 0; -EBADMSG. */
int audit_anchor_parse(const char *anchor, struct audit_head *ret) _warn_unused_;

struct audit_report {
	unsigned segments;
	uint64_t lines;
	struct audit_head begin; /* before the first line that is left; n 0: nothing was removed */
	struct audit_head head;
};

/* Checks every line of every segment below dir_fd, and that an entry of the trail itself says so where it does
 * not begin with line 1. *ret is filled as far as the chain holds, on
 * failure too. Returns 0; -EBADMSG "verify audit: FILE:LINE: cause" for the first break; other
 * -errno when a file cannot be read. */
int audit_verify(int dir_fd, struct audit_report *ret, struct err *reterr) _warn_unused_;

/* Compares where the trail stands with an anchor that was kept elsewhere, "N HASH" (the journal's field
 * AIOPS_AUDIT_HEAD): what verifying the trail alone cannot show. Returns 1 if they are the same; 0 if the
 * trail goes on behind the anchor; -EBADMSG if it ends before it, is another one, or anchor is none. */
int audit_compare_anchor(const struct audit_head *head, const char *anchor,
			 struct err *reterr) _warn_unused_;

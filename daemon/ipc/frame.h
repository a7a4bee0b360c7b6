/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/message.h"

/* Frames between our processes, over AF_UNIX SOCK_SEQPACKET: one struct frame per message, same
 * host, same build. A receiver checks everything: magic, version, type, exact size, enum ranges,
 * terminated strings (frame_check). A bad frame is counted and closes the connection. */

#define FRAME_MAGIC   0x61696f70u /* "aiop" */
#define FRAME_VERSION 1

enum frame_type {
	FRAME_HELLO,        /* both ways, first frame */
	FRAME_SAMPLE,       /* gateway -> agent: struct sample */
	FRAME_RECORD,       /* agent, executor -> recorder: struct record */
	FRAME_ROLLUP,       /* agent -> recorder: struct rollups */
	FRAME_INSPECT,      /* agent -> recorder, gateway: struct inspect */
	FRAME_EVIDENCE,     /* back: struct inspect_item */
	FRAME_INSPECT_DONE, /* back: struct inspect_done */
	FRAME_PROPOSE,      /* agent -> executor: struct proposal */
	FRAME_REVERT,       /* agent -> executor: struct revert_request */
	FRAME_QUERY,        /* agent -> executor: struct attempt_query; answered by FRAME_ATTEMPT */
	FRAME_ATTEMPT,      /* executor -> agent: struct attempt_update */
	FRAME_AUDIT,        /* executor -> recorder: struct audit_entry */
	FRAME_AUDIT_ACK,    /* recorder -> executor: struct audit_ack, after fsync */
	FRAME_BYE,          /* the sender goes away in order: reconnect later */
	_FRAME_TYPE_MAX,
};
LOOKUP_DECLARE(frame_type, enum frame_type);

struct frame {
	uint32_t magic;
	uint16_t version;
	uint16_t type; /* enum frame_type */
	uint32_t size; /* of the whole frame: head plus this type's body */
	uint32_t reserved;
	union {
		struct hello hello;
		struct sample sample;
		struct record record;
		struct rollups rollups;
		struct inspect inspect;
		struct inspect_item inspect_item;
		struct inspect_done inspect_done;
		struct proposal proposal;
		struct revert_request revert;
		struct attempt_query query;
		struct attempt_update attempt;
		struct audit_entry audit;
		struct audit_ack audit_ack;
	};
};

#define FRAME_HEAD_SIZE offsetof(struct frame, hello)

/* Zeroes the frame and fills the head for this type. */
void frame_init(struct frame *f, enum frame_type type);

/* Checks size bytes that came from a peer. Returns 0; -EBADMSG naming the field. */
int frame_check(const struct frame *f, size_t size, struct err *reterr) _warn_unused_;

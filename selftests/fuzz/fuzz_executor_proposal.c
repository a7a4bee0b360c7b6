/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: daemon/executor.a selftests/unit/brokerworld.o */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "ipc/frame.h"
#include "selftests/unit/brokerworld.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Frames as a taken-over agent would send them: whatever passes frame_check() meets the broker, and
 * the world of the unit tests checks what must never be. Each input is a row of frames, the bytes of each laid
 * over one that is well-formed. */

static void lay_over(struct frame *f, const uint8_t *data, size_t size)
{
	uint8_t *body = (uint8_t *)f + FRAME_HEAD_SIZE;
	size_t body_size = f->size - FRAME_HEAD_SIZE;

	/* (position, byte) pairs: a few changed bytes reach further than a torn struct. */
	for (size_t i = 0; i + 2 < size; i += 3)
		body[(size_t)(data[i] << 8 | data[i + 1]) % body_size] = data[i + 2];
}

static void send_frame(struct world *w, const struct frame *f)
{
	if (frame_check(f, f->size, NULL) < 0)
		return;
	if (f->type == FRAME_PROPOSE) {
		/* A policy of auto is the policy's word; the evidence gate is the broker's own. */
		world_find(w, f->proposal.key)->allowed =
			f->proposal.n_sources >= 2 && f->proposal.n_trusted >= 1 &&
			f->proposal.plan.autonomy == AUTONOMY_AUTO &&
			str_equal(f->proposal.plan.step.action, "unit.start");
		(void)broker_propose(&w->broker, &f->proposal, NULL);
	} else if (broker_revert(&w->broker, f->revert.key, "agent", f->revert.reason, NULL) < 0) {
		return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world w;

	world_begin(&w, 1);
	for (unsigned n = 0; size > 4 && n < 16; n++) {
		size_t piece = size - 1 < data[0] ? size - 1 : data[0];
		struct frame f;

		frame_init(&f, data[0] % 4 ? FRAME_PROPOSE : FRAME_REVERT);
		if (f.type == FRAME_PROPOSE)
			f.proposal = world_proposal(&w, data[0] % 2 ? "unit.start" : "unit.restart",
						    data[0] % 3 ? "a.service" : "b.service");
		else
			(void)world_new_key(&w, f.revert.key);
		lay_over(&f, data + 1, piece);
		send_frame(&w, &f);
		world_wait(&w, (uint64_t)data[0] * NS_PER_S);
		broker_tick(&w.broker);
		data += piece + 1;
		size -= piece + 1;
	}
	world_end(&w);
	return 0;
}

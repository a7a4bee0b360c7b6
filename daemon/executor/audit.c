/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "executor/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define SEQ_FILE     "seq"
#define SEQ_DIGITS   20
#define SEQ_NAME_MAX (SEQ_DIGITS + 1)

struct audit_file {
	struct sealed_head head;
	struct audit_entry entry;
};

/* The number of the last entry, for when all of them are acknowledged and gone. */
struct seq_file {
	struct sealed_head head;
	uint64_t last_seq;
};

static const char *format_seq(uint64_t seq, char buf[static SEQ_NAME_MAX])
{
	buf[0] = '\0';
	str_append(buf, SEQ_NAME_MAX, "%020" PRIu64, seq);
	return buf;
}

static int compare_seqs(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The recorder knows entries again by boot and number: none is to come twice. */
static uint64_t read_last_seq(const struct store *store)
{
	struct seq_file file;
	int r = sealed_read(store->audit_fd, SEQ_FILE, &file, sizeof(file), STEP_KIND_AUDIT_SEQ,
			    STEP_VERSION, NULL);

	return r == 0 ? file.last_seq : r == -ENOENT ? 0 : clock_wall_us();
}

static int keep_last_seq(const struct audit_queue *q, struct err *reterr)
{
	struct seq_file file;

	memset(&file, 0, sizeof(file));
	file.last_seq = q->last_seq;
	return sealed_write(q->store->audit_fd, SEQ_FILE, &file, sizeof(file), STEP_KIND_AUDIT_SEQ,
			    STEP_VERSION, reterr);
}

void audit_queue_init(struct audit_queue *q, const struct store *store)
{
	_cleanup_closedir_ DIR *dir = NULL;
	int fd = openat(store->audit_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*q = (struct audit_queue){ .store = store, .last_seq = read_last_seq(store) };
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir && fd >= 0)
		(void)close(fd);
	for (const struct dirent *e; dir && q->n < ELEMENTSOF(q->seqs) && (e = readdir(dir));) {
		uint64_t seq = 0;

		if (strlen(e->d_name) == SEQ_DIGITS && str_parse_u64(e->d_name, &seq) == 0)
			q->seqs[q->n++] = seq;
	}
	qsort(q->seqs, q->n, sizeof(q->seqs[0]), compare_seqs);
	if (q->n > 0 && q->seqs[q->n - 1] > q->last_seq)
		q->last_seq = q->seqs[q->n - 1];
}

int audit_queue_add(struct audit_queue *q, struct audit_entry *entry, struct err *reterr)
{
	struct audit_file file;
	char name[SEQ_NAME_MAX];
	int r;

	if (q->n == AUDIT_ENTRIES_MAX) {
		q->dropped++;
		return err_set(reterr, -ENOSPC, "keep audit entry: %d are waiting already",
			       AUDIT_ENTRIES_MAX);
	}
	entry->seq = ++q->last_seq;
	memset(&file, 0, sizeof(file));
	file.entry = *entry;
	r = keep_last_seq(q, reterr);
	if (r == 0)
		r = sealed_write(q->store->audit_fd, format_seq(entry->seq, name), &file,
				 sizeof(file), STEP_KIND_AUDIT, STEP_VERSION, reterr);
	if (r < 0) {
		q->dropped++;
		return r;
	}
	q->seqs[q->n++] = entry->seq;
	return 0;
}

static void forget(struct audit_queue *q, size_t i)
{
	char name[SEQ_NAME_MAX];

	(void)unlinkat(q->store->audit_fd, format_seq(q->seqs[i], name), 0);
	memmove(&q->seqs[i], &q->seqs[i + 1], (q->n - i - 1) * sizeof(q->seqs[0]));
	q->n--;
	if (i < q->n_sent)
		q->n_sent--;
}

/* Returns 1 if sent; 0 if there is nothing to send of it (it cannot be read, and is counted); -errno. */
static int send_one(struct audit_queue *q, size_t i, struct peer *recorder)
{
	struct audit_file file;
	char name[SEQ_NAME_MAX];
	struct frame f;
	int r;

	if (sealed_read(q->store->audit_fd, format_seq(q->seqs[i], name), &file, sizeof(file),
			STEP_KIND_AUDIT, STEP_VERSION, NULL) < 0) {
		q->dropped++;
		forget(q, i);
		return 0;
	}
	frame_init(&f, FRAME_AUDIT);
	f.audit = file.entry;
	r = peer_send(recorder, &f);
	return r < 0 ? r : 1;
}

void audit_queue_send(struct audit_queue *q, struct peer *recorder)
{
	while (recorder && peer_is_up(recorder) && q->n_sent < q->n &&
	       q->n_sent < AUDIT_IN_FLIGHT) {
		int r = send_one(q, q->n_sent, recorder);

		if (r < 0)
			return;
		if (r > 0)
			q->n_sent++;
	}
}

void audit_queue_restart(struct audit_queue *q)
{
	q->n_sent = 0;
}

void audit_queue_ack(struct audit_queue *q, uint64_t seq)
{
	for (size_t i = 0; i < q->n; i++)
		if (q->seqs[i] == seq) {
			forget(q, i);
			return;
		}
}

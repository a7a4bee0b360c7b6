/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/paths.h"
#include "step/step.h"

/* What steps did since boot (PATH_UNDO_DIR is on a tmpfs), kept where only root writes. The executor keeps the budgets that
 * count; these are for the day on which it is not the executor that starts steps. */

#define LEDGER_FILE      "ledger"
#define LEDGER_VERSION   1
#define LEDGER_MAX       2048 /* keys; twice the most that may be done within an hour, and then some */
#define LEDGER_WINDOW_NS (3600 * NS_PER_S)
/* Times the policy's per_host_per_hour (600 at most). The executor counts when it asks, we when a step comes to it,
 * so that its hour and ours are never quite the same: an honest one must not be stopped here. */
#define LEDGER_FACTOR      2
#define LEDGER_LOCK_MAX_NS (5 * NS_PER_S) /* each holder needs a millisecond */

struct ledger_entry {
	char key[STR_HEX128_MAX];
	uint64_t t_ns; /* CLOCK_BOOTTIME */
};

struct ledger {
	struct sealed_head head;
	uint32_t n;
	struct ledger_entry v[LEDGER_MAX]; /* oldest first */
};

static int read_ledger(const struct step *s, struct ledger *l, struct err *reterr)
{
	int r = sealed_read(s->undo_fd, LEDGER_FILE, l, sizeof(*l), STEP_KIND_LEDGER,
			    LEDGER_VERSION, reterr);

	if (r == -ENOENT) {
		memset(l, 0, sizeof(*l));
		return 0;
	}
	if (r == 0 && l->n > LEDGER_MAX)
		return err_set(reterr, -EBADMSG, "read '%s': it has too many entries", LEDGER_FILE);
	return r;
}

static bool knows(const struct ledger *l, const char *key)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (str_equal(l->v[i].key, key))
			return true;
	return false;
}

static uint32_t count_hour(const struct ledger *l, uint64_t now_ns)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->n; i++)
		n += l->v[i].t_ns + LEDGER_WINDOW_NS > now_ns;
	return n;
}

static void add(struct ledger *l, const char *key, uint64_t now_ns)
{
	struct ledger_entry *e;

	if (l->n == LEDGER_MAX) {
		memmove(l->v, l->v + 1, (LEDGER_MAX - 1) * sizeof(l->v[0]));
		l->n--;
	}
	e = &l->v[l->n++];
	e->t_ns = now_ns;
	(void)str_copy(e->key, sizeof(e->key), key);
}

/* Several steps may run at once. Returns a descriptor that holds the lock; -errno. */
static int lock(const struct step *s, struct err *reterr)
{
	_cleanup_close_ int fd = openat(s->undo_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t end_ns = clock_boot_ns() + LEDGER_LOCK_MAX_NS;

	while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK || clock_boot_ns() >= end_ns)
			return err_set(reterr, -errno, "lock '%s': %s", PATH_UNDO_DIR,
				       strerror(errno));
		clock_sleep_ns(NS_PER_MS);
	}
	return fd < 0 ? err_set(reterr, -errno, "open '%s': %s", PATH_UNDO_DIR, strerror(errno)) :
			TAKE_FD(fd);
}

static int spend(const struct step *s, struct ledger *l, struct err *reterr)
{
	uint32_t max = s->per_host_per_hour * LEDGER_FACTOR;
	uint64_t now_ns = clock_boot_ns();
	int r = read_ledger(s, l, reterr);

	if (r < 0)
		return r;
	if (knows(l, s->key))
		return err_set(reterr, -EEXIST, "take key '%s': it was used before", s->key);
	if (count_hour(l, now_ns) >= max)
		return err_set(reterr, -EDQUOT,
			       "take key '%s': %u actions within an hour, twice what the policy "
			       "gives this host: no more, whoever asks",
			       s->key, max);
	add(l, s->key, now_ns);
	return sealed_write(s->undo_fd, LEDGER_FILE, l, sizeof(*l), STEP_KIND_LEDGER,
			    LEDGER_VERSION, reterr);
}

int ledger_spend(const struct step *s, struct err *reterr)
{
	_cleanup_close_ int lock_fd = lock(s, reterr);
	_cleanup_free_ struct ledger *l = NULL;

	if (lock_fd < 0)
		return lock_fd;
	l = calloc(1, sizeof(*l));
	return l ? spend(s, l, reterr) :
		   err_set(reterr, -ENOMEM, "take key '%s': %s", s->key, strerror(ENOMEM));
}

/* Unlocked: another key's entry does not matter, and the file is replaced as a whole. */
int ledger_knows(const struct step *s, struct err *reterr)
{
	_cleanup_free_ struct ledger *l = calloc(1, sizeof(*l));
	struct stat st = { 0 };
	int r;

	if (fstatat(s->undo_fd, s->key, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	r = l ? read_ledger(s, l, reterr) :
		err_set(reterr, -ENOMEM, "take key '%s': %s", s->key, strerror(ENOMEM));
	return r < 0 ? r : knows(l, s->key);
}

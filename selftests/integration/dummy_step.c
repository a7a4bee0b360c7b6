/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: daemon/step.o */
/* The step with actions that only count what is done, for the kill sweep. What dummy.count does can be
 * seen and undone; what dummy.mark does can be neither, as a signal; dummy.lease is dummy.count for a time.
 * systemd's timers are files in the working directory. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ops/action.h"
#include "sys/expiry.h"

static const struct param_spec params[] = {
	{ .name = "unit", .type = PARAM_TYPE_UNIT, .help = "any" },
	{ .name = NULL },
};

/* Every apply() leaves one line in ROOT/effects that nothing ever takes away: a second one is seen
 * whatever else happens. Every revert() that changes something leaves one in ROOT/reverts. */
static int line_add(const struct action_context *c, const char *file, struct err *reterr)
{
	_cleanup_close_ int fd = openat(c->root_fd, file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC,
					0644);
	char line[64] = "";

	str_append(line, sizeof(line), "%s\n", c->key);
	if (fd < 0 || write(fd, line, strlen(line)) != (ssize_t)strlen(line) || fsync(fd) < 0)
		return err_set(reterr, -errno, "write line: %s", strerror(errno));
	return 0;
}

static int read_counter(const struct action_context *c, uint64_t *ret, struct err *reterr)
{
	char text[32] = "";
	ssize_t n = fd_read_file(c->root_fd, "counter", text, sizeof(text));

	*ret = 0;
	if (n == -ENOENT)
		return 0;
	return n < 0 || str_parse_u64(text, ret) < 0 ?
		       err_set(reterr, n < 0 ? (int)n : -EBADMSG, "read counter: bad") :
		       0;
}

static int write_counter(const struct action_context *c, uint64_t value, struct err *reterr)
{
	char text[32] = "";

	str_append(text, sizeof(text), "%llu", (unsigned long long)value);
	return fd_write_atomic(c->root_fd, "counter", text, strlen(text), 0644, true, reterr);
}

static int count_check(const struct action_context *c, struct err *reterr)
{
	uint64_t value = 0;

	return read_counter(c, &value, reterr);
}

static int count_snapshot(const struct action_context *c, void *undo, struct err *reterr)
{
	uint64_t before = 0;
	int r = read_counter(c, &before, reterr);

	memcpy(undo, &before, sizeof(before));
	return r < 0 ? r : (int)sizeof(before);
}

static int count_apply(const struct action_context *c, struct err *reterr)
{
	uint64_t before;
	int r;

	if (c->dry_run)
		return 0;
	memcpy(&before, c->undo, sizeof(before));
	r = line_add(c, "effects", reterr);
	return r < 0 ? r : write_counter(c, before + 1, reterr);
}

static int count_verify(const struct action_context *c, struct err *reterr)
{
	uint64_t before, now = 0;
	int r = read_counter(c, &now, reterr);

	memcpy(&before, c->undo, sizeof(before));
	if (r == 0 && now != before + 1)
		r = err_set(reterr, -EIO, "verify counter: it did not move");
	return r;
}

static int count_revert(const struct action_context *c, const void *undo, size_t undo_size,
			struct err *reterr)
{
	uint64_t before, now = 0;
	int r = read_counter(c, &now, reterr);

	if (r < 0 || undo_size != sizeof(before))
		return r < 0 ? r : err_set(reterr, -EBADMSG, "undo counter: bad undo record");
	memcpy(&before, undo, sizeof(before));
	if (now == before)
		return 0;
	if (now != before + 1)
		return err_set(reterr, -ECANCELED, "undo counter: changed since, left alone");
	r = line_add(c, "reverts", reterr);
	return r < 0 ? r : write_counter(c, before, reterr);
}

static const struct param_spec timed_params[] = {
	{ .name = "unit", .type = PARAM_TYPE_UNIT, .help = "any" },
	{ .name = PARAM_DURATION,
	  .type = PARAM_TYPE_SPAN,
	  .min = (int64_t)NS_PER_S,
	  .max = INT64_C(60) * NS_PER_S,
	  .help = "how long" },
	{ .name = NULL },
};

int expiry_arm(void *bus, const char *service, uint64_t span_ns, struct err *reterr)
{
	(void)bus;
	(void)span_ns;
	return fd_write_exclusive(AT_FDCWD, service, "", 0, 0644, reterr);
}

void expiry_disarm(void *bus, const char *service)
{
	(void)bus;
	(void)unlink(service);
}

static const struct action_ops action_dummy_count = {
	.name = "dummy.count",
	.summary = "count up",
	.source = "this file",
	.params = params,
	.target = "unit",
	.risk = RISK_REVERSIBLE,
	.undo = "counts down again",
	.idempotent = false,
	.timeout_ms = 10000,
	.check = count_check,
	.snapshot = count_snapshot,
	.apply = count_apply,
	.verify = count_verify,
	.revert = count_revert,
};

static const struct action_ops action_dummy_lease = {
	.name = "dummy.lease",
	.summary = "count up for a time",
	.source = "this file",
	.params = timed_params,
	.target = "unit",
	.risk = RISK_REVERSIBLE,
	.undo = "counts down again",
	.idempotent = false,
	.timeout_ms = 10000,
	.check = count_check,
	.snapshot = count_snapshot,
	.apply = count_apply,
	.verify = count_verify,
	.revert = count_revert,
};

static int mark_check(const struct action_context *c, struct err *reterr)
{
	(void)c;
	(void)reterr;
	return 0;
}

static int mark_apply(const struct action_context *c, struct err *reterr)
{
	return c->dry_run ? 0 : line_add(c, "effects", reterr);
}

static int mark_verify(const struct action_context *c, struct err *reterr)
{
	(void)c;
	return err_set(reterr, -EINPROGRESS, "verify mark: it cannot be seen");
}

static const struct action_ops action_dummy_mark = {
	.name = "dummy.mark",
	.summary = "leave a mark",
	.source = "this file",
	.params = params,
	.target = "unit",
	.risk = RISK_DISRUPTIVE,
	.idempotent = false,
	.timeout_ms = 10000,
	.check = mark_check,
	.apply = mark_apply,
	.verify = mark_verify,
};

const struct action_ops *const action_registry[] = { &action_dummy_count, &action_dummy_lease,
						     &action_dummy_mark, NULL };

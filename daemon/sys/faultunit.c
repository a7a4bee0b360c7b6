/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/faultunit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/paths.h"
#include "sys/unitctl.h"

#define UNIT_NAME_MAX  64
#define KEY_FRONT_MIN  4
#define START_MAX_NS   (20 * NS_PER_S)
#define STOP_MAX_NS    (60 * NS_PER_S)
#define STATUS_POLL_MS 20

int fault_unit_open_dir(struct err *reterr)
{
	return fd_open_dir(AT_FDCWD, PATH_FAULTS_DIR, reterr);
}

static const char *unit_name(const char *key, char buf[static UNIT_NAME_MAX])
{
	buf[0] = '\0';
	str_append(buf, UNIT_NAME_MAX, "aiops-fault@%s.service", key);
	return buf;
}

/* Returns 1 if read, 0 if there is none, -EBADMSG. */
static int read_file(int faults_fd, const char *name, struct fault_status *ret, struct err *reterr)
{
	char text[FAULT_FILE_MAX] = "";
	ssize_t n = fd_read_file(faults_fd, name, text, sizeof(text));
	int r;

	if (n == -ENOENT)
		return 0;
	r = n < 0 ? (int)n : fault_status_from_text(text, (size_t)n, ret, reterr);
	return r < 0 ? err_wrap(reterr, r, "read '%s'", name) : 1;
}

/* The status turns into the result in between: look at it again then. */
static int read_key(int faults_fd, const char *key, struct fault_status *ret, struct err *reterr)
{
	static const char *const suffixes[] = { ".status", ".result", ".status" };
	char name[FAULT_FILE_NAME_MAX] = "";
	int r = 0;

	for (size_t i = 0; r == 0 && i < ELEMENTSOF(suffixes); i++)
		r = read_file(faults_fd, fault_file_name(key, suffixes[i], name), ret, reterr);
	return r;
}

static int compare_times(const void *a, const void *b)
{
	uint64_t ta = 0, tb = 0;

	for (int i = 0; i < _FAULT_STATE_MAX; i++) {
		uint64_t va = ((const struct fault_status *)a)->reached_us[i];
		uint64_t vb = ((const struct fault_status *)b)->reached_us[i];

		ta = va > ta ? va : ta;
		tb = vb > tb ? vb : tb;
	}
	return ta < tb ? 1 : ta > tb ? -1 : 0;
}

ssize_t fault_unit_list(int faults_fd, bool with_results, struct fault_status *ret, size_t max,
			struct err *reterr)
{
	int fd = openat(faults_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	size_t n = 0;

	if (!dir)
		return err_set(reterr, -errno, "list faults: %s", strerror(errno));
	for (struct dirent *e; n < max && (e = readdir(dir));) {
		const char *dot = strchr(e->d_name, '.');

		if (str_equal(dot, ".status") || (with_results && str_equal(dot, ".result")))
			n += read_file(faults_fd, e->d_name, &ret[n], NULL) > 0;
	}
	qsort(ret, n, sizeof(*ret), compare_times);
	return (ssize_t)n;
}

/* The one key that begins so. */
static int resolve(int faults_fd, const char *front, char ret_key[static STR_HEX128_MAX],
		   struct err *reterr)
{
	_cleanup_free_ struct fault_status *list = calloc(FAULT_UNIT_LIST_MAX, sizeof(*list));
	const struct fault_status *found = NULL;
	ssize_t n = list ? fault_unit_list(faults_fd, true, list, FAULT_UNIT_LIST_MAX, reterr) :
			   err_set(reterr, -ENOMEM, "list faults: Out of memory");

	if (n < 0)
		return (int)n;
	if (strlen(front) < KEY_FRONT_MIN)
		return err_set(reterr, -ENOTUNIQ, "fault '%s': give at least %d characters", front,
			       KEY_FRONT_MIN);
	for (ssize_t i = 0; i < n; i++) {
		if (strncmp(list[i].key, front, strlen(front)) != 0)
			continue;
		if (found && !str_equal(found->key, list[i].key))
			return err_set(reterr, -ENOTUNIQ, "fault '%s': more than one begins so",
				       front);
		found = &list[i];
	}
	if (!found)
		return err_set(reterr, -ENOENT, "fault '%s': there is none", front);
	return str_copy(ret_key, STR_HEX128_MAX, found->key);
}

int fault_unit_read(int faults_fd, const char *key, struct fault_status *ret, struct err *reterr)
{
	char whole[STR_HEX128_MAX] = "";
	int r = resolve(faults_fd, key, whole, reterr);

	if (r == 0)
		r = read_key(faults_fd, whole, ret, reterr);
	return r == 0 ? err_set(reterr, -ENOENT, "fault '%s': there is none", key) : r < 0 ? r : 0;
}

static int write_record(int faults_fd, const struct fault_request *q, const char *key,
			struct err *reterr)
{
	struct fault_record record = {
		.duration_ns = q->duration_ns,
		.requested_us = clock_wall_us(),
		.params = *q->params,
	};
	int r;

	(void)str_copy(record.key, sizeof(record.key), key);
	(void)str_copy(record.requester, sizeof(record.requester), q->requester ?: "");
	if (str_copy(record.fault, sizeof(record.fault), q->fault) < 0)
		return err_set(reterr, -EINVAL, "there is no fault '%.32s...'", q->fault);
	r = fault_record_check(&record, key, reterr);
	if (r < 0)
		return r;
	r = sealed_close(&record, sizeof(record), FAULT_KIND_RECORD, FAULT_VERSION);
	if (r < 0)
		return err_set(reterr, r, "seal record: %s", strerror(-r));
	return fd_write_exclusive(faults_fd, key, &record, sizeof(record), 0600, reterr);
}

/* Until it is injected or over. */
static int wait_injected(int faults_fd, const char *key, uint64_t deadline_ns,
			 struct fault_status *ret, struct err *reterr)
{
	for (;;) {
		struct err err = { 0 };
		int r = read_key(faults_fd, key, ret, &err);

		if (r < 0)
			return err_set(reterr, r, "%s", err_text(&err));
		if (r > 0 && ret->state >= FAULT_STATE_INJECTED)
			return 0;
		if (clock_boot_ns() >= deadline_ns)
			return err_set(reterr, -ETIMEDOUT, "inject fault '%s': nothing came of it",
				       key);
		(void)poll(NULL, 0, STATUS_POLL_MS);
	}
}

static int start_unit(void *bus, int faults_fd, const char *key, struct fault_status *ret,
		      struct err *reterr)
{
	uint64_t deadline_ns = clock_boot_ns() + START_MAX_NS;
	char unit[UNIT_NAME_MAX] = "";
	struct err job_err = { 0 };
	int r = unitctl_run_job(bus, "StartUnit", unit_name(key, unit), deadline_ns, &job_err);

	/* The job failed: the runner refused, and says why in its own words. */
	if (r < 0 && r != -EIO && r != -EINPROGRESS)
		return err_set(reterr, r, "%s", err_text(&job_err));
	r = wait_injected(faults_fd, key, deadline_ns, ret, reterr);
	if (r == -ETIMEDOUT && job_err.code < 0)
		return err_set(reterr, job_err.code, "%s", err_text(&job_err));
	return r;
}

int fault_unit_inject(void *bus, int faults_fd, const struct fault_request *request,
		      struct fault_status *ret, struct err *reterr)
{
	char key[STR_HEX128_MAX] = "";
	struct fault_status status = { 0 };
	int r = request->key ? str_copy(key, sizeof(key), request->key) : str_random_hex128(key);

	if (r < 0 || !str_is_hex128(key))
		return err_set(reterr, r < 0 ? r : -EINVAL,
			       "inject fault: a key is 32 hexadecimal "
			       "digits");
	if (read_key(faults_fd, key, ret, NULL) > 0)
		return 0;
	r = write_record(faults_fd, request, key, reterr);
	if (r < 0 && r != -EEXIST) /* whoever asked first may have died before it was started */
		return r;
	r = start_unit(bus, faults_fd, key, &status, reterr);
	if (r < 0) {
		(void)unlinkat(faults_fd, key, 0);
		return r;
	}
	if (status.state == FAULT_STATE_REFUSED || status.state == FAULT_STATE_FAILED)
		return err_set(reterr, status.error < 0 ? status.error : -EIO, "%s", status.text);
	*ret = status;
	return 0;
}

/* A stopped unit is started once more: a key that ran before is not injected but ended. */
static int end_unit(void *bus, const char *key, struct err *reterr)
{
	char unit[UNIT_NAME_MAX] = "";
	struct unit_facts facts = { 0 };
	uint64_t deadline_ns = clock_boot_ns() + STOP_MAX_NS;
	bool is_running;
	int r = unitctl_read(bus, unit_name(key, unit), &facts, reterr);

	if (r < 0)
		return r;
	is_running = !str_equal(facts.active_state, "inactive") &&
		     !str_equal(facts.active_state, "failed");
	r = is_running ? 0 : unitctl_run_job(bus, "StartUnit", unit, deadline_ns, reterr);
	if (r == 0)
		r = unitctl_stop_ours(bus, unit, deadline_ns, reterr);
	return r == -EIO ? 0 : r;
}

int fault_unit_recover(void *bus, int faults_fd, const char *key, struct fault_status *ret,
		       struct err *reterr)
{
	char whole[STR_HEX128_MAX] = "";
	struct fault_status status = { 0 };
	int r = resolve(faults_fd, key, whole, reterr);
	bool had_ended;

	if (r == 0)
		r = read_key(faults_fd, whole, &status, reterr);
	if (r < 0)
		return r;
	had_ended = fault_state_is_final(status.state) && status.state != FAULT_STATE_STUCK;
	if (!had_ended) {
		r = end_unit(bus, whole, reterr);
		if (r == 0)
			r = read_key(faults_fd, whole, &status, reterr);
		if (r < 0)
			return r;
	}
	if (!fault_state_is_final(status.state) || status.state == FAULT_STATE_STUCK)
		return err_set(reterr, -EBUSY, "end fault '%.8s': %s", whole,
			       status.text[0] ? status.text : "it still runs");
	*ret = status;
	return !had_ended;
}

int fault_unit_recover_all(void *bus, int faults_fd, struct err *reterr)
{
	_cleanup_free_ struct fault_status *list = calloc(FAULT_UNIT_LIST_MAX, sizeof(*list));
	ssize_t n = list ? fault_unit_list(faults_fd, false, list, FAULT_UNIT_LIST_MAX, reterr) :
			   err_set(reterr, -ENOMEM, "list faults: Out of memory");
	int first = 0, ended = 0;

	if (n < 0)
		return (int)n;
	for (ssize_t i = 0; i < n; i++) {
		struct err err = { 0 };
		int r = fault_unit_recover(bus, faults_fd, list[i].key, &list[i], &err);

		if (r < 0 && first == 0)
			first = err_set(reterr, r, "%s", err_text(&err));
		ended += r > 0;
	}
	return first < 0 ? first : ended;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "fault/fault.h"

#define RESULTS_MAX 32 /* files; older ones are forgotten */

static int read_sealed(const struct fault *f, const char *suffix, void *ret, size_t size,
		       struct err *reterr)
{
	char name[FAULT_FILE_NAME_MAX] = "";
	enum fault_kind kind = suffix[0] ? FAULT_KIND_UNDO : FAULT_KIND_RECORD;
	int r = sealed_read(f->dir_fd, fault_file_name(f->key, suffix, name), ret, size,
			    (uint16_t)kind, FAULT_VERSION, reterr);

	if (r == -ENOENT)
		return 0;
	return r < 0 ? err_wrap(reterr, r, "read '%s'", name) : 1;
}

int fault_read_record(struct fault *f, struct err *reterr)
{
	int r = read_sealed(f, "", &f->record, sizeof(f->record), reterr);

	if (r > 0 && fault_record_check(&f->record, f->key, reterr) < 0)
		r = err_wrap(reterr, -EBADMSG, "read '%s'", f->key);
	return r;
}

int fault_read_undo(struct fault *f, struct err *reterr)
{
	int r = read_sealed(f, ".undo", &f->undo, sizeof(f->undo), reterr);

	if (r > 0 && fault_undo_check(&f->undo, f->key, reterr) < 0)
		r = err_wrap(reterr, -EBADMSG, "read '%s.undo'", f->key);
	return r;
}

int fault_read_status(struct fault *f, struct err *reterr)
{
	char name[FAULT_FILE_NAME_MAX] = "", text[FAULT_FILE_MAX] = "";
	ssize_t n = fd_read_file(f->dir_fd, fault_file_name(f->key, ".status", name), text,
				 sizeof(text));
	int r;

	if (n == -ENOENT)
		return 0;
	r = n < 0 ? (int)n : fault_status_from_text(text, (size_t)n, &f->status, reterr);
	return r < 0 ? err_wrap(reterr, r, "read '%s'", name) : 1;
}

bool fault_has_file(const struct fault *f, const char *suffix)
{
	char name[FAULT_FILE_NAME_MAX] = "";
	struct stat st;

	return fstatat(f->dir_fd, fault_file_name(f->key, suffix, name), &st,
		       AT_SYMLINK_NOFOLLOW) == 0;
}

void fault_remove_file(const struct fault *f, const char *suffix)
{
	char name[FAULT_FILE_NAME_MAX] = "";

	(void)unlinkat(f->dir_fd, fault_file_name(f->key, suffix, name), 0);
}

int fault_write_undo(const struct fault_context *c, const void *state, size_t size,
		     struct err *reterr)
{
	struct fault *f = (struct fault *)((char *)(uintptr_t)c - offsetof(struct fault, context));
	char name[FAULT_FILE_NAME_MAX] = "";

	if (size > sizeof(f->undo.state))
		return err_set(reterr, -E2BIG, "record undo state: %zu bytes, at most %zu", size,
			       sizeof(f->undo.state));
	f->undo = (struct fault_undo){ .state_size = (uint32_t)size };
	(void)str_copy(f->undo.key, sizeof(f->undo.key), f->key);
	(void)str_copy(f->undo.fault, sizeof(f->undo.fault), f->ops->name);
	memcpy(f->undo.state, state, size);
	return sealed_write(f->dir_fd, fault_file_name(f->key, ".undo", name), &f->undo,
			    sizeof(f->undo), FAULT_KIND_UNDO, FAULT_VERSION, reterr);
}

static int write_status(const struct fault *f, struct err *reterr)
{
	_cleanup_json_ struct json_object *o = NULL;
	char name[FAULT_FILE_NAME_MAX] = "";
	const char *text;
	int r = fault_status_to_json(&f->status, &o);

	if (r < 0)
		return err_set(reterr, r, "write status: %s", strerror(-r));
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	return fd_write_atomic(f->dir_fd, fault_file_name(f->key, ".status", name), text,
			       strlen(text), 0644, false, reterr);
}

/* Nothing here names the unit in a field: a log reader that looks for the unit's messages must not
 * find the answer in ours. */
static void log_state(const struct fault *f)
{
	const struct fault_status *s = &f->status;
	const struct log_field fields[] = { { "AIOPS_FAULT", s->fault },
					    { "AIOPS_KEY", f->key },
					    { "AIOPS_STATE", fault_state_to_string(s->state) } };
	bool is_news = s->state >= FAULT_STATE_REFUSED || s->state == FAULT_STATE_OBSERVED;
	bool is_bad = s->state == FAULT_STATE_STUCK || s->state == FAULT_STATE_FAILED;
	char message[1024] = "";

	str_append(message, sizeof(message), "fault %.8s %s: %s%s%s", f->key,
		   s->fault[0] ? s->fault : "of no name", fault_state_to_string(s->state),
		   is_news ? ": " : "", is_news ? s->text : "");
	log_fields(is_bad ? LOG_ERR : LOG_NOTICE, message, fields, ELEMENTSOF(fields));
}

void fault_enter(struct fault *f, enum fault_state state)
{
	struct err err = { 0 };

	fault_status_enter(&f->status, state, clock_wall_us());
	log_state(f);
	if (write_status(f, &err) < 0)
		log_line(LOG_WARNING, "%s, ignoring", err_text(&err));
}

/* The oldest result beyond RESULTS_MAX. Returns 1; 0; -errno. */
static int find_surplus(int dir_fd, char ret_name[static FAULT_FILE_NAME_MAX])
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct timespec oldest = { 0 };
	unsigned n = 0;

	for (struct dirent *e; dir && (e = readdir(dir));) {
		const char *dot = strchr(e->d_name, '.');
		struct stat st;

		if (!str_equal(dot, ".result") ||
		    fstatat(dir_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (n++ > 0 &&
		    (st.st_mtim.tv_sec > oldest.tv_sec ||
		     (st.st_mtim.tv_sec == oldest.tv_sec && st.st_mtim.tv_nsec >= oldest.tv_nsec)))
			continue;
		oldest = st.st_mtim;
		if (str_copy(ret_name, FAULT_FILE_NAME_MAX, e->d_name) < 0)
			return -ENAMETOOLONG;
	}
	return !dir ? -errno : n > RESULTS_MAX;
}

void fault_finish(struct fault *f)
{
	/* The record, and what a killed writer had not renamed yet. */
	static const char *const suffixes[] = { "", ".new", ".tmp", ".undo.tmp", ".status.tmp" };
	char from[FAULT_FILE_NAME_MAX] = "", to[FAULT_FILE_NAME_MAX] = "";

	for (size_t i = 0; i < ELEMENTSOF(suffixes); i++)
		fault_remove_file(f, suffixes[i]);
	if (f->status.state == FAULT_STATE_STUCK)
		return;
	(void)renameat(f->dir_fd, fault_file_name(f->key, ".status", from), f->dir_fd,
		       fault_file_name(f->key, ".result", to));
	while (find_surplus(f->dir_fd, from) > 0)
		if (unlinkat(f->dir_fd, from, 0) < 0)
			break;
}

int fault_find_other(const struct fault *f, char ret_key[static STR_HEX128_MAX], struct err *reterr)
{
	int fd = openat(f->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir)
		return err_set(reterr, -errno, "list faults: %s", strerror(errno));
	for (struct dirent *e; (e = readdir(dir));) {
		char key[STR_HEX128_MAX] = "";

		if (str_equal(strchr(e->d_name, '.'), ".undo") &&
		    str_copy(key, sizeof(key), e->d_name) < 0 && !str_equal(key, f->key))
			return str_copy(ret_key, STR_HEX128_MAX, key) < 0 ? -EINVAL : 1;
	}
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/audit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/sealed.h"

#define HASH_LENGTH (AUDIT_HASH_MAX - 1)

static const char hash_key[] = ",\"hash\":\"";
static const char line_end[] = "\"}";

/* Bytes of ,"hash":"64 digits"} at the end of every line. */
#define HASH_TAIL (sizeof(hash_key) - 1 + HASH_LENGTH + sizeof(line_end) - 1)

void audit_head_init(struct audit_head *head)
{
	head->n = 0;
	memset(head->hash, '0', HASH_LENGTH);
	head->hash[HASH_LENGTH] = '\0';
}

/* Returns 0; -ENOMEM. */
static int hash_line(const char *prev, const char *text, size_t length,
		     char ret[static AUDIT_HASH_MAX])
{
	char input[HASH_LENGTH + AUDIT_LINE_MAX];

	memcpy(input, prev, HASH_LENGTH);
	memcpy(input + HASH_LENGTH, text, length);
	return sha256_hex(input, HASH_LENGTH + length, ret);
}

static struct json_object *attempt_to_json(const struct attempt *a)
{
	struct json_object *o = json_object_new_object();
	char params[PARAMS_MAX * (PARAM_NAME_MAX + PARAM_TEXT_MAX)] = "";

	if (!o)
		return NULL;
	if (json_add_string(o, "key", a->key) < 0 || json_add_string(o, "action", a->action) < 0 ||
	    json_add_string(o, "params", params_format(&a->params, params, sizeof(params))) < 0 ||
	    json_add_string(o, "risk", risk_to_string(a->risk)) < 0 ||
	    json_add_string(o, "phase", attempt_phase_to_string(a->phase)) < 0 ||
	    json_add_bool(o, "dry_run", a->dry_run) < 0 || json_add_i64(o, "error", a->error) < 0 ||
	    json_add_string(o, "actor", a->actor) < 0 || json_add_string(o, "text", a->text) < 0) {
		(void)json_object_put(o);
		return NULL;
	}
	return o;
}

static int entry_to_json(const struct audit_entry *e, const struct audit_head *head,
			 struct json_object *o)
{
	struct json_object *attempt = attempt_to_json(&e->attempt);

	if (!attempt || json_add_u64(o, "n", head->n + 1) < 0 ||
	    json_add_time(o, "time", e->wall_us) < 0 ||
	    json_add_string(o, "boot_id", e->boot_id) < 0 || json_add_u64(o, "seq", e->seq) < 0 ||
	    json_add_u64(o, "boot_ns", e->boot_ns) < 0 ||
	    json_add_string(o, "actor", e->actor) < 0 || json_add_string(o, "what", e->what) < 0 ||
	    json_add_string(o, "action_hash", e->action_hash) < 0) {
		(void)json_object_put(attempt);
		return -ENOMEM;
	}
	if (json_add(o, "attempt", attempt) < 0 || json_add_string(o, "prev", head->hash) < 0)
		return -ENOMEM;
	return 0;
}

int audit_line_format(const struct audit_entry *entry, const struct audit_head *head,
		      char buf[static AUDIT_LINE_MAX], struct audit_head *ret_head,
		      struct err *reterr)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();
	char hash[AUDIT_HASH_MAX] = "";
	const char *text;
	size_t length;
	int r;

	if (!o || entry_to_json(entry, head, o) < 0)
		return err_set(reterr, -ENOMEM, "format audit line: Out of memory");
	text = json_object_to_json_string_length(
		o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);
	if (!text)
		return err_set(reterr, -ENOMEM, "format audit line: Out of memory");
	length--; /* the closing brace comes after the hash */
	if (length + HASH_TAIL + sizeof("\n") > AUDIT_LINE_MAX)
		return err_set(reterr, -E2BIG, "format audit line: %zu bytes are too many", length);
	r = hash_line(head->hash, text, length, hash);
	if (r < 0)
		return err_set(reterr, r, "format audit line: hash: %s", strerror(-r));
	memcpy(buf, text, length);
	buf[length] = '\0';
	str_append(buf, AUDIT_LINE_MAX, "%s%s%s\n", hash_key, hash, line_end);
	ret_head->n = head->n + 1;
	memcpy(ret_head->hash, hash, sizeof(hash));
	return (int)(length + HASH_TAIL + 1);
}

static int bad_line(struct err *reterr, const char *cause)
{
	return err_set(reterr, -EBADMSG, "%s", cause);
}

/* Checks the frame of the line: the hash member at its very end, and that it is the right one. */
static int check_hash(const char *line, size_t length, const char *prev,
		      char ret_hash[static AUDIT_HASH_MAX], struct err *reterr)
{
	const char *tail;

	if (length < HASH_TAIL || length >= AUDIT_LINE_MAX)
		return bad_line(reterr, "the line is too short or too long");
	tail = line + length - HASH_TAIL;
	if (memcmp(tail, hash_key, sizeof(hash_key) - 1) != 0 ||
	    memcmp(line + length - (sizeof(line_end) - 1), line_end, sizeof(line_end) - 1) != 0)
		return bad_line(reterr, "the line does not end with its hash");
	if (hash_line(prev, line, length - HASH_TAIL, ret_hash) < 0)
		return err_set(reterr, -ENOMEM, "hash: Out of memory");
	if (memcmp(tail + sizeof(hash_key) - 1, ret_hash, HASH_LENGTH) != 0)
		return bad_line(reterr, "the hash does not match the line and the line before it");
	return 0;
}

static int check_members(struct json_object *o, const struct audit_head *head,
			 struct audit_key *ret_key, struct err *reterr)
{
	const char *prev = NULL, *boot_id = NULL;
	int64_t n = 0, seq = 0;

	if (json_get_i64(o, "n", &n, reterr) < 0 || json_get_i64(o, "seq", &seq, reterr) < 0 ||
	    json_get_string(o, "boot_id", &boot_id, reterr) < 0 ||
	    json_get_string(o, "prev", &prev, reterr) < 0)
		return bad_line(reterr, "a member is missing or of a wrong type");
	if ((uint64_t)n != head->n + 1)
		return err_set(reterr, -EBADMSG, "line number %" PRId64 " follows %" PRIu64, n,
			       head->n);
	if (!str_equal(prev, head->hash))
		return bad_line(reterr, "the line does not follow the line before it");
	if (!ret_key)
		return 0;
	if (str_copy(ret_key->boot_id, sizeof(ret_key->boot_id), boot_id) < 0)
		return bad_line(reterr, "boot_id is too long");
	ret_key->seq = (uint64_t)seq;
	return 0;
}

int audit_line_check(const char *line, size_t length, const struct audit_head *head,
		     struct audit_head *ret_head, struct audit_key *ret_key, struct err *reterr)
{
	_cleanup_json_ struct json_object *o = NULL;
	char hash[AUDIT_HASH_MAX] = "";
	int r;

	r = check_hash(line, length, head->hash, hash, reterr);
	if (r < 0)
		return r;
	if (json_parse(line, length, &o, reterr) < 0)
		return bad_line(reterr, "the line is not one JSON object");
	r = check_members(o, head, ret_key, reterr);
	if (r < 0)
		return r;
	ret_head->n = head->n + 1;
	memcpy(ret_head->hash, hash, sizeof(hash));
	return 0;
}

static int copy_hash(struct json_object *o, const char *key, char ret[static AUDIT_HASH_MAX])
{
	const char *hash = NULL;

	if (json_get_string(o, key, &hash, NULL) < 0 || strlen(hash) != HASH_LENGTH ||
	    strspn(hash, "0123456789abcdef") != HASH_LENGTH)
		return -EBADMSG;
	memcpy(ret, hash, AUDIT_HASH_MAX);
	return 0;
}

int audit_line_read(const char *line, size_t length, struct audit_head *ret_before,
		    struct audit_head *ret_after)
{
	_cleanup_json_ struct json_object *o = NULL;
	struct audit_head before = { 0 }, after = { 0 };
	int64_t n = 0;

	if (json_parse(line, length, &o, NULL) < 0 || json_get_i64(o, "n", &n, NULL) < 0 ||
	    n <= 0 || copy_hash(o, "prev", before.hash) < 0 || copy_hash(o, "hash", after.hash) < 0)
		return -EBADMSG;
	before.n = (uint64_t)n - 1;
	after.n = (uint64_t)n;
	*ret_before = before;
	*ret_after = after;
	return 0;
}

const char *audit_segment_name(unsigned segment, char buf[static AUDIT_SEGMENT_NAME])
{
	(void)snprintf(buf, AUDIT_SEGMENT_NAME, "%06u.jsonl", segment % 1000000);
	return buf;
}

/* Returns the number in "NNNNNN.jsonl", or 0 for another name. */
static unsigned parse_segment_name(const char *name)
{
	char digits[7] = "";
	uint64_t n = 0;

	if (strlen(name) != AUDIT_SEGMENT_NAME - 1 || !str_equal(name + 6, ".jsonl"))
		return 0;
	memcpy(digits, name, 6);
	return str_parse_u64(digits, &n) < 0 ? 0 : (unsigned)n;
}

int audit_segments(int dir_fd, unsigned *ret_first, unsigned *ret_last, struct err *reterr)
{
	_cleanup_close_ int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	unsigned first = 0, last = 0;
	const struct dirent *entry;

	if (!dir)
		return err_set(reterr, -errno, "list audit segments: %s", strerror(errno));
	(void)TAKE_FD(fd);
	while ((errno = 0, entry = readdir(dir))) {
		unsigned n = parse_segment_name(entry->d_name);

		last = n > last ? n : last;
		first = n > 0 && (first == 0 || n < first) ? n : first;
	}
	if (errno != 0)
		return err_set(reterr, -errno, "list audit segments: %s", strerror(errno));
	*ret_first = first;
	*ret_last = last;
	return 0;
}

int audit_anchor_parse(const char *anchor, struct audit_head *ret)
{
	const char *space = strchr(anchor, ' ');
	char number[24] = "";

	if (!space || (size_t)(space - anchor) >= sizeof(number) ||
	    strlen(space + 1) != HASH_LENGTH)
		return -EBADMSG;
	memcpy(number, anchor, (size_t)(space - anchor));
	if (str_parse_u64(number, &ret->n) < 0)
		return -EBADMSG;
	return str_copy(ret->hash, sizeof(ret->hash), space + 1);
}

/* A checked line that says what was removed. The members' bytes cannot stand inside a value: there the quotes
 * are escaped. */
static bool read_cut(const char *line, size_t length, struct audit_head *ret)
{
	static const char what[] = "\"what\":\"" AUDIT_WHAT_CUT "\"";
	_cleanup_json_ struct json_object *o = NULL;
	struct json_object *attempt = NULL;
	const char *text = NULL;

	return memmem(line, length, what, sizeof(what) - 1) &&
	       json_parse(line, length, &o, NULL) == 0 &&
	       json_object_object_get_ex(o, "attempt", &attempt) &&
	       json_get_string(attempt, "text", &text, NULL) == 0 &&
	       audit_anchor_parse(text, ret) == 0;
}

static int verify_text(const char *text, size_t size, unsigned *ret_line,
		       struct audit_report *report, struct audit_head *cut, struct err *reterr)
{
	const char *end = text + size;

	*ret_line = 0;
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		int r;

		++*ret_line;
		if (!newline)
			return bad_line(reterr, "the last line is not complete");
		r = audit_line_check(text, (size_t)(newline - text), &report->head, &report->head,
				     NULL, reterr);
		if (r < 0)
			return r;
		(void)read_cut(text, (size_t)(newline - text), cut);
		report->lines++;
		text = newline + 1;
	}
	return 0;
}

/* Where the first segment that is left begins, as its first line says. What was removed is counted by it:
 * whether that was us is seen at the end. */
static void seed_begin(const char *text, size_t size, struct audit_report *report)
{
	const char *newline = memchr(text, '\n', size);
	struct audit_head after = { 0 };

	if (newline && audit_line_read(text, (size_t)(newline - text), &report->begin, &after) == 0)
		report->head = report->begin;
}

/* An interrupted removal leaves more than the entry says; less was removed by somebody else. */
static int check_begin(const struct audit_report *report, unsigned first,
		       const struct audit_head *cut, struct err *reterr)
{
	const struct audit_head *begin = &report->begin;
	char name[AUDIT_SEGMENT_NAME] = "";

	if (begin->n < cut->n || (begin->n == cut->n && str_equal(begin->hash, cut->hash)))
		return 0;
	return err_set(reterr, -EBADMSG,
		       "verify audit: %s:1: the trail begins with line %" PRIu64
		       ", and does not say that what was before it was removed",
		       audit_segment_name(first, name), begin->n + 1);
}

int audit_verify(int dir_fd, struct audit_report *ret, struct err *reterr)
{
	_cleanup_free_ char *text = malloc(AUDIT_FILE_BYTES_MAX + 1);
	unsigned first = 0, last = 0, line = 0;
	struct audit_head cut;
	int r;

	*ret = (struct audit_report){ 0 };
	audit_head_init(&ret->head);
	ret->begin = cut = ret->head;
	if (!text)
		return err_set(reterr, -ENOMEM, "verify audit: Out of memory");
	r = audit_segments(dir_fd, &first, &last, reterr);
	for (unsigned i = first; r >= 0 && i > 0 && i <= last; i++) {
		char name[AUDIT_SEGMENT_NAME] = "";
		ssize_t size = fd_read_file(dir_fd, audit_segment_name(i, name), text,
					    AUDIT_FILE_BYTES_MAX + 1);

		if (size == -ENOENT)
			return err_set(reterr, -EBADMSG,
				       "verify audit: %s:1: the segment is missing", name);
		if (size < 0)
			return err_set(reterr, (int)size, "verify audit: read '%s': %s", name,
				       strerror((int)-size));
		if (i == first && first > 1)
			seed_begin(text, (size_t)size, ret);
		r = verify_text(text, (size_t)size, &line, ret, &cut, reterr);
		if (r < 0)
			return err_wrap(reterr, r, "verify audit: %s:%u", name, line);
		ret->segments++;
	}
	return r < 0 ? r : check_begin(ret, first, &cut, reterr);
}

int audit_compare_anchor(const struct audit_head *head, const char *anchor, struct err *reterr)
{
	struct audit_head was = { 0 };

	if (audit_anchor_parse(anchor, &was) < 0)
		return err_set(reterr, -EBADMSG, "compare audit: '%s' is no anchor", anchor);
	if (was.n > head->n)
		return err_set(reterr, -EBADMSG,
			       "compare audit: the trail ends with line %" PRIu64 ", but %" PRIu64
			       " were written: its end was cut off",
			       head->n, was.n);
	if (was.n < head->n)
		return 0;
	if (!str_equal(was.hash, head->hash))
		return err_set(reterr, -EBADMSG,
			       "compare audit: line %" PRIu64 " is not the one that was written",
			       was.n);
	return 1;
}

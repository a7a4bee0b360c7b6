/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

#include "base/fd.h"
#include "base/paths.h"
#include "base/str.h"
#include "ctl/output.h"
#include "sys/journal.h"

#define ANCHOR_MAX (AUDIT_HASH_MAX + 24)

/* What the journal, which another user writes, says of the trail's end. Returns buf, empty where it may
 * not be read or has been rotated away. */
static const char *read_anchor(int root_fd, char buf[static ANCHOR_MAX])
{
	if (root_fd < 0 || journal_read_last_field(root_fd, "aiops-recorder.service",
						   "AIOPS_AUDIT_HEAD", buf, ANCHOR_MAX, NULL) <= 0)
		buf[0] = '\0';
	return buf;
}

static int show(const struct ctl *ctl, const struct audit_report *report, const char *journal)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();

	(void)json_add_bool(o, "unbroken", true);
	(void)json_add_u64(o, "lines_count", report->lines);
	(void)json_add_u64(o, "segments_count", report->segments);
	(void)json_add_u64(o, "removed_count", report->begin.n);
	(void)json_add_string(o, "head", report->head.hash);
	(void)json_add_string(o, "journal", journal);
	if (ctl->json != JSON_MODE_OFF)
		return ctl_print_json(ctl, o);
	printf("%sUnbroken%s: %" PRIu64 " entr%s in %u segment%s.\nHead: %" PRIu64 " %s\n",
	       colour_on(ctl, COLOUR_GREEN), colour_off(ctl), report->lines,
	       report->lines == 1 ? "y" : "ies", report->segments, report->segments == 1 ? "" : "s",
	       report->head.n, report->head.hash);
	if (report->begin.n > 0)
		printf("It begins with entry %" PRIu64 "; the ones before were removed for their "
		       "age or size, as it says itself.\n",
		       report->begin.n + 1);
	if (str_equal(journal, "none"))
		ctl_hint(ctl, "the journal has no hash to compare it with, or you may not read it");
	else
		printf("The journal has %s.\n",
		       str_equal(journal, "same") ? "the same" : "the hash of an earlier entry");
	return CTL_OK;
}

/* Reads the files itself: an auditor does not ask the one who is audited. */
static int verify(const struct ctl *ctl)
{
	struct audit_report report = { 0 };
	struct err err = { 0 };
	_cleanup_close_ int root_fd = fd_open_dir(AT_FDCWD, ctl->root, &err);
	_cleanup_close_ int dir_fd = root_fd < 0 ? root_fd :
						   fd_open_dir(root_fd, &PATH_AUDIT_DIR[1], &err);
	char buf[ANCHOR_MAX] = "";
	/* Before the trail, which may then only be ahead of it. */
	const char *anchor = read_anchor(root_fd, buf);
	int r = dir_fd < 0 ? dir_fd : audit_verify(dir_fd, &report, &err);

	if (dir_fd == -ENOENT)
		return ctl_fail(ctl, CTL_NOT_FOUND, "it begins with the first thing that is done",
				"no audit trail in '%s': aiops-recorder has written none",
				PATH_AUDIT_DIR);
	if (dir_fd < 0)
		return ctl_fail_err(ctl, dir_fd == -EACCES ? CTL_REFUSED : CTL_FAILED,
				    "run this as root, or join group 'aiops'", &err);
	if (r < 0)
		return ctl_fail_err(ctl, CTL_FAILED, "what stands before that line is unbroken",
				    &err);
	if (!anchor[0])
		return show(ctl, &report, "none");
	r = audit_compare_anchor(&report.head, anchor, &err);
	if (r < 0)
		return ctl_fail_err(ctl, CTL_FAILED, "see journalctl -u aiops-recorder", &err);
	return show(ctl, &report, r > 0 ? "same" : "older");
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	if (argc != 2 || !str_equal(argv[1], "verify"))
		return ctl_fail(ctl, CTL_USAGE, NULL, "audit: 'verify'");
	return verify(ctl);
}

const struct verb_ops verb_audit = {
	.name = "audit",
	.group = "See",
	.usage = "verify",
	.summary = "prove that the record of what was done is whole",
	.help = "Checks the hash chain over all segments and names file and line of the first\n"
		"break.",
	.run = run,
};

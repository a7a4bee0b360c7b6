/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "model/step.h"

/* For the kill sweep: writes the records that the executor would, and reads what steps leave.
 *
 *   steprecord write DIR KEY ACTION
 *   steprecord revert DIR KEY TARGET
 *   steprecord result DIR KEY      prints "PHASE REVERTED SETTLED TEXT" */

static int write_record(int steps_fd, const char *verb, const char *key, const char *what)
{
	struct step_record record;
	struct err err = { 0 };
	int r;

	memset(&record, 0, sizeof(record));
	record.op = str_equal(verb, "revert") ? STEP_OP_REVERT : STEP_OP_APPLY;
	record.not_after_ns = clock_boot_ns() + 60 * NS_PER_S;
	(void)str_copy(record.key, sizeof(record.key), key);
	(void)str_copy(record.actor, sizeof(record.actor), "agent");
	r = step_boot_id(record.boot_id, &err);
	if (record.op == STEP_OP_REVERT) {
		(void)str_copy(record.target_key, sizeof(record.target_key), what);
	} else {
		(void)str_copy(record.action, sizeof(record.action), what);
		record.params.n = 1;
		record.params.v[0].type = PARAM_TYPE_UNIT;
		(void)str_copy(record.params.v[0].name, PARAM_NAME_MAX, "unit");
		(void)str_copy(record.params.v[0].text, PARAM_TEXT_MAX, "dummy.service");
	}
	if (r == 0)
		r = sealed_close(&record, sizeof(record), STEP_KIND_RECORD, STEP_VERSION);
	if (r == 0)
		r = fd_write_exclusive(steps_fd, key, &record, sizeof(record), 0640, &err);
	if (r < 0)
		(void)fprintf(stderr, "steprecord: %s\n", err_text(&err));
	return r < 0;
}

static int print_result(int steps_fd, const char *key)
{
	struct step_result result;
	struct err err = { 0 };
	int r = step_result_read(steps_fd, key, &result, &err);

	if (r > 0)
		(void)printf("%s %u %u %s\n", attempt_phase_to_string(result.phase),
			     result.reverted, result.settled, result.text);
	else
		(void)fprintf(stderr, "steprecord: %s\n", r == 0 ? "no result" : err_text(&err));
	return r <= 0;
}

int main(int argc, char **argv)
{
	_cleanup_close_ int fd = argc >= 4 ? open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC) :
					     -EBADF;

	if (fd >= 0 && argc == 4 && str_equal(argv[1], "result"))
		return print_result(fd, argv[3]);
	if (fd >= 0 && argc == 5)
		return write_record(fd, argv[1], argv[3], argv[4]);
	(void)fputs("steprecord: bad arguments\n", stderr);
	return 2;
}

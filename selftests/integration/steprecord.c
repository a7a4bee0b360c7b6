/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "model/action_info.h"
#include "model/step.h"

/* For the kill sweep: writes the records that the executor would, and reads what steps leave.
 *
 *   steprecord write DIR KEY ACTION                               on dummy.service
 *   steprecord ask|dry-run|person DIR KEY ACTION NAME=VALUE...    one of ours
 *   steprecord revert DIR KEY TARGET
 *   steprecord result DIR KEY      prints "PHASE REVERTED SETTLED TEXT"
 *   steprecord expired DIR KEY     the same of what the end of its time left */

static void add_duration(struct params *params)
{
	struct param *p = &params->v[params->n++];

	p->type = PARAM_TYPE_SPAN;
	p->integer = INT64_C(30) * NS_PER_S;
	(void)str_copy(p->name, sizeof(p->name), PARAM_DURATION);
	(void)str_copy(p->text, sizeof(p->text), "30s");
}

/* "NAME=VALUE" of argv, by the specs of the action. */
static int parse_params(struct step_record *record, char **argv, int n, struct err *reterr)
{
	struct param_text texts[PARAMS_MAX] = { 0 };
	const struct action_info *a = action_table;

	while (a->name && !str_equal(a->name, record->action))
		a++;
	if (!a->name || n > PARAMS_MAX)
		return err_set(reterr, -EINVAL, "no action '%s'", record->action);
	for (int i = 0; i < n; i++) {
		texts[i].name = strsep(&argv[i], "=");
		texts[i].value = argv[i] ? argv[i] : "";
	}
	return params_parse(a->params, texts, (size_t)n, &record->params, reterr);
}

static void fill_dummy(struct step_record *record)
{
	record->params.n = 1;
	record->params.v[0].type = PARAM_TYPE_UNIT;
	(void)str_copy(record->params.v[0].name, PARAM_NAME_MAX, "unit");
	(void)str_copy(record->params.v[0].text, PARAM_TEXT_MAX, "dummy.service");
	if (str_equal(record->action, "dummy.lease"))
		add_duration(&record->params);
}

/* argv: KEY, then ACTION or TARGET, then parameters. */
static int write_record(int steps_fd, const char *verb, char **argv, int argc)
{
	struct step_record record;
	struct err err = { 0 };
	int r;

	memset(&record, 0, sizeof(record));
	record.op = str_equal(verb, "revert")  ? STEP_OP_REVERT :
		    str_equal(verb, "dry-run") ? STEP_OP_DRY_RUN :
						 STEP_OP_APPLY;
	record.by_person = str_equal(verb, "person");
	record.not_after_ns = clock_boot_ns() + 60 * NS_PER_S;
	(void)str_copy(record.key, sizeof(record.key), argv[0]);
	(void)str_copy(record.actor, sizeof(record.actor), "agent");
	if (record.op == STEP_OP_REVERT)
		(void)str_copy(record.target_key, sizeof(record.target_key), argv[1]);
	else
		(void)str_copy(record.action, sizeof(record.action), argv[1]);
	r = step_boot_id(record.boot_id, &err);
	if (str_equal(verb, "write"))
		fill_dummy(&record);
	else if (r == 0 && record.op != STEP_OP_REVERT)
		r = parse_params(&record, argv + 2, argc - 2, &err);
	if (r == 0)
		r = sealed_close(&record, sizeof(record), STEP_KIND_RECORD, STEP_VERSION);
	if (r == 0)
		r = fd_write_exclusive(steps_fd, argv[0], &record, sizeof(record), 0640, &err);
	if (r < 0)
		(void)fprintf(stderr, "steprecord: %s\n", err_text(&err));
	return r < 0;
}

static int print_result(int steps_fd, const char *verb, const char *key)
{
	struct step_result result;
	struct err err = { 0 };
	int r = str_equal(verb, "expired") ? step_expired_read(steps_fd, key, &result, &err) :
					     step_result_read(steps_fd, key, &result, &err);

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

	if (fd >= 0 && argc == 4)
		return print_result(fd, argv[1], argv[3]);
	if (fd >= 0 && argc >= 5)
		return write_record(fd, argv[1], argv + 3, argc - 3);
	(void)fputs("steprecord: bad arguments\n", stderr);
	return 2;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "ipc/frame.h"

static struct frame sample_frame(void)
{
	struct frame f;

	frame_init(&f, FRAME_SAMPLE);
	(void)str_copy(f.sample.signal, sizeof(f.sample.signal), "endpoint.up_bool");
	f.sample.entity = entity_make(ENTITY_KIND_ENDPOINT, "api-health");
	f.sample.source = SOURCE_HTTP;
	f.sample.provenance = PROVENANCE_PROBE;
	f.sample.value = 1;
	return f;
}

static void accepts_every_type_as_initialised(void **state)
{
	(void)state;
	for (int type = 0; type < _FRAME_TYPE_MAX; type++) {
		struct frame f;
		struct err err = { 0 };
		int r;

		frame_init(&f, (enum frame_type)type);
		/* keys are required where an attempt is named: all else may be empty */
		if (type == FRAME_RECORD)
			f.record.id = 1;
		r = frame_check(&f, f.size, &err);
		if (r < 0)
			print_message("%s: %s\n", frame_type_to_string((enum frame_type)type),
				      err.text);
		if (type == FRAME_PROPOSE || type == FRAME_REVERT || type == FRAME_QUERY ||
		    type == FRAME_ATTEMPT || type == FRAME_AUDIT)
			assert_true(r == 0 || r == -EBADMSG);
		else
			assert_int_equal(r, 0);
	}
}

static void refuses_a_wrong_head(void **state)
{
	struct frame f = sample_frame();
	struct err err = { 0 };

	(void)state;
	assert_int_equal(frame_check(&f, f.size, &err), 0);
	f.magic++;
	assert_int_equal(frame_check(&f, f.size, &err), -EBADMSG);
	f = sample_frame();
	f.version++;
	assert_int_equal(frame_check(&f, f.size, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "version"));
	f = sample_frame();
	f.type = _FRAME_TYPE_MAX;
	assert_int_equal(frame_check(&f, f.size, &err), -EBADMSG);
	f = sample_frame();
	assert_int_equal(frame_check(&f, f.size - 1, &err), -EBADMSG);
	assert_int_equal(frame_check(&f, FRAME_HEAD_SIZE - 1, &err), -EBADMSG);
	f.size = UINT32_MAX;
	assert_int_equal(frame_check(&f, sizeof(f), &err), -EBADMSG);
}

static void refuses_what_a_sample_may_not_hold(void **state)
{
	struct frame f = sample_frame();
	struct err err = { 0 };

	(void)state;
	memset(f.sample.signal, 'a', sizeof(f.sample.signal));
	assert_int_equal(frame_check(&f, f.size, &err), -EBADMSG);
	f = sample_frame();
	f.sample.value = NAN;
	assert_int_equal(frame_check(&f, f.size, &err), -EBADMSG);
	f = sample_frame();
	f.sample.source = _SOURCE_MAX;
	assert_int_equal(frame_check(&f, f.size, &err), -EBADMSG);
	f = sample_frame();
	f.sample.entity.kind = _ENTITY_KIND_MAX;
	assert_int_equal(frame_check(&f, f.size, &err), -EBADMSG);
}

static void refuses_more_rollups_than_fit(void **state)
{
	struct frame f;
	struct err err = { 0 };

	(void)state;
	frame_init(&f, FRAME_ROLLUP);
	f.rollups.n = FRAME_ROLLUPS_MAX + 1;
	assert_int_equal(frame_check(&f, f.size, &err), -EBADMSG);
}

static void refuses_a_key_that_is_no_hex128(void **state)
{
	struct frame f;
	struct err err = { 0 };

	(void)state;
	frame_init(&f, FRAME_QUERY);
	(void)str_copy(f.query.key, sizeof(f.query.key), "../../etc/passwd");
	assert_int_equal(frame_check(&f, f.size, &err), -EBADMSG);
	(void)str_copy(f.query.key, sizeof(f.query.key), "0123456789abcdef0123456789abcdef");
	assert_int_equal(frame_check(&f, f.size, &err), 0);
}

/* It would be a key in JSON that nobody could read again: a row of the history that is never seen. */
static void refuses_a_fact_whose_name_is_no_word(void **state)
{
	struct frame f;
	struct evidence *e = &f.inspect_item.evidence;

	(void)state;
	frame_init(&f, FRAME_EVIDENCE);
	e->n_facts = 1;
	(void)str_copy(e->facts[0].name, sizeof(e->facts[0].name), "changed.count");
	assert_int_equal(frame_check(&f, f.size, NULL), 0);
	e->facts[0].name[0] = '\xff';
	assert_int_equal(frame_check(&f, f.size, NULL), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_every_type_as_initialised),
		cmocka_unit_test(refuses_a_wrong_head),
		cmocka_unit_test(refuses_what_a_sample_may_not_hold),
		cmocka_unit_test(refuses_more_rollups_than_fit),
		cmocka_unit_test(refuses_a_key_that_is_no_hex128),
		cmocka_unit_test(refuses_a_fact_whose_name_is_no_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

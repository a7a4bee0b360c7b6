/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* links: daemon/agent/tell.o daemon/agent/ring.o */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "base/log.h"

static struct {
	unsigned n, n_fields;
	int priority;
	char message[256];
	struct {
		char name[32], value[640];
	} fields[16];
	struct engine_stats stats;
	char notified[256];
	unsigned n_notified;
} fake;

/* Stands in for base/log.o. */
void log_fields(int priority, const char *message, const struct log_field *fields, size_t n_fields)
{
	fake.n++;
	fake.priority = priority;
	fake.n_fields = (unsigned)n_fields;
	(void)str_copy(fake.message, sizeof(fake.message), message);
	for (size_t i = 0; i < n_fields; i++) {
		(void)str_copy(fake.fields[i].name, sizeof(fake.fields[i].name), fields[i].name);
		(void)str_copy(fake.fields[i].value, sizeof(fake.fields[i].value), fields[i].value);
	}
}

const struct engine_stats *engine_stats(const struct engine *e)
{
	(void)e;
	return &fake.stats;
}

/* Stands in for libsystemd: nobody listens in a test. */
_printf_(2, 3) int sd_notifyf(int unset_environment, const char *format, ...)
{
	va_list ap;

	(void)unset_environment;
	va_start(ap, format);
	(void)vsnprintf(fake.notified, sizeof(fake.notified), format, ap);
	va_end(ap);
	fake.n_notified++;
	return 1;
}

static struct runbook runbook = { .id = "service-crashed",
				  .path = "usr/lib/aiops/runbooks.d/service-crashed.md" };

static int setup(void **state)
{
	struct agent *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	memset(&fake, 0, sizeof(fake));
	assert_int_equal(ring_init(&a->ring, NULL), 0);
	a->config.runbooks = (struct runbooks){ .n = 1, .v = &runbook };
	*state = a;
	return 0;
}

static int teardown(void **state)
{
	struct agent *a = *state;

	ring_done(&a->ring);
	free(a);
	return 0;
}

static const char *field(const char *name)
{
	for (unsigned i = 0; i < fake.n_fields; i++)
		if (str_equal(fake.fields[i].name, name))
			return fake.fields[i].value;
	return NULL;
}

static struct record *record_new(enum record_kind kind, uint64_t incident_id)
{
	static struct record r;

	memset(&r, 0, sizeof(r));
	r.kind = kind;
	r.incident_id = incident_id;
	r.entity = entity_make(ENTITY_KIND_UNIT, "api.service");
	return &r;
}

static void a_narrative_has_the_fields_of_its_incident(void **state)
{
	struct agent *a = *state;
	struct record *r = record_new(RECORD_KIND_INCIDENT, 77);
	char id[RECORD_ID_MAX] = "";

	r->incident.state = INCIDENT_STATE_RESOLVED;
	r->incident.severity = SEVERITY_CRITICAL;
	(void)str_copy(r->incident.cause, sizeof(r->incident.cause), "service-crashed");
	ring_add(&a->ring, r);
	r = record_new(RECORD_KIND_ATTEMPT, 77);
	(void)str_copy(r->attempt.action, sizeof(r->attempt.action), "unit.start");
	ring_add(&a->ring, r);
	r = record_new(RECORD_KIND_NARRATIVE, 77);
	r->narrative.priority = LOG_NOTICE;
	(void)str_copy(r->narrative.message_id, sizeof(r->narrative.message_id),
		       "0790d7f392d843e78804bba2cce84d8a");
	(void)str_copy(r->narrative.text, sizeof(r->narrative.text), "api is healthy again.");
	agent_tell(a, r);
	assert_int_equal(fake.n, 1);
	assert_int_equal(fake.priority, LOG_NOTICE);
	assert_string_equal(fake.message, "api is healthy again.");
	assert_string_equal(field("MESSAGE_ID"), "0790d7f392d843e78804bba2cce84d8a");
	assert_string_equal(field("AIOPS_INCIDENT"), record_id_format(77, id));
	assert_string_equal(field("AIOPS_STATE"), "resolved");
	assert_string_equal(field("AIOPS_SEVERITY"), "critical");
	assert_string_equal(field("AIOPS_RUNBOOK"), "service-crashed");
	assert_string_equal(field("AIOPS_ACTION"), "unit.start");
	assert_string_equal(field("OBJECT_SYSTEMD_UNIT"), "api.service");
	assert_string_equal(field("DOCUMENTATION"),
			    "file:///usr/lib/aiops/runbooks.d/service-crashed.md");
}

static void what_is_not_known_is_left_out(void **state)
{
	struct agent *a = *state;
	struct record *r = record_new(RECORD_KIND_INCIDENT, 78);

	(void)str_copy(r->incident.cause, sizeof(r->incident.cause), "unknown");
	ring_add(&a->ring, r);
	r = record_new(RECORD_KIND_NARRATIVE, 78);
	r->entity = entity_make(ENTITY_KIND_HOST, "");
	agent_tell(a, r);
	assert_null(field("AIOPS_RUNBOOK"));
	assert_null(field("AIOPS_ACTION"));
	assert_null(field("OBJECT_SYSTEMD_UNIT"));
	assert_null(field("DOCUMENTATION"));
	assert_string_equal(field("AIOPS_STATE"), "open");
}

static void the_status_is_told_when_it_changes_only(void **state)
{
	struct agent *a = *state;

	agent_tell_status(a);
	agent_tell_status(a);
	assert_int_equal(fake.n_notified, 1);
	assert_string_equal(fake.notified, "STATUS=All well, 0 services managed");
	fake.stats.open = 1;
	fake.stats.waiting = 1;
	agent_tell_status(a);
	assert_int_equal(fake.n_notified, 2);
	assert_string_equal(fake.notified, "STATUS=1 open incident, 1 awaiting approval");
}

static void lost_records_are_told_once(void **state)
{
	struct agent *a = *state;

	agent_tell_lost(a);
	assert_int_equal(fake.n, 0);
	a->ring.n_lost = 12;
	agent_tell_lost(a);
	agent_tell_lost(a);
	assert_int_equal(fake.n, 1);
	assert_int_equal(fake.priority, LOG_WARNING);
	assert_non_null(strstr(fake.message, "12 records"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_narrative_has_the_fields_of_its_incident),
		TEST(what_is_not_known_is_left_out),
		TEST(the_status_is_told_when_it_changes_only),
		TEST(lost_records_are_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

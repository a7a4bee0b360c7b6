/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Speaks frames to one of our sockets for the integration tests: commands on stdin, one a line, what
 * comes back on stdout, one a line.
 *
 *   framepeer SOCKET PROCESS
 *   incident ID STATE UNIT TITLE       record of an incident's state; the first one's ID is its id
 *   event ID PARENT INCIDENT UNIT TEXT
 *   rollup SIGNAL UNIT WALL_US VALUE
 *   audit SEQ BOOT_ID WHAT             -> ack SEQ
 *   inspect ID INSPECTOR UNIT          -> evidence ID PROVENANCE TEXT, fact ID NAME VALUE, done ID R TEXT
 *   propose KEY ACTION UNIT            as the agent with all evidence -> attempt KEY PHASE BY
 *   sync                               -> synced, when all before has been sent
 *                                      -> sample SIGNAL ENTITY VALUE T_NS
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "ipc/frame.h"

#define WORDS_MAX 6

static int sock = -EBADF;
static uint64_t incident_of_last;

static void die(const char *what)
{
	(void)fprintf(stderr, "framepeer: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void send_frame(const struct frame *f)
{
	if (send(sock, f, f->size, MSG_NOSIGNAL) >= 0)
		return;
	if (errno == EPIPE || errno == ECONNRESET)
		exit(EXIT_SUCCESS); /* the other side was killed: that is what the case is about */
	die("send");
}

static uint64_t number(const char *s)
{
	uint64_t v = 0;

	if (str_parse_u64(s, &v) < 0)
		die(s);
	return v;
}

/* Splits at blanks; the last word takes the rest. Returns how many there are. */
static size_t split(char *line, char **words, size_t max)
{
	size_t n = 0;

	while (n < max && *line) {
		words[n++] = line;
		if (n == max)
			break;
		line += strcspn(line, " ");
		if (*line)
			*line++ = '\0';
	}
	return n;
}

static void record_head(struct record *r, enum record_kind kind, uint64_t id, const char *unit)
{
	r->id = id;
	r->kind = kind;
	r->t_ns = clock_boot_ns();
	r->wall_us = id;
	r->entity = entity_make(ENTITY_KIND_UNIT, unit);
}

static void do_incident(char **w)
{
	struct frame f;
	struct incident *i = &f.record.incident;
	int state = incident_state_from_string(w[1]);

	frame_init(&f, FRAME_RECORD);
	record_head(&f.record, RECORD_KIND_INCIDENT, number(w[0]), w[2]);
	if (state < 0)
		die(w[1]);
	i->state = (enum incident_state)state;
	i->severity = SEVERITY_CRITICAL;
	(void)str_copy(i->title, sizeof(i->title), w[3]);
	if (i->state == INCIDENT_STATE_OPEN)
		incident_of_last = f.record.id;
	else
		f.record.parent_id = incident_of_last;
	f.record.incident_id = incident_of_last;
	i->opened_us = incident_of_last;
	send_frame(&f);
}

static void do_event(char **w)
{
	struct frame f;

	frame_init(&f, FRAME_RECORD);
	record_head(&f.record, RECORD_KIND_EVENT, number(w[0]), w[3]);
	f.record.parent_id = number(w[1]);
	f.record.incident_id = number(w[2]);
	(void)str_copy(f.record.event.alert, sizeof(f.record.event.alert), "unit-failed");
	(void)str_copy(f.record.event.signal, sizeof(f.record.event.signal), "unit.failed_bool");
	(void)str_copy(f.record.event.text, sizeof(f.record.event.text), w[4]);
	send_frame(&f);
}

static void do_rollup(char **w)
{
	struct frame f;
	struct rollup *r = &f.rollups.v[0];

	frame_init(&f, FRAME_ROLLUP);
	f.rollups.n = 1;
	(void)str_copy(r->signal, sizeof(r->signal), w[0]);
	r->entity = entity_make(ENTITY_KIND_UNIT, w[1]);
	r->wall_us = number(w[2]);
	r->n = 1;
	if (str_parse_double(w[3], &r->last) < 0)
		die(w[3]);
	r->min = r->max = r->sum = r->last;
	send_frame(&f);
}

static void do_audit(char **w)
{
	struct frame f;
	struct audit_entry *a = &f.audit;

	frame_init(&f, FRAME_AUDIT);
	a->seq = number(w[0]);
	(void)str_copy(a->boot_id, sizeof(a->boot_id), w[1]);
	a->wall_us = clock_wall_us();
	a->boot_ns = clock_boot_ns();
	(void)str_copy(a->actor, sizeof(a->actor), "agent");
	(void)str_copy(a->what, sizeof(a->what), w[2]);
	(void)str_copy(a->attempt.key, sizeof(a->attempt.key), "0123456789abcdef0123456789abcdef");
	(void)str_copy(a->attempt.action, sizeof(a->attempt.action), "unit.start");
	a->attempt.phase = ATTEMPT_PHASE_DONE;
	memset(a->action_hash, 'a', sizeof(a->action_hash) - 1);
	send_frame(&f);
}

static void do_inspect(char **w)
{
	struct frame f;

	frame_init(&f, FRAME_INSPECT);
	f.inspect.id = number(w[0]);
	(void)str_copy(f.inspect.inspector, sizeof(f.inspect.inspector), w[1]);
	f.inspect.entity = entity_make(ENTITY_KIND_UNIT, w[2]);
	f.inspect.since_ns = clock_boot_ns();
	send_frame(&f);
}

static void do_propose(char **w)
{
	struct frame f;
	struct proposal *p = &f.proposal;
	struct param *unit = &p->plan.step.params.v[0];

	frame_init(&f, FRAME_PROPOSE);
	(void)str_copy(p->key, sizeof(p->key), w[0]);
	(void)str_copy(p->plan.runbook, sizeof(p->plan.runbook), "service-crashed");
	(void)str_copy(p->plan.step.action, sizeof(p->plan.step.action), w[1]);
	p->plan.autonomy = AUTONOMY_AUTO;
	p->plan.risk = RISK_REVERSIBLE;
	p->plan.step.params.n = 1;
	unit->type = PARAM_TYPE_UNIT;
	(void)str_copy(unit->name, sizeof(unit->name), "unit");
	(void)str_copy(unit->text, sizeof(unit->text), w[2]);
	p->root = entity_make(ENTITY_KIND_UNIT, w[2]);
	p->n_sources = p->n_trusted = 3;
	p->deadline_ns = clock_boot_ns() + 60 * NS_PER_S;
	send_frame(&f);
}

static void do_sync(char **w)
{
	(void)w;
	(void)puts("synced");
}

static const struct {
	const char *verb;
	size_t words;
	void (*run)(char **w);
} verbs[] = {
	{ "incident", 4, do_incident }, { "event", 5, do_event },     { "rollup", 4, do_rollup },
	{ "audit", 3, do_audit },       { "inspect", 3, do_inspect }, { "sync", 0, do_sync },
	{ "propose", 3, do_propose },
};

static void run_line(char *line)
{
	char *words[WORDS_MAX + 1] = { 0 }, *rest;

	line[strcspn(line, "\n")] = '\0';
	rest = line + strcspn(line, " ");
	if (*rest)
		*rest++ = '\0';
	for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
		if (str_equal(verbs[i].verb, line)) {
			if (split(rest, words, verbs[i].words) != verbs[i].words)
				die(line);
			verbs[i].run(words);
			return;
		}
	die(line);
}

static void print_evidence(const struct inspect_item *item)
{
	const struct evidence *e = &item->evidence;

	(void)printf("evidence %" PRIu64 " %s %s\n", item->id, provenance_to_string(e->provenance),
		     e->text);
	for (uint32_t i = 0; i < e->n_facts; i++)
		if (e->facts[i].type == FACT_TYPE_TEXT)
			(void)printf("fact %" PRIu64 " %s %s\n", item->id, e->facts[i].name,
				     e->facts[i].text);
		else
			(void)printf("fact %" PRIu64 " %s %g\n", item->id, e->facts[i].name,
				     e->facts[i].number);
}

static void print_frame(const struct frame *f)
{
	char entity[ENTITY_TEXT_MAX] = "";

	if (f->type == FRAME_AUDIT_ACK)
		(void)printf("ack %" PRIu64 "\n", f->audit_ack.seq);
	else if (f->type == FRAME_EVIDENCE)
		print_evidence(&f->inspect_item);
	else if (f->type == FRAME_INSPECT_DONE)
		(void)printf("done %" PRIu64 " %d %s\n", f->inspect_done.id, f->inspect_done.r,
			     f->inspect_done.text);
	else if (f->type == FRAME_ATTEMPT)
		(void)printf("attempt %s %s %s\n", f->attempt.attempt.key,
			     attempt_phase_to_string(f->attempt.attempt.phase),
			     f->attempt.decision.by);
	else if (f->type == FRAME_SAMPLE)
		(void)printf("sample %s %s %g %" PRIu64 "\n", f->sample.signal,
			     entity_format(&f->sample.entity, entity), f->sample.value,
			     f->sample.t_ns);
}

/* Returns false when the other side has gone. */
static bool receive_frame(void)
{
	static struct frame f;
	struct err err = { 0 };
	ssize_t n = recv(sock, &f, sizeof(f), 0);

	if (n <= 0)
		return false;
	if (frame_check(&f, (size_t)n, &err) < 0) {
		(void)fprintf(stderr, "framepeer: %s\n", err_text(&err));
		exit(EXIT_FAILURE);
	}
	print_frame(&f);
	return true;
}

static void say_hello(const char *path, const char *process)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct frame f;

	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (sock < 0 || str_copy(address.sun_path, sizeof(address.sun_path), path) < 0 ||
	    connect(sock, (const struct sockaddr *)&address, sizeof(address)) < 0)
		die(path);
	frame_init(&f, FRAME_HELLO);
	(void)str_copy(f.hello.process, sizeof(f.hello.process), process);
	send_frame(&f);
}

/* Stdin is not buffered here: poll(2) would not know of lines that were read ahead. */
static bool read_command(void)
{
	char line[1024] = "";
	size_t n = 0;
	ssize_t r;

	while ((r = read(STDIN_FILENO, line + n, 1)) == 1 && line[n] != '\n')
		if (++n == sizeof(line) - 1)
			die("line");
	if (r != 1)
		return false;
	run_line(line);
	return true;
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return EXIT_FAILURE;
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	say_hello(argv[1], argv[2]);
	for (;;) {
		struct pollfd fds[] = { { STDIN_FILENO, POLLIN, 0 }, { sock, POLLIN, 0 } };

		if (poll(fds, 2, -1) < 0)
			die("poll");
		if (fds[1].revents && !receive_frame())
			return EXIT_SUCCESS;
		if (fds[0].revents && !read_command())
			return EXIT_SUCCESS;
	}
}

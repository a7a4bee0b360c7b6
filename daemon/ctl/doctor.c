/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/paths.h"
#include "base/str.h"
#include "ctl/api.h"
#include "model/alert.h"
#include "model/converter.h"
#include "model/policy.h"
#include "model/runbook.h"
#include "model/service.h"

#define DROPIN_PREFIX "90-aiops-"
#define RUNTIME_UNITS "run/systemd/system"
#define TEXT_COLUMN   19 /* behind "PASS  kill-switch  " */

enum grade { GRADE_PASS, GRADE_WARN, GRADE_FAIL };

struct finding {
	enum grade grade;
	char text[RECORD_TEXT_MAX], fix[160];
};

struct doctor {
	const struct ctl *ctl;
	int root_fd;
};

_printf_(4, 5) static void found(struct finding *f, enum grade grade, const char *fix,
				 const char *format, ...)
{
	va_list ap;

	f->grade = grade;
	va_start(ap, format);
	(void)vsnprintf(f->text, sizeof(f->text), format, ap);
	va_end(ap);
	(void)str_copy(f->fix, sizeof(f->fix), fix ? fix : "");
}

static bool path_exists(const struct doctor *d, const char *path)
{
	return faccessat(d->root_fd, path, F_OK, 0) == 0;
}

static void check_systemd(const struct doctor *d, struct finding *f)
{
	if (path_exists(d, "run/systemd/system"))
		found(f, GRADE_PASS, NULL, "systemd is PID 1");
	else
		found(f, GRADE_FAIL, "boot the host with systemd",
		      "systemd is not PID 1: nothing can be repaired here, only watched");
}

static void check_cgroup(const struct doctor *d, struct finding *f)
{
	if (path_exists(d, "sys/fs/cgroup/cgroup.controllers"))
		found(f, GRADE_PASS, NULL, "cgroup v2 is mounted");
	else
		found(f, GRADE_WARN, "boot with systemd.unified_cgroup_hierarchy=1",
		      "no cgroup v2: usage and pressure of single services are not seen");
}

static void check_psi(const struct doctor *d, struct finding *f)
{
	char buf[512] = "";

	if (fd_read_file(d->root_fd, "proc/pressure/cpu", buf, sizeof(buf)) > 0)
		found(f, GRADE_PASS, NULL, "PSI is on");
	else
		found(f, GRADE_WARN, "boot with psi=1",
		      "no PSI: pressure on CPU, memory and disk is not seen");
}

static void check_btf(const struct doctor *d, struct finding *f)
{
	if (path_exists(d, "sys/kernel/btf/vmlinux"))
		found(f, GRADE_PASS, NULL, "the kernel has BTF");
	else
		found(f, GRADE_WARN, "run a kernel with CONFIG_DEBUG_INFO_BTF=y",
		      "no BTF: no BPF probe loads; run-queue latency, exits and OOM kills are "
		      "seen later or not at all");
}

static void check_services(const struct doctor *d, struct finding *f)
{
	struct services s = { 0 };
	struct err err = { 0 };
	int r = services_load_trusted(d->root_fd, &s, &err);

	if (r < 0)
		found(f, GRADE_FAIL, "mend the file; until then nothing is done", "%s",
		      err_text(&err));
	else if (s.n == 0)
		found(f, GRADE_WARN, "describe a service in /etc/aiops/services.d/NAME.yaml",
		      "no service is managed: nothing will be repaired");
	else
		found(f, GRADE_PASS, NULL, "%u service%s managed", s.n, s.n == 1 ? " is" : "s are");
	services_done(&s);
}

static void check_policy(const struct doctor *d, struct finding *f)
{
	struct policy p = { 0 };
	struct err err = { 0 };
	int r = policy_load(d->root_fd, &p, &err);

	if (r < 0)
		found(f, GRADE_FAIL, "until it is mended every action is denied", "%s",
		      err_text(&err));
	else
		found(f, GRADE_PASS, NULL, "policy has %u rule%s; mode %s", p.n_rules,
		      p.n_rules == 1 ? "" : "s", autonomy_to_string(p.mode));
	policy_done(&p);
}

static void check_runbooks(const struct doctor *d, struct finding *f)
{
	struct alerts a = { 0 };
	struct runbooks b = { 0 };
	struct err err = { 0 };
	int r = alerts_load(d->root_fd, &a, &err);

	if (r >= 0)
		r = runbooks_load(d->root_fd, &b, &err);
	if (r < 0)
		found(f, GRADE_FAIL, "try: aiopsctl runbooks lint", "%s", err_text(&err));
	else if (a.n == 0 || b.n == 0)
		found(f, GRADE_FAIL, "reinstall the package aiops-agent",
		      "%u alert%s and %u runbook%s installed", a.n, a.n == 1 ? "" : "s", b.n,
		      b.n == 1 ? "" : "s");
	else
		found(f, GRADE_PASS, NULL, "%u alerts and %u runbooks", a.n, b.n);
	alerts_done(&a);
	runbooks_done(&b);
}

/* Documents in forms that only a tool can read, and the tool is not there. */
static void check_docs(const struct doctor *d, struct finding *f)
{
	char missing[128] = "";

	for (const struct converter *t = converters; t->suffix; t++)
		if (!path_exists(d, &t->argv[0][1]))
			str_append(missing, sizeof(missing), "%s%s (%s)", missing[0] ? ", " : "",
				   t->suffix, t->package);
	if (missing[0])
		found(f, GRADE_WARN, "install the packages in brackets",
		      "documents and manual pages of these forms are not searched: %s", missing);
	else
		found(f, GRADE_PASS, NULL, "all forms of documents can be read");
}

static void check_daemon(const struct doctor *d, enum api_socket where, struct finding *f)
{
	_cleanup_json_ struct json_object *answer = NULL;
	struct err err = { 0 };
	int r = api_try(d->ctl, where, "/healthz", &answer, &err);

	if (r == 0)
		found(f, GRADE_PASS, NULL, "%s answers", api_daemon(where));
	else if (r == -EACCES)
		found(f, GRADE_WARN, "run this as root, or join group 'aiops'",
		      "%s cannot be asked: %s", api_daemon(where), err_text(&err));
	else if (r == -EIO)
		found(f, GRADE_FAIL,
		      "journalctl -u aiops-agent -u aiops-executor -u aiops-recorder",
		      "%s runs, but is not well", api_daemon(where));
	else
		found(f, GRADE_FAIL, "systemctl enable --now aiops-agent", "%s: %s",
		      api_daemon(where), err_text(&err));
}

static void check_agent(const struct doctor *d, struct finding *f)
{
	check_daemon(d, API_CONTROL, f);
}

/* It answers without a policy or a bus, and does nothing. */
static void check_executor(const struct doctor *d, struct finding *f)
{
	_cleanup_json_ struct json_object *answer = NULL;
	struct json_object *policy;

	if (api_try(d->ctl, API_APPROVE, "/v1/status", &answer, NULL) < 0) {
		check_daemon(d, API_APPROVE, f);
		return;
	}
	policy = json_member(answer, "policy");
	if (!json_object_get_boolean(json_member(policy, "loaded")))
		found(f, GRADE_FAIL, "mend it, then: systemctl reload aiops-executor",
		      "aiops-executor has no policy and denies everything: %s",
		      json_text(policy, "error", "?"));
	else if (!json_object_get_boolean(json_member(answer, "bus_connected")))
		found(f, GRADE_FAIL, "journalctl -u aiops-executor",
		      "aiops-executor has no connection to systemd and can do nothing");
	else
		found(f, GRADE_PASS, NULL, "aiops-executor answers");
}

static void check_recorder(const struct doctor *d, struct finding *f)
{
	check_daemon(d, API_HISTORY, f);
}

/* Probes that the agent could not start. */
static void check_probes(const struct doctor *d, struct finding *f)
{
	_cleanup_json_ struct json_object *answer = NULL;
	struct json_object *probes;
	struct err err = { 0 };
	unsigned n = 0;
	char missing[256] = "";

	if (api_try(d->ctl, API_CONTROL, "/v1/status", &answer, &err) < 0) {
		found(f, GRADE_WARN, "systemctl enable --now aiops-agent",
		      "probes cannot be asked for: the agent does not answer");
		return;
	}
	probes = json_items(answer, "probes");
	for (size_t i = 0; probes && i < json_object_array_length(probes); i++) {
		struct json_object *p = json_object_array_get_idx(probes, i);

		if (json_object_get_boolean(json_member(p, "running")))
			continue;
		str_append(missing, sizeof(missing), "%s%s", n++ ? ", " : "",
			   json_text(p, "name", "?"));
	}
	if (n > 0)
		found(f, GRADE_WARN, "why not: journalctl -u aiops-agent",
		      "%u of %zu do not run, and what they would see stays unseen: %s", n,
		      json_object_array_length(probes), missing);
	else
		found(f, GRADE_PASS, NULL, "all probes run");
}

static void check_stop_file(const struct doctor *d, struct finding *f)
{
	if (path_exists(d, &PATH_STOP_FILE[1]))
		found(f, GRADE_WARN, "rm " PATH_STOP_FILE,
		      "the kill switch is on: " PATH_STOP_FILE);
	else
		found(f, GRADE_PASS, NULL, "the kill switch is off");
}

static DIR *open_list(const struct doctor *d, const char *path)
{
	int fd = openat(d->root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? NULL : fdopendir(fd);
}

/* Counts names in a directory that begin with prefix. */
static unsigned count_names(const struct doctor *d, const char *path, const char *prefix)
{
	_cleanup_closedir_ DIR *dir = open_list(d, path);
	unsigned n = 0;

	for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir))
		n += e->d_name[0] != '.' && strncmp(e->d_name, prefix, strlen(prefix)) == 0;
	return n;
}

/* A limit of ours, "90-aiops-KEY.conf", that no timer of systemd's will end. */
static bool is_endless(const struct doctor *d, const char *name)
{
	char key[STR_HEX128_MAX] = "", timer[128] = "";

	if (strncmp(name, DROPIN_PREFIX, strlen(DROPIN_PREFIX)) != 0)
		return false;
	(void)str_copy(key, sizeof(key), name + strlen(DROPIN_PREFIX));
	str_append(timer, sizeof(timer), "run/systemd/transient/aiops-expire@%s.timer", key);
	return str_is_hex128(key) && !path_exists(d, timer);
}

static unsigned count_endless(const struct doctor *d)
{
	_cleanup_closedir_ DIR *units = open_list(d, RUNTIME_UNITS);
	unsigned n = 0;

	for (struct dirent *u = units ? readdir(units) : NULL; u; u = readdir(units)) {
		_cleanup_closedir_ DIR *dropins = NULL;
		char path[512] = RUNTIME_UNITS "/";

		if (!strstr(u->d_name, ".d"))
			continue;
		str_append(path, sizeof(path), "%s", u->d_name);
		dropins = open_list(d, path);
		for (struct dirent *e = dropins ? readdir(dropins) : NULL; e; e = readdir(dropins))
			n += is_endless(d, e->d_name);
	}
	return n;
}

static void check_leftovers(const struct doctor *d, struct finding *f)
{
	unsigned faults = count_names(d, &PATH_FAULTS_DIR[1], "");
	unsigned links = count_names(d, "sys/class/net", "aiops-");
	unsigned endless = count_endless(d);

	if (endless > 0)
		found(f, GRADE_FAIL,
		      "rm /run/systemd/system/*.d/" DROPIN_PREFIX "*.conf; systemctl daemon-reload",
		      "%u limit%s of ours that no timer will end before the next boot", endless,
		      endless == 1 ? "" : "s");
	else if (links > 0 && faults == 0)
		found(f, GRADE_FAIL, "ip link del NAME, for each name in: ip link | grep aiops-",
		      "%u network device%s of a fault that is gone", links, links == 1 ? "" : "s");
	else if (faults > 0)
		found(f, GRADE_WARN, "aiopsctl faults recover --all", "%u file%s of faults present",
		      faults, faults == 1 ? "" : "s");
	else
		found(f, GRADE_PASS, NULL, "no fault and no limit has left anything behind");
}

/* Ids are stable: scripts may rely on them. */
static const struct {
	const char *id;
	void (*check)(const struct doctor *d, struct finding *f);
} checks[] = {
	{ "systemd", check_systemd },
	{ "cgroup-v2", check_cgroup },
	{ "psi", check_psi },
	{ "btf", check_btf },
	{ "services", check_services },
	{ "policy", check_policy },
	{ "runbooks", check_runbooks },
	{ "documents", check_docs },
	{ "agent", check_agent },
	{ "executor", check_executor },
	{ "recorder", check_recorder },
	{ "probes", check_probes },
	{ "kill-switch", check_stop_file },
	{ "leftovers", check_leftovers },
};

static void report(const struct ctl *ctl, const char *id, const struct finding *f,
		   struct json_object *items)
{
	static const char *const words[] = { "PASS", "WARN", "FAIL" };
	static const enum colour colours[] = { COLOUR_GREEN, COLOUR_YELLOW, COLOUR_RED };
	char clean[RECORD_TEXT_MAX * 2] = "";
	struct json_object *o;

	if (ctl->json == JSON_MODE_OFF) {
		printf("%s%s%s  %-12s ", colour_on(ctl, colours[f->grade]), words[f->grade],
		       colour_off(ctl), id);
		ctl_print_wrapped(ctl, COLOUR_NONE, TEXT_COLUMN,
				  str_escape(clean, sizeof(clean), f->text));
		if (f->grade == GRADE_PASS || !f->fix[0])
			return;
		printf("%*s", TEXT_COLUMN, "-> ");
		ctl_print_wrapped(ctl, COLOUR_BOLD, TEXT_COLUMN, f->fix);
		return;
	}
	o = json_object_new_object();
	(void)json_add_string(o, "id", id);
	(void)json_add_string(o, "grade", words[f->grade]);
	(void)json_add_string(o, "message", f->text);
	(void)json_add_string(o, "fix", f->fix);
	(void)json_object_array_add(items, o);
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_json_ struct json_object *root = json_object_new_object();
	struct json_object *items = json_object_new_array();
	struct doctor d = { .ctl = ctl };
	struct err err = { 0 };
	_cleanup_close_ int root_fd = fd_open_dir(AT_FDCWD, ctl->root, &err);
	bool failed = false;

	(void)argv;
	(void)json_add(root, "checks", items);
	if (argc > 1)
		return ctl_fail(ctl, CTL_USAGE, NULL, "doctor takes no argument");
	if (root_fd < 0)
		return ctl_fail_err(ctl, CTL_USAGE, NULL, &err);
	d.root_fd = root_fd;
	for (size_t i = 0; i < ELEMENTSOF(checks); i++) {
		struct finding f = { 0 };

		checks[i].check(&d, &f);
		failed = failed || f.grade == GRADE_FAIL;
		report(ctl, checks[i].id, &f, items);
	}
	if (ctl->json != JSON_MODE_OFF)
		(void)ctl_print_json(ctl, root);
	return failed ? CTL_FAILED : CTL_OK;
}

const struct verb_ops verb_doctor = {
	.name = "doctor",
	.group = "See",
	.usage = "",
	.summary = "what is missing here, and what was left behind",
	.help = "Works without the daemons. Exit code 1 if a check fails; a warning does not\n"
		"count.",
	.run = run,
};

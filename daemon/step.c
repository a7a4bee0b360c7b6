/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>

#include "base/args.h"
#include "base/log.h"
#include "step/step.h"
#include "sys/sandbox.h"

static const char *arg_root = "/", *arg_runtime_dir = AIOPS_RUNDIR;
static enum step_profile arg_profile = STEP_PROFILE_BUS;

/* What actions of a profile call beyond all others. */
static const char *const *const syscalls[] = {
	[STEP_PROFILE_BUS] = NULL,
	[STEP_PROFILE_FILES] =
		(const char *const[]){
			"chown",      "fchown",       "fchownat",  "lchown",   "fgetxattr",
			"flistxattr", "fremovexattr", "fsetxattr", "getxattr", "lgetxattr",
			"listxattr",  "llistxattr",   "lsetxattr", "setxattr", "copy_file_range",
			"fallocate",  "mkdir",        "rmdir",     "sendfile", "symlinkat",
			"utimensat",  "socket",       NULL },
	[STEP_PROFILE_NET] = (const char *const[]){ "socket", NULL },
	[STEP_PROFILE_PROC] = (const char *const[]){ "getpriority", "ioprio_get", "ioprio_set",
						     "pidfd_open", "pidfd_send_signal",
						     "setpriority", NULL },
	/* The program that it runs lives in the same filter. */
	[STEP_PROFILE_DATABASE] = (const char *const[]){ "arch_prctl", "clone", "clone3", "execve",
							 "kill", "memfd_create", "set_tid_address",
							 "socket", "vfork", "wait4", NULL },
};

static const char help[] =
	"aiops-step [OPTION...] VERB\n"
	"\n"
	"Carries out one action for aiops-executor, in a unit of its own.\n"
	"\n"
	"  run KEY     claim the record KEY, validate it against policy, carry it out\n"
	"  settle KEY  after run was killed: finish it, undo it or say that it is not known\n"
	"  expire KEY  undo what was done for a time, now\n"
	"  keep        keep the tracked files of services that run well\n"
	"  drop        drop databases that a restore has replaced and whose time is over\n"
	"  describe    print the actions as C\n"
	"\n"
	"  --unit PREFIX      of the template it runs in: which actions it may carry out\n"
	"                     (aiops-step, aiops-expire; with -files, -net and -proc others)\n"
	"  --root DIR         configuration and host files below DIR (/)\n"
	"  --runtime-dir DIR  records below DIR (" AIOPS_RUNDIR ")\n"
	"  --version, --help";

static int log_end(const struct step *s, const char *verb, int r, const struct err *err)
{
	const char *action = s->ops ? s->ops->name : "none";
	const struct log_field fields[] = { { "AIOPS_ACTION", action }, { "AIOPS_KEY", s->key } };
	char text[1024] = "";

	if (r < 0)
		str_append(text, sizeof(text), "%s step '%s': %s", verb, s->key, err_text(err));
	else if (r == 0)
		str_append(text, sizeof(text), "%s step '%s': nothing to do", verb, s->key);
	else
		str_append(text, sizeof(text), "%s step '%s': %s: %s", verb, s->key,
			   attempt_phase_to_string(s->result.phase), s->result.text);
	log_fields(r < 0  ? LOG_ERR :
		   r == 0 ? LOG_DEBUG :
			    LOG_INFO,
		   text, fields, ELEMENTSOF(fields));
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int with_step(const char *verb, const char *key,
		     int (*function)(struct step *s, struct err *reterr))
{
	static struct step s;
	struct err err = { 0 };
	int r;

	log_open("aiops-step");
	r = step_open(&s, arg_root, arg_runtime_dir, key, &err);
	s.profile = arg_profile;
	if (r == 0)
		r = sandbox_enter(syscalls[arg_profile], &err);
	if (r == 0)
		r = function(&s, &err);
	r = log_end(&s, verb, r, &err);
	step_done(&s);
	return r;
}

static void tell_kept(const struct service *s, int r, const struct err *err)
{
	if (r > 0)
		log_line(LOG_INFO, "kept %d new cop%s of files of '%s'", r, r == 1 ? "y" : "ies",
			 s->name);
	else if (r < 0)
		log_line(r == -EAGAIN ? LOG_DEBUG : LOG_WARNING, "%s, ignoring", err_text(err));
}

/* Each service by itself: that one is not well is no reason to keep nothing of the others. */
static int keep(void)
{
	struct err err = { 0 };
	int r = 0;

	log_open("aiops-step");
	r = sandbox_enter(syscalls[STEP_PROFILE_FILES], &err);
	if (r == 0)
		r = step_keep(arg_root, tell_kept, &err);
	if (r < 0)
		log_line(LOG_ERR, "keep files: %s", err_text(&err));
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void tell_dropped(const struct service *s, int r, const struct err *err)
{
	if (r > 0)
		log_line(LOG_INFO, "dropped %d database%s that restores of '%s' had replaced", r,
			 str_plural((uint64_t)r), s->name);
	else if (r < 0)
		log_line(LOG_WARNING, "drop what restores of '%s' have replaced: %s, ignoring",
			 s->name, err_text(err));
}

static int drop(void)
{
	struct err err = { 0 };
	int r = 0;

	log_open("aiops-step");
	r = sandbox_enter(syscalls[STEP_PROFILE_BUS], &err);
	if (r == 0)
		r = step_drop(arg_root, tell_dropped, &err);
	if (r < 0)
		log_line(LOG_ERR, "drop databases: %s", err_text(&err));
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run_verb(const char *verb, const char *key)
{
	static const struct {
		const char *verb;
		int (*function)(struct step *s, struct err *reterr);
	} verbs[] = { { "run", step_run }, { "settle", step_settle }, { "expire", step_expire } };

	for (size_t i = 0; key && i < ELEMENTSOF(verbs); i++)
		if (str_equal(verb, verbs[i].verb))
			return with_step(verb, key, verbs[i].function);
	if (!key && str_equal(verb, "keep"))
		return keep();
	if (!key && str_equal(verb, "drop"))
		return drop();
	if (!key && str_equal(verb, "describe"))
		return step_describe(stdout) < 0;
	return args_refuse(help);
}

int main(int argc, char **argv)
{
	static const char *unit = "";
	static const struct arg args[] = { { "root", &arg_root, NULL },
					   { "unit", &unit, NULL },
					   { "runtime-dir", &arg_runtime_dir, NULL },
					   { 0 } };
	int first = args_parse(argc, argv, args, help);
	const char *verb = first > 0 && first < argc ? argv[first] : "";
	const char *key = first > 0 && argc - first == 2 ? argv[first + 1] : NULL;

	if (first == 0)
		return EXIT_SUCCESS;
	if (unit[0] && step_profile_from_prefix(unit, &arg_profile) < 0)
		return args_refuse(help);
	return run_verb(verb, key);
}

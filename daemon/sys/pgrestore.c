/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/pgrestore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "sys/credential.h"

#define PROGRAMS_DIR "/usr/lib/postgresql" /* Debian: VERSION/bin; /usr/bin has a wrapper in Perl */
#define PROGRAM_MAX  128
#define PASS_FD      3
#define LIST_MAX     (1024 * 1024) /* bytes; some 8,000 objects */
#define WORDS_MAX    4096
#define EXIT_EXEC    127

/* ---- the program ---- */

static bool format_program(uint64_t version, char buf[static PROGRAM_MAX])
{
	buf[0] = '\0';
	if (version == 0)
		str_append(buf, PROGRAM_MAX, "/usr/bin/pg_restore");
	else
		str_append(buf, PROGRAM_MAX, PROGRAMS_DIR "/%" PRIu64 "/bin/pg_restore", version);
	return access(buf, X_OK) == 0;
}

/* A newer one may say what an older server does not know. */
static int find_program(uint32_t server_major, char buf[static PROGRAM_MAX], struct err *reterr)
{
	_cleanup_closedir_ DIR *dir = opendir(PROGRAMS_DIR);
	uint64_t newest = 0;

	if (server_major > 0 && format_program(server_major, buf))
		return 0;
	for (const struct dirent *e; dir && (e = readdir(dir));) {
		uint64_t version = 0;

		if (str_parse_u64(e->d_name, &version) == 0 && version > newest &&
		    format_program(version, buf))
			newest = version;
	}
	if (format_program(newest, buf))
		return 0;
	return err_set(reterr, -ENOENT, "find pg_restore: install PostgreSQL's client programs");
}

/* ---- the password ---- */

/* As libpq reads it: *:*:*:*:PASSWORD, with a backslash before ':' and itself. */
static int make_passfile(const char *password, struct err *reterr)
{
	_cleanup_close_ int fd = memfd_create("passfile", MFD_CLOEXEC);
	char line[2 * CREDENTIAL_MAX + 16] = "*:*:*:*:";
	size_t n = strlen(line);
	bool ok;

	for (const char *c = password; *c; c++) {
		if (*c == ':' || *c == '\\')
			line[n++] = '\\';
		line[n++] = *c;
	}
	line[n++] = '\n';
	ok = fd >= 0 && fchmod(fd, 0600) == 0 && write(fd, line, n) == (ssize_t)n;
	explicit_bzero(line, sizeof(line));
	return ok ? TAKE_FD(fd) :
		    err_set(reterr, -errno, "make a password file: %s", strerror(errno));
}

/* Fills *ret with a descriptor; -EBADF: none is needed, the server knows us by our user. Returns 0; -errno. */
static int open_passfile(const struct database *d, int credentials_fd, int *ret, struct err *reterr)
{
	char password[CREDENTIAL_MAX] = "";
	int r;

	*ret = -EBADF;
	if (!d->owner_credential[0])
		return 0;
	r = credential_read(credentials_fd, d->owner_credential, password, reterr);
	if (r == 0)
		r = make_passfile(password, reterr);
	explicit_bzero(password, sizeof(password));
	if (r >= 0)
		*ret = r;
	return r < 0 ? r : 0;
}

/* ---- the child ---- */

struct child {
	const char *program;
	char *const *argv;
	int in_fd, pass_fd; /* pass_fd: its PASS_FD; negative: none */
	pid_t pid;
	int out_fd, err_fd;
};

static _Noreturn void become(const struct child *c, pid_t parent)
{
	char *const env[] = { (char[]){ "LC_ALL=C" },
			      (char[]){ "PGPASSFILE=/proc/self/fd/3" },
			      (char[]){ "PGAPPNAME=aiops" },
			      (char[]){ "PGSSLMODE=disable" },
			      (char[]){ "PGGSSENCMODE=disable" },
			      (char[]){ "PGCONNECT_TIMEOUT=5" },
			      NULL };
	sigset_t none;

	_Static_assert(PASS_FD == 3, "the environment says so");
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* All of ours are close-on-exec, and dup2() takes that away. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent &&
	    dup2(c->in_fd, STDIN_FILENO) >= 0 && dup2(c->out_fd, STDOUT_FILENO) >= 0 &&
	    dup2(c->err_fd, STDERR_FILENO) >= 0 &&
	    (c->pass_fd < 0 || dup2(c->pass_fd, PASS_FD) >= 0))
		(void)execve(c->program, c->argv, env);
	_exit(EXIT_EXEC);
}

/* Above the numbers that the child's own are. */
static int lift_fd(int fd)
{
	return fd < 0 ? -EBADF : fcntl(fd, F_DUPFD_CLOEXEC, PASS_FD + 1);
}

/* Starts it; c->out_fd and c->err_fd are our ends of two pipes then. */
static int start(struct child *c, struct err *reterr)
{
	int out[2] = { -EBADF, -EBADF }, words[2] = { -EBADF, -EBADF };
	int r = pipe2(out, O_CLOEXEC) < 0 || pipe2(words, O_CLOEXEC) < 0 ? -errno : 0;
	_cleanup_close_ int in_fd = lift_fd(c->in_fd), pass_fd = lift_fd(c->pass_fd);
	_cleanup_close_ int out_fd = lift_fd(out[1]), words_fd = lift_fd(words[1]);
	struct child child = { .program = c->program,
			       .argv = c->argv,
			       .in_fd = in_fd,
			       .pass_fd = pass_fd,
			       .out_fd = out_fd,
			       .err_fd = words_fd };
	pid_t parent = getpid();

	closep(&out[1]);
	closep(&words[1]);
	if (r == 0 && (in_fd < 0 || out_fd < 0 || words_fd < 0 || (c->pass_fd >= 0 && pass_fd < 0)))
		r = -EMFILE;
	if (r == 0)
		c->pid = fork();
	if (r == 0 && c->pid < 0)
		r = -errno;
	if (r == 0 && c->pid == 0)
		become(&child, parent);
	if (r < 0) {
		closep(&out[0]);
		closep(&words[0]);
		return err_set(reterr, r, "start '%s': %s", c->program, strerror(-r));
	}
	c->out_fd = out[0];
	c->err_fd = words[0];
	return 0;
}

struct heard {
	char *text;
	size_t used, size;
};

/* What does not fit is read and dropped: the child must not wait for us. Returns false at the end. */
static bool hear(int fd, struct heard *h)
{
	char rest[512];
	bool fits = h->used + 1 < h->size;
	ssize_t n = fits ? read(fd, h->text + h->used, h->size - h->used - 1) :
			   read(fd, rest, sizeof(rest));

	if (n > 0 && fits)
		h->used += (size_t)n;
	h->text[h->used] = '\0';
	return n > 0 || (n < 0 && errno == EINTR);
}

/* Reads both until they end. Returns 0; -ETIMEDOUT. */
static int listen_to(const struct child *c, uint64_t deadline_ns, struct heard *out,
		     struct heard *words)
{
	struct pollfd p[] = { { .fd = c->out_fd, .events = POLLIN },
			      { .fd = c->err_fd, .events = POLLIN } };
	struct heard *const h[] = { out, words };

	while (p[0].fd >= 0 || p[1].fd >= 0) {
		uint64_t now_ns = clock_boot_ns();
		uint64_t left_ms = now_ns < deadline_ns ? (deadline_ns - now_ns) / NS_PER_MS : 0;

		if (left_ms == 0)
			return -ETIMEDOUT;
		if (poll(p, ELEMENTSOF(p), (int)(left_ms > 1000 ? 1000 : left_ms)) <= 0)
			continue;
		for (size_t i = 0; i < ELEMENTSOF(p); i++)
			if (p[i].fd >= 0 && p[i].revents && !hear(p[i].fd, h[i]))
				p[i].fd = -1;
	}
	return 0;
}

/* Its first line that tells of an error: what follows may hold rows. */
static int fail(const char *program, int status, const char *words, struct err *reterr)
{
	const char *line = strstr(words, "error: ");
	char clean[ERR_TEXT_MAX / 2], first[ERR_TEXT_MAX / 2] = "";

	line = line ? line + strlen("error: ") : words;
	str_append(first, sizeof(first), "%.*s", (int)strcspn(line, "\n"), line);
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_EXEC && !words[0])
		return err_set(reterr, -ENOEXEC, "run '%s': it could not be started", program);
	if (WIFSIGNALED(status))
		return err_set(reterr, -EIO, "run '%s': it died of signal %d", program,
			       WTERMSIG(status));
	return err_set(reterr, -EIO, "pg_restore: %s", str_escape(clean, sizeof(clean), first));
}

static int run(struct child *c, uint64_t deadline_ns, struct heard *out, struct err *reterr)
{
	char text[WORDS_MAX] = "";
	struct heard words = { .text = text, .size = sizeof(text) };
	int status = 0, r = start(c, reterr);

	if (r < 0)
		return r;
	r = listen_to(c, deadline_ns, out, &words);
	if (r < 0)
		(void)kill(c->pid, SIGKILL);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	closep(&c->out_fd);
	closep(&c->err_fd);
	if (r < 0)
		return err_set(reterr, r, "run '%s': not done in time", c->program);
	return status == 0 ? 0 : fail(c->program, status, text, reterr);
}

/* ---- what it is run for ---- */

static int count_data(const char *list)
{
	int n = 0;

	for (const char *p = list; (p = strstr(p, " TABLE DATA ")); p++)
		n++;
	return n;
}

int pgrestore_list(const struct pgrestore *p, struct err *reterr)
{
	char program[PROGRAM_MAX];
	char *const argv[] = { (char[]){ "pg_restore" }, (char[]){ "--list" }, NULL };
	_cleanup_free_ char *text = malloc(LIST_MAX);
	struct heard out = { .text = text, .size = LIST_MAX };
	struct child c = { .program = program, .argv = argv, .in_fd = p->dump_fd, .pass_fd = -1 };
	int r = text ? find_program(p->server_major, program, reterr) :
		       err_set(reterr, -ENOMEM, "list a dump: %s", strerror(ENOMEM));

	if (r == 0)
		r = run(&c, p->deadline_ns, &out, reterr);
	if (r < 0)
		return r == -EIO ? err_wrap(reterr, -EBADMSG, "list the snapshot") : r;
	if (lseek(p->dump_fd, 0, SEEK_SET) != 0)
		return err_set(reterr, -errno, "list a dump: %s", strerror(errno));
	return count_data(text);
}

int pgrestore_run(const struct pgrestore *p, const struct database *d, const char *database,
		  int credentials_fd, struct err *reterr)
{
	char program[PROGRAM_MAX], text[64] = "";
	char dbname[96] = "", host[128] = "", port[24] = "", username[96] = "";
	/* Without the objects' owners all is our role's; a subscription would begin to copy from elsewhere. */
	char *const argv[] = { (char[]){ "pg_restore" },
			       dbname,
			       host,
			       port,
			       username,
			       (char[]){ "--no-password" },
			       (char[]){ "--no-owner" },
			       (char[]){ "--no-subscriptions" },
			       (char[]){ "--exit-on-error" },
			       (char[]){ "--single-transaction" },
			       NULL };
	_cleanup_close_ int pass_fd = -EBADF;
	struct heard out = { .text = text, .size = sizeof(text) };
	struct child c = { .program = program, .argv = argv, .in_fd = p->dump_fd };
	int r = find_program(p->server_major, program, reterr);

	if (r == 0)
		r = open_passfile(d, credentials_fd, &pass_fd, reterr);
	c.pass_fd = pass_fd;

	str_append(dbname, sizeof(dbname), "--dbname=%s", database);
	str_append(host, sizeof(host), "--host=%s", d->socket_dir);
	str_append(port, sizeof(port), "--port=%u", d->port);
	str_append(username, sizeof(username), "--username=%s", d->owner);
	return r < 0 ? r : run(&c, p->deadline_ns, &out, reterr);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recorder/index.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/confdir.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/sealed.h"
#include "sys/convert.h"

#define PATH_SIZE     4096
#define UNIT_FILE_MAX (64 * 1024)

struct input {
	enum knowledge_kind kind;
	enum chunk_form form;
	const struct converter *tool;           /* NULL: it is text */
	char name[128], path[CONFDIR_PATH_MAX]; /* begins with "/", below the root */
};

struct index {
	int root_fd;
	struct knowledge *old, *new; /* old may be NULL */
	size_t n_inputs;
	struct input *inputs;
};

static const struct {
	const char *suffix;
	enum chunk_form form;
} doc_suffixes[] = {
	{ ".md", CHUNK_FORM_MARKDOWN }, { ".txt", CHUNK_FORM_PLAIN },
	{ ".conf", CHUNK_FORM_PLAIN },  { ".yaml", CHUNK_FORM_KEYS },
	{ ".yml", CHUNK_FORM_KEYS },    { ".json", CHUNK_FORM_PLAIN },
	{ ".pdf", CHUNK_FORM_PLAIN },   { ".docx", CHUNK_FORM_MARKDOWN },
};

static int add_input(struct index *x, const struct input *input, struct err *reterr)
{
	if (x->n_inputs == INDEX_INPUTS_MAX)
		return err_set(reterr, -E2BIG, "index '%s': more than %d documents", input->path,
			       INDEX_INPUTS_MAX);
	x->inputs[x->n_inputs++] = *input;
	return 0;
}

static int list_dir(struct index *x, const char *kind, size_t suffix, struct err *reterr)
{
	_cleanup_(confdir_done) struct confdir dir = { 0 };
	int r = confdir_list(x->root_fd, kind, doc_suffixes[suffix].suffix, &dir, reterr);

	for (size_t i = 0; r >= 0 && i < dir.n_files; i++) {
		struct input input = { .kind = str_equal(kind, "docs") ? KNOWLEDGE_KIND_DOCUMENT :
									 KNOWLEDGE_KIND_RUNBOOK,
				       .form = doc_suffixes[suffix].form,
				       .tool = converter_find(doc_suffixes[suffix].suffix) };

		(void)confdir_stem(&dir.files[i], input.name, sizeof(input.name));
		(void)str_copy(input.path, sizeof(input.path), dir.files[i].path);
		r = add_input(x, &input, reterr);
	}
	return r < 0 ? r : 0;
}

/* Where the page "NAME(SECTION)" may be. */
static int add_page(struct index *x, const char *name, const char *section, struct err *reterr)
{
	static const char *const suffixes[] = { ".gz", "" };
	struct input input = { .kind = KNOWLEDGE_KIND_MANUAL,
			       .form = CHUNK_FORM_MAN,
			       .tool = converter_find(".man") };

	str_append(input.name, sizeof(input.name), "%s(%s)", name, section);
	for (size_t i = 0; i < x->n_inputs; i++)
		if (str_equal(x->inputs[i].name, input.name))
			return 0;
	for (size_t i = 0; i < ELEMENTSOF(suffixes); i++) {
		input.path[0] = '\0';
		str_append(input.path, sizeof(input.path), "/usr/share/man/man%c/%s.%s%s",
			   section[0], name, section, suffixes[i]);
		if (faccessat(x->root_fd, &input.path[1], R_OK, 0) == 0)
			return add_input(x, &input, reterr);
	}
	return 0; /* many hosts have no manual pages */
}

static bool is_page_name(const char *s)
{
	size_t n = strspn(s,
			  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@:+-");

	return n > 0 && s[n] == '\0' && s[0] != '.' && n < 64;
}

/* "Documentation=man:nginx(8) https://nginx.org/" */
static int read_documentation(struct index *x, char *line, struct err *reterr)
{
	char *word;
	int r = 0;

	while (r == 0 && (word = strsep(&line, " \t"))) {
		char *open = strchr(word, '('), *close = open ? strchr(open, ')') : NULL;

		if (strncmp(word, "man:", 4) != 0 || !close)
			continue;
		*open = *close = '\0';
		if (is_page_name(word + 4) && isdigit((unsigned char)open[1]) &&
		    is_page_name(open + 1))
			r = add_page(x, word + 4, open + 1, reterr);
	}
	return r;
}

static int read_unit(struct index *x, const char *unit, struct err *reterr)
{
	static const char *const dirs[] = { "etc/systemd/system", "run/systemd/system",
					    "usr/lib/systemd/system", "lib/systemd/system" };
	_cleanup_free_ char *text = malloc(UNIT_FILE_MAX);
	char path[512], *rest, *line;
	ssize_t n = -ENOENT;
	int r = 0;

	if (!text)
		return err_set(reterr, -ENOMEM, "index: Out of memory");
	for (size_t i = 0; n < 0 && i < ELEMENTSOF(dirs); i++) {
		path[0] = '\0';
		str_append(path, sizeof(path), "%s/%s", dirs[i], unit);
		n = fd_read_file(x->root_fd, path, text, UNIT_FILE_MAX);
	}
	rest = n < 0 ? NULL : text;
	while (r == 0 && (line = strsep(&rest, "\n")))
		if (strncmp(line, "Documentation=", strlen("Documentation=")) == 0)
			r = read_documentation(x, line + strlen("Documentation="), reterr);
	return r;
}

static int list_manuals(struct index *x, struct err *reterr)
{
	struct services services = { 0 };
	struct err err = { 0 };
	int r = services_load(x->root_fd, &services, &err);

	if (r < 0) {
		log_line(LOG_WARNING, "index: %s; no manual pages", err_text(&err));
		return 0;
	}
	for (uint32_t i = 0; r >= 0 && i < services.n; i++)
		if (services.v[i].unit[0])
			r = read_unit(x, services.v[i].unit, reterr);
	services_done(&services);
	return r;
}

static int list_all(struct index *x, struct err *reterr)
{
	int r = list_dir(x, "runbooks", 0, reterr);

	for (size_t i = 0; r == 0 && i < ELEMENTSOF(doc_suffixes); i++)
		r = list_dir(x, "docs", i, reterr);
	return r < 0 ? r : list_manuals(x, reterr);
}

/* One line about each input; whether its tool is there counts too. */
static int hash_inputs(struct index *x, char ret[static SHA256_HEX_MAX], struct err *reterr)
{
	size_t room = x->n_inputs * (CONFDIR_PATH_MAX + 128) + 1;
	_cleanup_free_ char *lines = malloc(room);
	size_t used = 0;
	int r;

	if (!lines)
		return err_set(reterr, -ENOMEM, "index: Out of memory");
	lines[0] = '\0';
	for (size_t i = 0; i < x->n_inputs; i++) {
		const struct input *p = &x->inputs[i];
		struct stat st = { 0 };

		if (fstatat(x->root_fd, &p->path[1], &st, 0) < 0)
			st.st_size = -1;
		str_append(lines + used, room - used, "%s %jd %jd.%09ld %ju %d\n", p->path,
			   (intmax_t)st.st_size, (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
			   (uintmax_t)st.st_ino, p->tool && convert_is_here(p->tool));
		used += strlen(lines + used);
	}
	r = sha256_hex(lines, used, ret);
	return r < 0 ? err_set(reterr, r, "hash inputs: %s", strerror(-r)) : 0;
}

/* Reads a whole regular file. Returns 0; -EFBIG; other -errno. */
static int read_source(int fd, char **ret, size_t *ret_size, struct err *reterr)
{
	_cleanup_free_ char *data = NULL;
	struct stat st;
	size_t used = 0;
	ssize_t n = 1;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(reterr, -EINVAL, "it is no regular file");
	if ((uint64_t)st.st_size > KNOWLEDGE_SOURCE_MAX)
		return err_set(reterr, -EFBIG, "it is bigger than %" PRIu64 " MiB",
			       KNOWLEDGE_SOURCE_MAX >> 20);
	data = malloc((size_t)st.st_size + 1);
	if (!data)
		return err_set(reterr, -ENOMEM, "Out of memory");
	while (used < (size_t)st.st_size && n > 0) {
		n = pread(fd, data + used, (size_t)st.st_size - used, (off_t)used);
		used += n > 0 ? (size_t)n : 0;
	}
	if (n < 0)
		return err_set(reterr, -errno, "%s", strerror(errno));
	data[used] = '\0';
	*ret = TAKE_PTR(data);
	*ret_size = used;
	return 0;
}

/* The text a tool makes of it, from the old knowledge base if that has it. */
static int convert(struct index *x, const struct input *p, int fd, char **text, size_t *size,
		   struct err *reterr)
{
	_cleanup_free_ char *made = NULL;
	char hash[SHA256_HEX_MAX];
	struct err err = { 0 };
	int r = sha256_hex(*text, *size, hash);

	if (r == 0 && x->old)
		r = knowledge_find_text(x->old, hash, &made, &err);
	if (r == 0 && (!x->old || !made)) {
		r = convert_file(p->tool, fd, &made, size, reterr);
		if (r < 0)
			return r;
	}
	if (r < 0 || !made)
		return err_set(reterr, r < 0 ? r : -EIO, "%s", err_text(&err));
	*size = strlen(made);
	free(*text);
	*text = TAKE_PTR(made);
	return knowledge_keep_text(x->new, hash, *text, reterr);
}

/* "# Title" of a Markdown document, else its name. */
static void find_title(const struct input *p, const char *text, char ret[static 160])
{
	size_t n = strncmp(text, "# ", 2) == 0 ? strcspn(text + 2, "\n") : 0;

	(void)str_copy(ret, 160, p->name);
	if (p->form != CHUNK_FORM_MARKDOWN || n == 0 || n >= 160)
		return;
	ret[0] = '\0';
	str_append(ret, 160, "%.*s", (int)n, text + 2);
}

static int add_runbook(struct index *x, const struct input *p, const char *text, size_t size,
		       struct err *reterr)
{
	_cleanup_(runbook_done) struct runbook r = { 0 };
	int k = runbook_parse(p->path, text, size, &r, reterr);

	return k < 0 ? k : knowledge_add_runbook(x->new, &r, reterr);
}

/* Returns 1; 0: left out, counted; -errno. */
static int add_one(struct index *x, const struct input *p, struct err *reterr)
{
	_cleanup_close_ int fd = openat(x->root_fd, &p->path[1], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_free_ char *text = NULL;
	char title[160] = "";
	struct knowledge_document d = {
		.kind = p->kind, .form = p->form, .name = p->name, .title = title, .path = p->path
	};
	size_t size = 0;
	int r = fd < 0 ? err_set(reterr, -errno, "%s", strerror(errno)) :
			 read_source(fd, &text, &size, reterr);

	if (r == 0 && p->kind == KNOWLEDGE_KIND_RUNBOOK)
		return add_runbook(x, p, text, size, reterr);
	if (r == 0 && p->tool)
		r = convert(x, p, fd, &text, &size, reterr);
	if (r < 0)
		return r;
	find_title(p, text, title);
	d.text = text;
	d.length = size;
	return knowledge_add(x->new, &d, reterr);
}

/* One that cannot be read is no reason to be without the others. */
static int add_all(struct index *x, struct err *reterr)
{
	uint64_t left_out = 0;

	for (size_t i = 0; i < x->n_inputs; i++) {
		struct err err = { 0 };
		int r = add_one(x, &x->inputs[i], &err);

		if (r == -ENOSPC || r == -EIO || r == -ENOMEM)
			return err_set(reterr, r, "%s", err_text(&err));
		if (r < 0) {
			log_line(LOG_WARNING, "index '%s': %s, left out", x->inputs[i].path,
				 err_text(&err));
			left_out++;
		}
	}
	if (left_out > 0)
		log_line(LOG_WARNING, "index: %" PRIu64 " document%s left out", left_out,
			 str_plural(left_out));
	return 0;
}

/* What was built replaces what was there; what was there is read on by who has it open. */
static int replace(const char *from, const char *to, struct err *reterr)
{
	_cleanup_close_ int fd = open(from, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0 || rename(from, to) < 0)
		return err_set(reterr, -errno, "write '%s': %s", to, strerror(errno));
	return 0;
}

static int build(struct index *x, const char *path, const char *hash, struct knowledge_stats *ret,
		 struct err *reterr)
{
	char part[PATH_SIZE] = "";
	int r;

	str_append(part, sizeof(part), "%s.new", path);
	(void)unlink(part); /* of one that was interrupted */
	r = knowledge_create(part, &x->new, reterr);
	if (r == 0)
		r = add_all(x, reterr);
	if (r == 0)
		r = knowledge_set_inputs(x->new, hash, reterr);
	if (r == 0)
		r = knowledge_finish(x->new, reterr);
	if (r == 0)
		*ret = *knowledge_stats(x->new);
	x->new = knowledge_close(x->new);
	return r < 0 ? r : replace(part, path, reterr);
}

static int index_run(struct index *x, const char *path, struct knowledge_stats *ret,
		     struct err *reterr)
{
	char hash[SHA256_HEX_MAX] = "", before[SHA256_HEX_MAX] = "";
	int r = list_all(x, reterr);

	if (r == 0)
		r = hash_inputs(x, hash, reterr);
	if (r < 0)
		return r;
	if (knowledge_open(path, &x->old, NULL) == 0 &&
	    knowledge_inputs(x->old, before, NULL) == 0 && str_equal(hash, before))
		return 0;
	r = build(x, path, hash, ret, reterr);
	return r < 0 ? r : 1;
}

int recorder_index(const struct recorder_paths *paths, struct knowledge_stats *ret,
		   struct err *reterr)
{
	_cleanup_free_ struct input *inputs = calloc(INDEX_INPUTS_MAX, sizeof(*inputs));
	_cleanup_close_ int root_fd = fd_open_dir(AT_FDCWD, paths->root, reterr);
	struct index x = { .root_fd = root_fd, .inputs = inputs };
	char path[PATH_SIZE] = "";
	int r;

	if (root_fd < 0)
		return root_fd;
	if (!inputs)
		return err_set(reterr, -ENOMEM, "index: Out of memory");
	str_append(path, sizeof(path), "%s/" KNOWLEDGE_FILE_NAME, paths->state_dir);
	r = index_run(&x, path, ret, reterr);
	x.old = knowledge_close(x.old);
	return r;
}

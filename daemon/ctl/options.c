/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/options.h"

#include <ctype.h>
#include <getopt.h>
#include <stdarg.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "ctl/output.h"
#include "ctl/since.h"

#define OPTION_BASE    0x100
#define HELP_COLUMNS   79 /* what every terminal shows */
#define HELP_LEFT_VERB 26
#define HELP_LEFT_OPT  20

/* Long options of verbs; the index is the bit in OPT_... . expected: what a value must be like. */
static const struct {
	const char *name, *metavar, *help, *expected;
} verb_options[] = {
	{ "dry-run", NULL, "say what would be done; change nothing", NULL },
	{ "yes", NULL, "do not ask", NULL },
	{ "wait", "SPAN", "wait at most this long for the end (30s, 5min)",
	  "a span as 30s or 5min" },
	{ "follow", NULL, "go on with what comes (also -f)", NULL },
	{ "since", "WHEN", "not older than: 10min, 2h, today, 2026-01-31, @EPOCH",
	  "10min, 2h, today, yesterday, 2026-01-31, '2026-01-31 12:00' or @EPOCH" },
	{ "unit", "UNIT", "only of this unit", "a unit's full name, as 'nginx.service'" },
	{ "state", "STATE", "only in this state", NULL },
	{ "limit", "N", "at most N, 1 to 500", "a number from 1 to 500" },
	{ "reason", "TEXT", "goes on record", NULL },
	{ "for", "SPAN", "how long (60s, 5min); required", "a span as 60s or 5min" },
	{ "id", "KEY", "32 hexadecimal digits to know it by; the same again does nothing",
	  "32 lower-case hexadecimal digits" },
	{ "all", NULL, "all of them", NULL },
	{ "incident", "ID", "what fits this incident", NULL },
};

/* What the command line said beside the values. */
struct parsed {
	unsigned given; /* OPT_... */
	bool help, version, json_modes;
	char error[256]; /* the first mistake, or "" */
};

_printf_(2, 3) static void complain(struct parsed *p, const char *format, ...)
{
	va_list ap;

	if (p->error[0])
		return;
	va_start(ap, format);
	(void)vsnprintf(p->error, sizeof(p->error), format, ap);
	va_end(ap);
}

enum global_option {
	GLOBAL_JSON = OPTION_BASE + 32,
	GLOBAL_VERSION,
	GLOBAL_NO_LEGEND,
	GLOBAL_NO_PAGER,
	GLOBAL_ROOT,
	GLOBAL_RUNTIME_DIR,
};

const char *ctl_options_name(unsigned bits)
{
	static char text[32];

	text[0] = '\0';
	if (bits)
		str_append(text, sizeof(text), "--%s", verb_options[__builtin_ctz(bits)].name);
	return text;
}

void ctl_options_environment(struct ctl *ctl)
{
	const char *force = getenv("AIOPS_COLORS");
	const char *term = getenv("TERM");

	if (!force)
		force = getenv("SYSTEMD_COLORS");
	ctl->tty = isatty(STDOUT_FILENO);
	ctl->colour = ctl->tty && !getenv("NO_COLOR") && !str_equal(term, "dumb");
	if (force)
		ctl->colour = !str_equal(force, "0") && !str_equal(force, "false");
}

/* "  left      text", the text broken between words and set off where it is too long. */
static void print_two_columns(const char *left, size_t width, const char *text)
{
	size_t indent = width + 3, room = HELP_COLUMNS - indent;

	printf("  %-*s ", (int)width, left);
	while (strlen(text) > room) {
		size_t cut = room;

		while (cut > 0 && text[cut] != ' ')
			cut--;
		if (cut == 0)
			break;
		printf("%.*s\n%*s", (int)cut, text, (int)indent, "");
		text += cut + 1;
	}
	puts(text);
}

static void print_groups(const struct ctl *ctl)
{
	static const char *const groups[] = { "See", "Act", "Break on purpose", "Configure" };

	for (size_t g = 0; g < ELEMENTSOF(groups); g++) {
		printf("\n%s%s:%s\n", colour_on(ctl, COLOUR_BOLD), groups[g], colour_off(ctl));
		for (size_t i = 0; verb_registry[i]; i++) {
			const struct verb_ops *v = verb_registry[i];
			char left[HELP_LEFT_VERB + 1] = "";

			if (!str_equal(v->group, groups[g]))
				continue;
			if (strlen(v->name) + strlen(v->usage) < HELP_LEFT_VERB)
				str_append(left, sizeof(left), "%s %s", v->name, v->usage);
			else
				str_append(left, sizeof(left), "%s ...", v->name);
			print_two_columns(left, HELP_LEFT_VERB, v->summary);
		}
	}
}

void ctl_options_print_help(const struct ctl *ctl)
{
	printf("aiopsctl [OPTIONS] COMMAND [ARGUMENTS]\n\n"
	       "Look after a host that looks after itself.\n\n"
	       "  aiopsctl                   what is the matter now\n"
	       "  aiopsctl incidents         what happened\n"
	       "  aiopsctl why 7q2m4x        why the agent thought or did so\n"
	       "  aiopsctl approve 3f9c      let it do what it asks for\n");
	print_groups(ctl);
	printf("\n%sOptions:%s\n"
	       "  -j, --json[=short|pretty]  JSON instead of text, errors too\n"
	       "      --no-legend            no header and footer\n"
	       "      --no-pager             accepted; there is no pager\n"
	       "  -l, --full                 never shorten a column\n"
	       "  -q, --quiet                no hints\n"
	       "      --root=DIR             configuration below DIR\n"
	       "      --runtime-dir=DIR      sockets in DIR\n"
	       "  -h, --help                 this; after a command, more about it\n"
	       "      --version\n\n"
	       "Exit codes and examples: man aiopsctl.\n",
	       colour_on(ctl, COLOUR_BOLD), colour_off(ctl));
}

/* Paragraphs, filled anew, and indented lines as they are. */
static void print_paragraphs(const char *text)
{
	char paragraph[2048] = "";

	while (*text || paragraph[0]) {
		size_t length = strcspn(text, "\n"), skip = 0;
		bool is_text = length > 0 && text[0] != ' ';

		if (is_text)
			str_append(paragraph, sizeof(paragraph), "%s%.*s", paragraph[0] ? " " : "",
				   (int)length, text);
		for (const char *p = paragraph; !is_text && *p; p += skip) {
			size_t n = text_break(p, HELP_COLUMNS, &skip);

			printf("%.*s\n", (int)n, p);
			skip += n;
		}
		if (!is_text) {
			paragraph[0] = '\0';
			if (*text)
				printf("%.*s\n", (int)length, text);
		}
		text += length + (text[length] == '\n');
	}
}

void ctl_options_print_verb(const struct ctl *ctl, const struct verb_ops *verb)
{
	printf("aiopsctl %s%s%s%s%s\n\n%c%s.\n", colour_on(ctl, COLOUR_BOLD), verb->name,
	       colour_off(ctl), verb->usage[0] ? " " : "", verb->usage,
	       toupper((unsigned char)verb->summary[0]), verb->summary + 1);
	if (verb->help) {
		putchar('\n');
		print_paragraphs(verb->help);
	}
	if (verb->options)
		printf("\n%sOptions:%s\n", colour_on(ctl, COLOUR_BOLD), colour_off(ctl));
	for (size_t i = 0; i < ELEMENTSOF(verb_options); i++) {
		char left[40] = "";

		if (!(verb->options & (1u << i)))
			continue;
		str_append(left, sizeof(left), "--%s%s%s", verb_options[i].name,
			   verb_options[i].metavar ? "=" : "",
			   verb_options[i].metavar ? verb_options[i].metavar : "");
		print_two_columns(left, HELP_LEFT_OPT, verb_options[i].help);
	}
}

/* Returns 0; -1 for a bad mode, which is then told in JSON. */
static int parse_json_mode(struct ctl *ctl, const char *text)
{
	static const char *const modes[] = { "off", "short", "pretty" };

	ctl->json = JSON_MODE_PRETTY;
	if (!text)
		return 0;
	for (size_t i = 0; i < ELEMENTSOF(modes); i++)
		if (str_equal(text, modes[i])) {
			ctl->json = (enum json_mode)i;
			return 0;
		}
	return -1;
}

static int parse_span(const char *text, uint64_t *ret_ns)
{
	return str_parse_span_ns(text, ret_ns) < 0 || *ret_ns == 0 ? -1 : 0;
}

/* Stores one verb option. Returns 0; -1 for a bad value. */
static int store_verb_option(struct ctl *ctl, unsigned bit, const char *value)
{
	uint64_t n = 0;

	switch (bit) {
	case OPT_DRY_RUN:
		ctl->dry_run = true;
		return 0;
	case OPT_YES:
		ctl->yes = true;
		return 0;
	case OPT_WAIT:
		ctl->wait = true;
		return parse_span(value, &ctl->wait_ns);
	case OPT_FOLLOW:
		ctl->follow = true;
		return 0;
	case OPT_SINCE:
		return since_parse(value, clock_wall_us(), &ctl->since_usec);
	case OPT_UNIT:
		ctl->unit = value;
		return str_is_unit_name(value) ? 0 : -1;
	case OPT_STATE:
		ctl->state = value;
		return 0;
	case OPT_LIMIT:
		if (str_parse_u64(value, &n) < 0 || n == 0 || n > 500)
			return -1;
		ctl->rows_max = (unsigned)n;
		return 0;
	case OPT_REASON:
		ctl->reason = value;
		return 0;
	case OPT_FOR:
		ctl->for_text = value;
		return parse_span(value, &ctl->for_ns);
	case OPT_ID:
		ctl->id = value;
		return str_is_hex128(value) ? 0 : -1;
	case OPT_INCIDENT:
		ctl->incident = value;
		return 0;
	default: /* OPT_ALL */
		ctl->all = true;
		return 0;
	}
}

/* Takes one option that is no verb's. Returns 1; 0 if it is none. */
static int store_global_option(struct ctl *ctl, int c, struct parsed *ret)
{
	switch (c) {
	case 'h':
		ret->help = true;
		return 1;
	case GLOBAL_VERSION:
		ret->version = true;
		return 1;
	case 'j':
	case GLOBAL_JSON:
		ret->json_modes = ret->json_modes || str_equal(optarg, "help");
		if (parse_json_mode(ctl, optarg) < 0)
			complain(ret, "option '--json' is '%s': expected short, pretty or off",
				 optarg);
		return 1;
	case GLOBAL_NO_LEGEND:
		ctl->legend = false;
		return 1;
	case GLOBAL_NO_PAGER:
		return 1;
	case 'l':
		ctl->full = true;
		return 1;
	case 'q':
		ctl->quiet = true;
		return 1;
	case GLOBAL_ROOT:
		ctl->root = optarg;
		return 1;
	case GLOBAL_RUNTIME_DIR:
		ctl->runtime_dir = optarg;
		return 1;
	default:
		return 0;
	}
}

/* The option getopt could not take, as it was written. */
static const char *misread(char *const argv[], char buf[static 3])
{
	if (optopt == 0 || optopt >= OPTION_BASE)
		return argv[optind - 1];
	buf[0] = '-';
	buf[1] = (char)optopt;
	buf[2] = '\0';
	return buf;
}

static void complain_unknown(struct parsed *ret, const char *option)
{
	const char *names[ELEMENTSOF(verb_options) + 1] = { NULL }, *nearest = NULL;
	char word[32] = "";

	for (size_t i = 0; i < ELEMENTSOF(verb_options); i++)
		names[i] = verb_options[i].name;
	if (strncmp(option, "--", 2) == 0) {
		str_append(word, sizeof(word), "%.*s", (int)strcspn(option + 2, "="), option + 2);
		nearest = str_nearest(word, names);
	}
	if (nearest)
		complain(ret, "unknown option '%s', did you mean '--%s'?", option, nearest);
	else
		complain(ret, "unknown option '%s'", option);
}

static void handle_option(struct ctl *ctl, int c, char *const argv[], struct parsed *ret)
{
	char letter[3] = "";
	unsigned i;

	if (c == '?')
		complain_unknown(ret, misread(argv, letter));
	else if (c == ':')
		complain(ret, "option '%s' needs a value", misread(argv, letter));
	else if (store_global_option(ctl, c, ret) == 0) {
		i = c == 'f' ? (unsigned)__builtin_ctz(OPT_FOLLOW) : (unsigned)(c - OPTION_BASE);
		ret->given |= 1u << i;
		if (store_verb_option(ctl, 1u << i, optarg) < 0)
			complain(ret, "option '--%s' is '%s': expected %s", verb_options[i].name,
				 optarg, verb_options[i].expected);
	}
}

int ctl_options_parse(struct ctl *ctl, unsigned *ret_given, int argc, char **argv)
{
	struct option options[ELEMENTSOF(verb_options) + 12] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, GLOBAL_VERSION },
		{ "json", optional_argument, NULL, GLOBAL_JSON },
		{ "no-legend", no_argument, NULL, GLOBAL_NO_LEGEND },
		{ "no-pager", no_argument, NULL, GLOBAL_NO_PAGER },
		{ "full", no_argument, NULL, 'l' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "root", required_argument, NULL, GLOBAL_ROOT },
		{ "runtime-dir", required_argument, NULL, GLOBAL_RUNTIME_DIR },
	};
	struct parsed parsed = { 0 };
	size_t n = 9;
	int c;

	for (size_t i = 0; i < ELEMENTSOF(verb_options); i++)
		options[n++] = (struct option){ verb_options[i].name,
						verb_options[i].metavar ? required_argument :
									  no_argument,
						NULL, OPTION_BASE + (int)i };
	/* To the end also after a mistake: a --json behind it says how to tell it. */
	while ((c = getopt_long(argc, argv, ":hjlqf", options, NULL)) >= 0)
		handle_option(ctl, c, argv, &parsed);
	if (parsed.json_modes)
		puts("pretty\nshort\noff");
	else if (parsed.error[0])
		return ctl_fail(ctl, CTL_USAGE, "see: aiopsctl --help", "%s", parsed.error);
	else if (parsed.version)
		puts("aiops " AIOPS_VERSION "\n+BPF +SQLITE +CURL +SECCOMP -POSTGRESQL -LLM");
	*ret_given = parsed.given;
	ctl->help = parsed.help;
	return parsed.json_modes || parsed.version ? CTL_OK : -1;
}

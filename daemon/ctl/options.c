/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/options.h"

#include <getopt.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "ctl/output.h"
#include "ctl/since.h"

#define OPTION_BASE 0x100

/* Long options of verbs; the index is the bit in OPT_... . */
static const struct {
	const char *name, *metavar, *help;
} verb_options[] = {
	{ "dry-run", NULL, "say what would be done; change nothing" },
	{ "yes", NULL, "do not ask" },
	{ "wait", "SPAN", "wait at most this long for the end (30s, 5min)" },
	{ "follow", NULL, "go on with what comes" },
	{ "since", "WHEN", "not older than: 10min, 2h, today, 2026-01-31, @EPOCH" },
	{ "unit", "UNIT", "only of this unit" },
	{ "state", "STATE", "only in this state" },
	{ "limit", "N", "at most N" },
	{ "reason", "TEXT", "goes on record" },
	{ "for", "SPAN", "how long (60s, 5min); required" },
	{ "id", "KEY", "32 hexadecimal digits to know it by; the same again does nothing" },
	{ "all", NULL, "all of them" },
};

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

static void print_groups(const struct ctl *ctl)
{
	static const char *const groups[] = { "See", "Act", "Break on purpose", "Configure" };

	for (size_t g = 0; g < ELEMENTSOF(groups); g++) {
		printf("\n%s%s:%s\n", colour_on(ctl, COLOUR_BOLD), groups[g], colour_off(ctl));
		for (size_t i = 0; verb_registry[i]; i++) {
			const struct verb_ops *v = verb_registry[i];
			char left[64] = "";

			if (!str_equal(v->group, groups[g]))
				continue;
			str_append(left, sizeof(left), "%s %s", v->name, v->usage);
			printf("  %-38s %s\n", left, v->summary);
		}
	}
}

static void print_help(const struct ctl *ctl)
{
	printf("aiopsctl [OPTIONS] COMMAND [ARGUMENTS]\n\n"
	       "Look after a host that looks after itself.\n\n"
	       "  aiopsctl                        what is the matter now\n"
	       "  aiopsctl incidents              what happened\n"
	       "  aiopsctl why 7q2m4x             why the agent thought or did so\n"
	       "  aiopsctl approve 3f9c           let it do what it asks for\n");
	print_groups(ctl);
	printf("\n%sOptions:%s\n"
	       "  -j, --json[=short|pretty|off]          JSON instead of text, errors too\n"
	       "      --no-legend                        no header and footer\n"
	       "      --no-pager                         accepted; there is no pager\n"
	       "  -l, --full                             never shorten a column\n"
	       "  -q, --quiet                            no hints\n"
	       "      --root=DIR                         configuration below DIR\n"
	       "      --runtime-dir=DIR                  sockets in DIR\n"
	       "  -h, --help    --version\n\n"
	       "'aiopsctl COMMAND help' says more. Exit codes: aiopsctl(1).\n",
	       colour_on(ctl, COLOUR_BOLD), colour_off(ctl));
}

void ctl_options_print_verb(const struct ctl *ctl, const struct verb_ops *verb)
{
	printf("aiopsctl %s%s%s %s\n\n%s.\n", colour_on(ctl, COLOUR_BOLD), verb->name,
	       colour_off(ctl), verb->usage, verb->summary);
	if (verb->help)
		printf("\n%s\n", verb->help);
	if (verb->options)
		puts("\nOptions:");
	for (size_t i = 0; i < ELEMENTSOF(verb_options); i++) {
		char left[40] = "";

		if (!(verb->options & (1u << i)))
			continue;
		str_append(left, sizeof(left), "--%s%s%s", verb_options[i].name,
			   verb_options[i].metavar ? "=" : "",
			   verb_options[i].metavar ? verb_options[i].metavar : "");
		printf("  %-22s %s\n", left, verb_options[i].help);
	}
}

static int parse_json_mode(struct ctl *ctl, const char *text)
{
	static const char *const modes[] = { "off", "short", "pretty" };

	if (!text) {
		ctl->json = JSON_MODE_PRETTY;
		return 0;
	}
	for (size_t i = 0; i < ELEMENTSOF(modes); i++)
		if (str_equal(text, modes[i])) {
			ctl->json = (enum json_mode)i;
			return 0;
		}
	if (str_equal(text, "help")) {
		puts("pretty\nshort\noff");
		return 1;
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
	default: /* OPT_ALL */
		ctl->all = true;
		return 0;
	}
}

static int handle_option(struct ctl *ctl, unsigned *ret_given, int c, bool *ret_usage)
{
	unsigned bit;

	switch (c) {
	case 'h':
		print_help(ctl);
		return CTL_OK;
	case GLOBAL_VERSION:
		puts("aiops " AIOPS_VERSION "\n+BPF +SQLITE +CURL +SECCOMP -POSTGRESQL -LLM");
		return CTL_OK;
	case 'j':
	case GLOBAL_JSON:
		if (parse_json_mode(ctl, optarg) == 0)
			return -1;
		*ret_usage = !str_equal(optarg, "help");
		return CTL_OK;
	case GLOBAL_NO_LEGEND:
		ctl->legend = false;
		return -1;
	case GLOBAL_NO_PAGER:
		return -1;
	case 'l':
		ctl->full = true;
		return -1;
	case 'q':
		ctl->quiet = true;
		return -1;
	case GLOBAL_ROOT:
		ctl->root = optarg;
		return -1;
	case GLOBAL_RUNTIME_DIR:
		ctl->runtime_dir = optarg;
		return -1;
	case 'f':
		c = OPTION_BASE + __builtin_ctz(OPT_FOLLOW);
		break;
	default:
		break;
	}
	if (c < OPTION_BASE || c >= OPTION_BASE + (int)ELEMENTSOF(verb_options)) {
		*ret_usage = true;
		return CTL_USAGE;
	}
	bit = 1u << (c - OPTION_BASE);
	*ret_given |= bit;
	*ret_usage = store_verb_option(ctl, bit, optarg) < 0;
	return *ret_usage ? CTL_USAGE : -1;
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
	size_t n = 9;
	int c;

	for (size_t i = 0; i < ELEMENTSOF(verb_options); i++)
		options[n++] = (struct option){ verb_options[i].name,
						verb_options[i].metavar ? required_argument :
									  no_argument,
						NULL, OPTION_BASE + (int)i };
	opterr = 0;
	while ((c = getopt_long(argc, argv, "hjlqf", options, NULL)) >= 0) {
		bool usage = false;
		int r = handle_option(ctl, ret_given, c, &usage);

		if (usage)
			return ctl_fail(ctl, CTL_USAGE, "see: aiopsctl --help",
					"option '%s': unknown, or its value is not allowed",
					argv[optind - 1]);
		if (r >= 0)
			return r;
	}
	return -1;
}

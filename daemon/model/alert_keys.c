/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which keys of an alert go with which rule: a key that nobody reads would be a bound that nobody holds. */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "model/alert.h"

static const struct {
	const char *rule;
	const char *needs, *takes; /* words */
	uint32_t m;                /* 'for' where it is not given */
} rules[] = {
	{ "threshold", "", "over for of clear_for clear_below_ratio clear_above_ratio", 1 },
	{ "event", "", "for of clear_for", 1 },
	{ "rate", "over", "clear_below_ratio clear_above_ratio", 1 },
	{ "absence", "over", "", 1 },
	{ "burn_rate", "over objective burn", "", 1 },
	{ "forecast", "over within from", "", 1 },
	{ "burst", "over factor above", "for clear_for clear_below_ratio", 1 },
	/* Source of 3 and 6: our simulation, test_rule_anomaly. */
	{ "anomaly", "", "for clear_for z", 3 },
};

/* The keys above that some rule has and another has not. */
static const char *const special[] = { "for",       "of",
				       "clear_for", "clear_below_ratio",
				       "over",      "clear_above_ratio",
				       "within",    "from",
				       "objective", "burn",
				       "factor",    "z",
				       NULL };

static bool has_word(const char *words, const char *word)
{
	size_t length = strlen(word);

	for (const char *p = strstr(words, word); p; p = strstr(p + 1, word))
		if ((p == words || p[-1] == ' ') && (p[length] == ' ' || p[length] == '\0'))
			return true;
	return false;
}

static int check_needs(const struct yaml_doc *doc, const struct alert *a, const char *needs,
		       struct err *reterr)
{
	char word[32] = "";

	while (*needs) {
		size_t length = strcspn(needs, " ");

		(void)memcpy(word, needs, length);
		word[length] = '\0';
		if (!yaml_find(yaml_root(doc), word))
			return yaml_error(doc, yaml_find(yaml_root(doc), "rule"), -EINVAL, reterr,
					  "rule '%s' needs '%s'", a->rule, word);
		needs += length + (needs[length] == ' ');
	}
	return 0;
}

int alert_check_keys(const struct yaml_doc *doc, struct alert *a, struct err *reterr)
{
	const struct yaml_node *root = yaml_root(doc);
	size_t i = 0;

	while (i < sizeof(rules) / sizeof(rules[0]) && !str_equal(rules[i].rule, a->rule))
		i++;
	if (i == sizeof(rules) / sizeof(rules[0]))
		return 0;
	for (size_t k = 0; special[k]; k++)
		if (yaml_find(root, special[k]) && !has_word(rules[i].needs, special[k]) &&
		    !has_word(rules[i].takes, special[k]))
			return yaml_error(doc, yaml_find(root, special[k]), -EINVAL, reterr,
					  "'%s' does not go with rule '%s'", special[k], a->rule);
	a->m = a->m ? a->m : rules[i].m;
	if (str_equal(a->rule, "anomaly") && a->z == 0)
		a->z = 6;
	return check_needs(doc, a, rules[i].needs, reterr);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/policy/command_line.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/policy/words.h"

static const struct option *find_by_value(const struct option *known, int value)
{
	while (known->name && known->val != value) {
		known++;
	}
	return known->name ? known : NULL;
}

/* `word` is two hyphens, a name, and perhaps a value. */
static void complain_of_name(const char *program, const char *word, const struct option *known)
{
	const char *name = word + strlen("--");
	size_t length = strcspn(name, "=");
	struct nearest nearest = NEAREST_TO(name, length);
	const char *first = NULL, *second = NULL;

	for (; known->name; known++) {
		if (strncmp(known->name, name, length) == 0) {
			second = first;
			first = known->name;
		}
		nearest_offer(&nearest, known->name);
	}
	if (second) {
		fprintf(stderr, "%s: '--%.*s' may be --%s or --%s\n", program, (int)length, name,
			second, first);
		return;
	}
	fprintf(stderr, "%s: there is no option '--%.*s'", program, (int)length, name);
	if (nearest.best) {
		fprintf(stderr, "; did you mean '--%s'?", nearest.best);
	}
	fputc('\n', stderr);
}

/* getopt(3) leaves in optopt the letter, or what stands for a known option; 0: an unknown name. */
static void complain(int result, const char *program, const char *word, const struct option *known)
{
	const struct option *option = optopt != 0 ? find_by_value(known, optopt) : NULL;

	if (optopt == 0) {
		complain_of_name(program, word, known);
	} else if (!option) {
		fprintf(stderr, "%s: there is no option '-%c'\n", program, optopt);
	} else {
		fprintf(stderr, "%s: --%s %s\n", program, option->name,
			result == ':' ? "lacks its value" : "takes no value");
	}
}

int command_line_next(int argc, char **argv, const char *letters, const struct option *known)
{
	int result;

	opterr = 0;
	result = getopt_long(argc, argv, letters, known, NULL);
	if (result != '?' && result != ':') {
		return result;
	}
	complain(result, argv[0], argv[optind - 1], known);
	return '?';
}

bool command_line_is_number(const char *text, uint64_t *numberp)
{
	char *end;

	errno = 0;
	*numberp = strtoull(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
}

int command_line_number(
	const char *name, const char *text, uint64_t least, uint64_t most, uint64_t *numberp)
{
	if (command_line_is_number(text, numberp) && *numberp >= least && *numberp <= most) {
		return 0;
	}
	fprintf(stderr, "usher: --%s '%s': it must be a whole number", name, text);
	if (most < UINT64_MAX) {
		fprintf(stderr, " from %ju to %ju", (uintmax_t)least, (uintmax_t)most);
	} else if (least > 0) {
		fprintf(stderr, " from %ju", (uintmax_t)least);
	}
	fputc('\n', stderr);
	return -EINVAL;
}

int command_line_decimal(
	const char *name, const char *text, double least, double most, double *numberp)
{
	char *end;

	*numberp = strtod(text, &end);
	if (end != text && *end == '\0' && *numberp >= least && *numberp <= most) {
		return 0;
	}
	fprintf(stderr, "usher: --%s '%s': it must be a number from %g to %g\n", name, text, least,
		most);
	return -EINVAL;
}

int command_line_word(const char *name, const char *text, const struct words *words, long *valuep)
{
	const struct word *word = word_find(words, text, strlen(text));
	struct nearest nearest = NEAREST_TO(text, strlen(text));
	char hint[NEAREST_HINT_MAX];

	if (word) {
		if (valuep) {
			*valuep = word->value;
		}
		return 0;
	}
	fprintf(stderr, "usher: --%s '%s': it must be ", name, text);
	for (size_t i = 0; i < words->count; i++) {
		fprintf(stderr, "%s%s",
			i == 0                 ? ""
			: i + 1 < words->count ? ", "
					       : " or ",
			words->items[i].name);
	}
	nearest_offer_words(&nearest, words);
	fprintf(stderr, "%s\n", nearest_hint(&nearest, hint, sizeof(hint)));
	return -EINVAL;
}

int command_line_end(const char *program, char **rest)
{
	if (!rest[0]) {
		return 0;
	}
	fprintf(stderr, "%s: '%s' is a word too many\n", program, rest[0]);
	return -EINVAL;
}

int command_line_wrong(const char *program)
{
	fprintf(stderr, "'%s --help' tells how it is used\n", program);
	return EXIT_USAGE;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/policy/host.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_MAX 63
#define SHOWN_MAX 60 /* of a text in a complaint */

static bool is_name_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

/* Whoever reads addresses leniently takes 0x7f or 1 for one. */
static bool is_number(const char *label, size_t length)
{
	bool hexadecimal = length > 1 && label[0] == '0' && (label[1] == 'x' || label[1] == 'X');
	size_t i = hexadecimal ? 2 : 0;

	while (i < length && (hexadecimal ? isxdigit((unsigned char)label[i])
					  : isdigit((unsigned char)label[i]))) {
		i++;
	}
	return i == length;
}

/* What is wrong with a name, and where; NULL if it is one. It has no dot at its end. */
static const char *find_fault(const char *text, size_t length, size_t *offset)
{
	size_t begin = 0;

	for (size_t i = 0; i <= length; i++) {
		*offset = i < length ? i : begin;
		if (i < length && text[i] != '.') {
			if (!is_name_character(text[i])) {
				return (unsigned char)text[i] >= 0x80
					       ? "has characters beyond ASCII; write it in its "
						 "ASCII form (xn--...)"
				       : text[i] == '*'
					       ? "has a '*' that is not the first label; *.NAME "
						 "stands for all names below NAME"
					       : "is not an IPv4 address, nor a name of a host";
			}
			continue;
		}
		if (i == begin) {
			return "has an empty label";
		}
		if (i - begin > LABEL_MAX) {
			*offset = begin;
			return "has a label of more than 63 characters";
		}
		if (i == length && is_number(text + begin, length - begin)) {
			*offset = 0;
			return "is not an IPv4 address, and no name of a host ends in a number";
		}
		begin = i + 1;
	}
	*offset = 0;
	return length > POLICY_NAME_MAX ? "is longer than 253 characters" : NULL;
}

static size_t without_last_dot(const char *text, size_t length)
{
	return length > 1 && text[length - 1] == '.' ? length - 1 : length;
}

static void lower(char *to, const char *from, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		to[i] = (char)(from[i] >= 'A' && from[i] <= 'Z' ? from[i] - 'A' + 'a' : from[i]);
	}
	to[length] = '\0';
}

int policy_canonical_name(char canonical[POLICY_NAME_MAX + 1], const char *name)
{
	size_t length = without_last_dot(name, strlen(name)), offset;

	if (find_fault(name, length, &offset)) {
		return -EINVAL;
	}
	lower(canonical, name, length);
	return 0;
}

int host_subject_parse(struct endpoint_subject *subject, const char *text, const bool *literal,
	size_t length, struct mistake *mistake)
{
	bool below = length > 2 && text[0] == '*' && !(literal && literal[0]) && text[1] == '.';
	size_t begin = below ? 2 : 0, offset;
	size_t name_length = without_last_dot(text + begin, length - begin);
	const char *fault;

	if (length == 0) {
		return mistake_set(mistake, 0, "no host stands before the port; any is *:PORTS");
	}
	fault = find_fault(text + begin, name_length, &offset);
	if (fault) {
		return mistake_set(mistake, begin + offset, "'%.*s' %s",
			(int)(length < SHOWN_MAX ? length : SHOWN_MAX), text, fault);
	}
	subject->host = malloc(name_length + 1);
	if (!subject->host) {
		return -ENOMEM;
	}
	lower(subject->host, text + begin, name_length);
	subject->host_below = below;
	return 0;
}

/* Is `name` a name below `zone`? */
static bool is_below(const char *name, const char *zone)
{
	size_t length = strlen(name), zone_length = strlen(zone);

	return length > zone_length + 1 && name[length - zone_length - 1] == '.' &&
	       strcmp(name + length - zone_length, zone) == 0;
}

bool host_subject_matches(const struct endpoint_subject *subject, const char *name)
{
	return subject->host_below ? is_below(name, subject->host)
				   : strcmp(name, subject->host) == 0;
}

bool host_subject_covers(const struct endpoint_subject *wide, const struct endpoint_subject *narrow)
{
	if (!wide->host_below) {
		return !narrow->host_below && strcmp(wide->host, narrow->host) == 0;
	}
	return is_below(narrow->host, wide->host) ||
	       (narrow->host_below && strcmp(narrow->host, wide->host) == 0);
}

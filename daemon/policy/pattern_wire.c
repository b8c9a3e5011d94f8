/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/policy/pattern_wire.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/pattern.h"
#include "daemon/policy/pattern_parts.h"

/* Nothing of the literal beginning is special, and behind it all that looks so is. */
static bool is_escaped(const struct pattern *pattern, size_t i)
{
	return strchr(i < pattern->prefix_length ? "*?[\\" : "\\", pattern->text[i]) != NULL;
}

size_t pattern_wire_length(const struct pattern *pattern)
{
	size_t length = pattern->length;

	for (size_t i = 0; i < pattern->length; i++) {
		length += is_escaped(pattern, i);
	}
	return pattern->has_masked ? 0 : length;
}

char *pattern_wire_write(char *to, const struct pattern *pattern)
{
	for (size_t i = 0; i < pattern->length; i++) {
		if (is_escaped(pattern, i)) {
			*to++ = '\\';
		}
		*to++ = pattern->text[i];
	}
	return to;
}

int pattern_wire_read(struct pattern **patternp, const char *text)
{
	size_t length = strlen(text), size = 0;
	cleanup_free char *plain = malloc(length + 1);
	cleanup_free bool *literal = calloc(length + 1, sizeof(*literal));
	struct mistake mistake;

	if (!plain || !literal) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < length; i++) {
		literal[size] = text[i] == '\\' && text[i + 1] != '\0';
		i += literal[size];
		plain[size++] = text[i];
	}
	plain[size] = '\0';
	return pattern_path_new(patternp, plain, literal, size, &mistake);
}

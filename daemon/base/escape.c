/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/base/escape.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *escape_bytes(const char *bytes)
{
	char *text = malloc(4 * strlen(bytes) + 1);
	char *out = text;

	if (!text) {
		return NULL;
	}
	for (const unsigned char *in = (const unsigned char *)bytes; *in; in++) {
		if (isprint(*in) && *in != '\\') {
			*out++ = (char)*in;
		} else {
			out += sprintf(out, *in == '\\' ? "\\\\" : "\\x%02x", *in);
		}
	}
	*out = '\0';
	return text;
}

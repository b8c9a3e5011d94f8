/* SPDX-License-Identifier: Apache-2.0 */
#include "client/json_print.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/json.h"

int json_print(struct json_object *object, const char *command)
{
	const char *text = json_text_for_people(object);

	if (!text) {
		fprintf(stderr, "usher: %s: %s\n", command, strerror(ENOMEM));
		return -ENOMEM;
	}
	puts(text);
	return 0;
}

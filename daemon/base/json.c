/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/base/json.h"

#include <errno.h>
#include <stdbool.h>

#include "daemon/base/cleanup.h"

static _Thread_local bool is_lacking;

void json_add(struct json_object *object, const char *name, struct json_object *value)
{
	if (!object || !value || json_object_object_add(object, name, value) < 0) {
		json_object_put(value);
		is_lacking = true;
	}
}

void json_add_null(struct json_object *object, const char *name)
{
	if (!object || json_object_object_add(object, name, NULL) < 0) {
		is_lacking = true;
	}
}

void json_add_text(struct json_object *object, const char *name, const char *text)
{
	if (text) {
		json_add(object, name, json_object_new_string(text));
	} else {
		json_add_null(object, name);
	}
}

void json_append(struct json_object *array, struct json_object *value)
{
	if (!array || !value || json_object_array_add(array, value) < 0) {
		json_object_put(value);
		is_lacking = true;
	}
}

/* What there is no room for json-c leaves out of a text without a word, and only errno tells. */
static const char *whole_text(struct json_object *object, int flags)
{
	bool was_lacking = is_lacking;

	is_lacking = false;
	if (was_lacking || !object) {
		return NULL;
	}
	errno = 0;
	const char *text =
		json_object_to_json_string_ext(object, flags | JSON_C_TO_STRING_NOSLASHESCAPE);
	return errno == ENOMEM ? NULL : text;
}

const char *json_text(struct json_object *object)
{
	return whole_text(object, JSON_C_TO_STRING_PLAIN);
}

const char *json_text_for_people(struct json_object *object)
{
	return whole_text(object, JSON_C_TO_STRING_PRETTY);
}

uint64_t json_number_of(struct json_object *object, const char *name)
{
	struct json_object *value = NULL;

	return json_object_object_get_ex(object, name, &value) ? json_object_get_uint64(value) : 0;
}

const char *json_text_of(struct json_object *object, const char *name)
{
	struct json_object *value = NULL;

	return json_object_object_get_ex(object, name, &value) ? json_object_get_string(value) : "";
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON is made with json-c, which ends the program where something is added to an object that there
 * was no memory for, and leaves out of a text what it had no room for. So objects are made by
 * these: nothing happens to one that is not there, and json_text() has no text of what is not
 * whole.
 *
 * Values are consumed. One that is NULL could not be made; null is added by its own function.
 */
#pragma once

#include <json-c/json.h>
#include <stdint.h>

void json_add(struct json_object *object, const char *name, struct json_object *value);
void json_add_null(struct json_object *object, const char *name);
/* null where there is no text. */
void json_add_text(struct json_object *object, const char *name, const char *text);
void json_append(struct json_object *array, struct json_object *value);

/*
 * In one line, as long as `object` lives. NULL if this thread lacked memory for anything that was
 * added since the last call, here or to an object that was given up: nobody reads half an answer.
 */
const char *json_text(struct json_object *object);

/* The same in several lines, indented. */
const char *json_text_for_people(struct json_object *object);

/* What a member says; 0 and "" where there is none. The text lives as long as `object`. */
uint64_t json_number_of(struct json_object *object, const char *name);
const char *json_text_of(struct json_object *object, const char *name);

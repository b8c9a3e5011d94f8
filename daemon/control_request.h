/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may be asked over the control socket: a table of the requests, who may make them, and which
 * keys of which type they have. A request is held against it whole before anybody acts on it.
 * usher-control(7) is held against the same table by the tests, through the request `help`.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/control_connection.h"

#define CONTROL_TEXT_MAX 1024u /* bytes of a string, also in a list */

/* Answers the line, without its newline. The connection is ANSWERING. */
void control_request(struct connection *connection, const char *line, size_t length);

struct json_object *control_error_make(enum control_error error, const char *key, const char *text);

/* The table itself, for `help`. */
struct json_object *control_describe_requests(void);

/* For those who answer: the value of a key that has passed the table. `absent` where it is not. */
uint64_t control_number(struct json_object *request, const char *key, uint64_t absent);
const char *control_string(struct json_object *request, const char *key, const char *absent);

/* Those who answer. */
typedef void control_handler(struct connection *connection, struct json_object *request);
control_handler answer_version, answer_help, answer_status, answer_sessions, answer_end,
	answer_metrics, answer_monitor, answer_reload, answer_stop;

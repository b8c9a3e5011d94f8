/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to the control socket, as those see it who answer its requests:
 *
 *   READING    waits for the next line
 *   ANSWERING  a request is being answered, at once or later; nothing is read meanwhile, and the
 *              one who answers later is told by `on_gone` if nobody waits any more
 *   WATCHING   gets events; whatever it says but its end is a mistake
 *   ENDING     what was told last is being written, for a few seconds at most
 *
 * It owns itself. What is sent to one that is ENDING is dropped.
 */
#pragma once

#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <uv.h>

#define CONTROL_VERSION     1
#define CONTROL_LINE_MAX    4096u      /* of a request, with its newline */
#define CONTROL_WAITING_MAX (1u << 18) /* bytes that wait for one who watches */

struct control;
struct json_object;

enum connection_state {
	CONNECTION_READING,
	CONNECTION_ANSWERING,
	CONNECTION_WATCHING,
	CONNECTION_ENDING
};

/* Why a request is not answered; control_request.c has their names. */
enum control_error {
	CONTROL_NOT_JSON,
	CONTROL_TOO_LONG,
	CONTROL_WRONG_VERSION,
	CONTROL_UNKNOWN_REQUEST,
	CONTROL_UNKNOWN_KEY,
	CONTROL_MISSING_KEY,
	CONTROL_WRONG_TYPE,
	CONTROL_WRONG_VALUE,
	CONTROL_DENIED,
	CONTROL_NOT_FOUND,
	CONTROL_BUSY,
	CONTROL_FAILED,
	CONTROL_TOO_SLOW,
	CONTROL_ERRORS
};

struct connection {
	LIST_ENTRY(connection) entry;
	struct control *control;
	uv_pipe_t pipe;
	uv_timer_t idle;
	unsigned int open_handles;
	enum connection_state state;
	uid_t uid;
	bool is_counted;         /* in the tally */
	bool is_administrator;   /* sees and ends all sessions, reloads and stops the daemon */
	const char *request;     /* ANSWERING: its name; NULL before it is known */
	struct json_object *tag; /* ANSWERING: what the asker knows it by, or NULL */
	void (*on_gone)(struct connection *connection); /* NULL: nobody wants to know */
	void *owner;                                    /* of who is told */
	size_t length;                                  /* of what was read and not taken yet */
	char line[CONTROL_LINE_MAX];
};

/* Consumes `answer`, to which the request's name and tag are added. */
void connection_answer(struct connection *connection, struct json_object *answer);

/* The answer is an error; `key` is the one that is wrong, or NULL. */
void connection_refuse(struct connection *connection, enum control_error error, const char *key,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

/* ANSWERING: goes on as WATCHING after the answer, which it consumes. */
void connection_watch(struct connection *connection, struct json_object *answer);

/* Consumes `event`. One who reads too slowly is told so and ended. */
void connection_tell(struct connection *connection, struct json_object *event);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon and its sessions as JSON, for those who ask over the control socket. The names of the
 * members are part of the protocol: usher-control(7).
 */
#pragma once

#include <stdbool.h>

struct connection;
struct context;
struct json_object;
struct session;

/* The first line of a connection. */
struct json_object *control_describe_greeting(const struct connection *connection);

struct json_object *control_describe_daemon(const struct context *context);
struct json_object *control_describe_session(struct session *session);

/* May the asker see this session, and end it? */
bool control_may_see(const struct connection *connection, const struct session *session);

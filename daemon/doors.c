/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/doors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/control_path.h"
#include "daemon/client.h"
#include "daemon/config.h"
#include "daemon/context.h"
#include "daemon/inheritance.h"
#include "daemon/journal.h"
#include "daemon/listen.h"
#include "daemon/store.h"

/* Under which names the next usherd finds our sockets, where systemd does not open them. */
#define KEPT_SOCKET  "socket"
#define KEPT_CONTROL "control"
#define KEPT_LOCK    "lock"
#define KEPT_GIVEN   "given" /* the one that somebody has opened for the first usherd */

static int complain_about_socket(const char *path, int error)
{
	if (error == -EADDRINUSE) {
		journal_error("%s is served by another usherd; stop it, or choose another --socket",
			path);
	} else {
		journal_error("%s cannot be listened on: %s", path, strerror(-error));
	}
	return error;
}

static int listen_at(const struct config *config, const char *path, int type)
{
	int fd = listen_unix(path, type, config->socket_mode, config->socket_group);

	return fd < 0 ? complain_about_socket(path, fd) : fd;
}

/* Without it the next usherd makes its own. */
static void keep(struct doors *doors, const char *name, int fd)
{
	(void)store_put(&doors->context->store, name, fd);
}

/* Those of an earlier usherd, whose place and lock are ours now. */
static int find_kept_socket(struct doors *doors, struct inheritance *inheritance, const char *path)
{
	int fd = inheritance_claim(inheritance, KEPT_SOCKET);

	if (fd >= 0) {
		doors->lock = inheritance_claim(inheritance, KEPT_LOCK);
		doors->socket_path = strdup(path);
		store_inherit(&doors->context->store);
		store_inherit(&doors->context->store);
	}
	return fd;
}

/* The one that the service manager has opened: -ENOENT, -EINVAL if it is something else. */
static int find_given_socket(struct inheritance *inheritance)
{
	struct inherited *given = NULL;

	for (size_t i = 0; i < inheritance->count; i++) {
		struct inherited *one = &inheritance->all[i];
		if (one->fd >= 0 && strcmp(one->name, KEPT_CONTROL) != 0) {
			if (given) {
				return -EINVAL;
			}
			given = one;
		}
	}
	if (!given) {
		return -ENOENT;
	}
	return listen_check(given->fd, SOCK_SEQPACKET) < 0 ? -EINVAL : steal_fd(&given->fd);
}

/* The socket that is there already, or -ENOENT: then its lock is ours. */
static int find_socket(struct doors *doors, struct inheritance *inheritance, const char *path)
{
	int fd = find_kept_socket(doors, inheritance, path);

	if (fd < 0) {
		fd = find_given_socket(inheritance);
	}
	if (fd == -EINVAL) {
		journal_error("the socket of the service manager is not one: usherd wants one "
			      "ListenSequentialPacket=");
	}
	if (fd != -ENOENT) {
		return fd;
	}
	doors->lock = listen_lock(path);
	return doors->lock < 0 ? complain_about_socket(path, doors->lock) : -ENOENT;
}

static int make_socket(struct doors *doors, const char *path)
{
	int fd = listen_at(doors->context->config, path, SOCK_SEQPACKET);

	if (fd >= 0) {
		doors->socket_path = strdup(path);
		keep(doors, KEPT_LOCK, doors->lock);
		keep(doors, KEPT_SOCKET, fd);
	}
	return fd;
}

static int open_control(struct doors *doors, struct inheritance *inheritance, const char *path)
{
	doors->control_path = control_path(path);
	if (!doors->control_path) {
		return -ENOMEM;
	}
	int fd = inheritance_claim(inheritance, KEPT_CONTROL);
	if (fd >= 0) {
		store_inherit(&doors->context->store);
	} else {
		fd = listen_at(doors->context->config, doors->control_path, SOCK_STREAM);
		if (fd >= 0) {
			keep(doors, KEPT_CONTROL, fd);
		}
	}
	return fd < 0 ? fd : control_init(&doors->control, doors->context, fd);
}

/* Without it usherd does all else: what is wrong with it is told, and that is all. */
static void open_metrics(struct doors *doors)
{
	const struct config *config = doors->context->config;

	if (!config->metrics) {
		return;
	}
	int fd = listen_unix(
		config->metrics, SOCK_STREAM, config->metrics_mode, config->metrics_group);
	int result = fd < 0 ? fd : metrics_socket_init(&doors->metrics, doors->context, fd);
	if (result < 0) {
		journal_error(
			"metrics cannot be told at %s: %s", config->metrics, strerror(-result));
		return;
	}
	doors->metrics_path = strdup(config->metrics);
}

static const char *describe_users(const struct config *config)
{
	if (geteuid() != 0) {
		return config->grant_count > 0 ? "its own user alone, whatever the grants say"
					       : "its own user";
	}
	return config->grant_count > 0 ? "root and whom the grants name"
				       : "root alone: the configuration has no grant";
}

static int open_all(struct doors *doors, struct inheritance *inheritance, const char *path)
{
	int fd = find_socket(doors, inheritance, path);

	if (fd < 0 && doors->lock < 0) {
		return fd;
	}
	int result = open_control(doors, inheritance, path);
	if (result == 0 && fd < 0) {
		fd = make_socket(doors, path);
	}
	if (result < 0 || fd < 0) {
		int error = result < 0 ? result : fd;
		close_fd(&fd);
		return error;
	}
	open_metrics(doors);
	journal_notice("serves %s for %s", path, describe_users(doors->context->config));
	return server_init(&doors->server, doors->context, fd);
}

int doors_open(struct doors *doors, struct context *context, struct inheritance *inheritance,
	const char *path)
{
	*doors = (struct doors){.context = context, .lock = -1};
	return open_all(doors, inheritance, path);
}

void doors_keep(struct doors *doors)
{
	uv_os_fd_t control;

	if (uv_fileno((const uv_handle_t *)&doors->control.listener, &control) == 0) {
		keep(doors, KEPT_CONTROL, control);
	}
	if (doors->lock >= 0) {
		keep(doors, KEPT_LOCK, doors->lock);
	}
	keep(doors, doors->lock >= 0 ? KEPT_SOCKET : KEPT_GIVEN, doors->server.socket);
}

static void remove_sockets(struct doors *doors)
{
	const char *const paths[] = {doors->socket_path, doors->control_path, doors->metrics_path};

	for (size_t i = 0; i < array_length(paths); i++) {
		if (paths[i]) {
			unlink(paths[i]);
		}
	}
}

void doors_close(struct doors *doors, bool has_successor)
{
	server_finish(&doors->server);
	control_finish(&doors->control);
	metrics_socket_finish(&doors->metrics);
	if (has_successor) {
		client_leave_all(doors->context);
		return;
	}
	remove_sockets(doors);
	client_refuse_all(doors->context, "usherd ends; try again, or use --embedded");
}

void doors_finish(struct doors *doors)
{
	close_fd(&doors->lock);
	free(doors->socket_path);
	free(doors->control_path);
	free(doors->metrics_path);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/child.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/fdpass.h"
#include "daemon/base/wire.h"
#include "daemon/relay.h"

/* Where usher-broker finds its control socket. */
#define CONTROL_FD      3
#define PACKETS_AT_ONCE 64u

struct child {
	uv_process_t process;
	uv_poll_t control_poll;
	int control;
	enum wire_phase phase;
	bool is_polling;
	bool has_ended; /* its number may be another's by now */
	unsigned int open_handles;
	const struct child_events *events;
	void *owner; /* NULL: not to be called any more */
};

static void on_handle_closed(struct child *child)
{
	if (--child->open_handles == 0) {
		free(child);
	}
}

static void on_process_closed(uv_handle_t *handle)
{
	on_handle_closed(container_of((uv_process_t *)handle, struct child, process));
}

static void on_poll_closed(uv_handle_t *handle)
{
	on_handle_closed(container_of((uv_poll_t *)handle, struct child, control_poll));
}

static void stop_listening(struct child *child)
{
	if (child->is_polling) {
		child->is_polling = false;
		uv_close((uv_handle_t *)&child->control_poll, on_poll_closed);
		close_fd(&child->control);
	}
}

static void kill_if_running(struct child *child)
{
	if (!child->has_ended) {
		uv_process_kill(&child->process, SIGKILL);
	}
}

/* Takes one packet. False if there is none, or none will come any more. */
static bool take_packet(struct child *child)
{
	static char packet[WIRE_PACKET_MAX];
	int fds[FDPASS_MAX];
	size_t fd_count;

	ssize_t size = fdpass_receive(child->control, packet, sizeof(packet), fds, &fd_count);
	if (size == -EAGAIN) {
		return false;
	}
	fdpass_close_all(fds, fd_count);
	if (size <= 0) {
		stop_listening(child);
		return false;
	}
	if (wire_check(child->phase, packet, (size_t)size, fd_count) < 0) {
		stop_listening(child);
		kill_if_running(child);
		return false;
	}
	if (wire_type_of(packet) == WIRE_READY) {
		child->phase = WIRE_PHASE_SERVING;
	}
	child->events->message(child->owner, packet, (size_t)size);
	return child->owner && child->is_polling;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct child *child = container_of(poll, struct child, control_poll);

	(void)status;
	(void)events;
	/* One that talks without end is not listened to without end. */
	for (unsigned int i = 0; i < PACKETS_AT_ONCE && take_packet(child); i++) {
	}
}

static void on_process_end(uv_process_t *process, int64_t status, int signal)
{
	struct child *child = container_of(process, struct child, process);

	child->has_ended = true;
	/* Its last words may be noticed after its end. */
	while (child->is_polling && child->owner && take_packet(child)) {
	}
	stop_listening(child);
	uv_close((uv_handle_t *)process, on_process_closed);
	if (child->owner) {
		void *owner = child->owner;
		child->owner = NULL;
		child->events->ended(owner, status, signal);
	}
}

static int spawn(struct child *child, uv_loop_t *loop, const struct child_options *options,
	int control, int log)
{
	char *arguments[] = {(char *)options->program, "--become", (char *)options->become, NULL};
	char *environment[] = {NULL};
	uv_stdio_container_t stdio[] = {
		{.flags = UV_IGNORE},
		{.flags = UV_IGNORE},
		{.flags = UV_INHERIT_FD, .data.fd = log},
		[CONTROL_FD] = {.flags = UV_INHERIT_FD, .data.fd = control},
	};
	uv_process_options_t process = {.exit_cb = on_process_end,
		.file = options->program,
		.args = arguments,
		.env = environment,
		.cwd = "/",
		.flags = UV_PROCESS_DETACHED, /* what the terminal sends us is not for it */
		.stdio_count = (int)array_length(stdio),
		.stdio = stdio};

	if (!options->become) {
		arguments[1] = NULL;
	}
	int result = uv_spawn(loop, &child->process, &process);
	child->open_handles++; /* also one that failed wants closing */
	return result;
}

/* Gives up a child that was never its owner's. */
static int abandon(struct child *child, int error)
{
	child->owner = NULL;
	stop_listening(child);
	if (uv_is_active((uv_handle_t *)&child->process)) {
		uv_process_kill(&child->process, SIGKILL); /* closed when it has ended */
	} else {
		uv_close((uv_handle_t *)&child->process, on_process_closed);
	}
	return error;
}

static int listen_to(struct child *child, uv_loop_t *loop, int *control)
{
	int result = uv_poll_init(loop, &child->control_poll, *control);

	if (result < 0) {
		return result;
	}
	child->control = steal_fd(control);
	child->is_polling = true;
	child->open_handles++;
	return uv_poll_start(&child->control_poll, UV_READABLE | UV_DISCONNECT, on_readable);
}

int child_start(struct child **childp, uv_loop_t *loop, const struct child_options *options)
{
	int pair[2] = {-1, -1};
	cleanup_fd int log = -1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		return -errno;
	}
	cleanup_fd int ours = pair[0];
	cleanup_fd int theirs = pair[1];
	int result = relay_start(&log, loop, options->label, RELAY_WORDS);
	if (result < 0) {
		return result;
	}
	struct child *child = calloc(1, sizeof(*child));
	if (!child) {
		return -ENOMEM;
	}
	child->control = -1;
	child->phase = WIRE_PHASE_READY;
	child->events = options->events;
	child->owner = options->owner;
	result = spawn(child, loop, options, theirs, log);
	if (result == 0) {
		result = listen_to(child, loop, &ours);
	}
	if (result < 0) {
		return abandon(child, result);
	}
	*childp = child;
	return 0;
}

int child_send_start(
	struct child *child, const struct wire_start *start, const int *fds, size_t fd_count)
{
	return child->is_polling ? fdpass_send(child->control, start, sizeof(*start), fds, fd_count)
				 : -EPIPE;
}

pid_t child_pid(const struct child *child)
{
	return child->process.pid;
}

void child_kill(struct child *child)
{
	if (child) {
		child->owner = NULL;
		stop_listening(child);
		kill_if_running(child);
	}
}

void child_release(struct child *child)
{
	if (child && !child->has_ended) {
		child->owner = NULL;
		stop_listening(child);
		uv_close((uv_handle_t *)&child->process, on_process_closed);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/discard.h"
#include "daemon/base/fdpass.h"
#include "daemon/base/wire.h"
#include "daemon/relay.h"

/* Where usher-broker finds its control socket. */
#define CONTROL_FD      3
#define PACKETS_AT_ONCE 64u

struct child {
	uv_process_t process; /* if it is ours, */
	uv_poll_t end_poll;   /* and if it is adopted: its pidfd tells its end */
	uv_poll_t control_poll;
	pid_t pid;
	int pidfd; /* -1: it is not adopted */
	int control;
	int words; /* a copy of the reader's end of its standard error */
	enum wire_phase phase;
	bool is_polling;
	bool is_foreign; /* it has spoken in another version than ours */
	bool has_ended;  /* its number may be another's by now */
	unsigned int open_handles;
	const struct child_events *events;
	void *owner; /* NULL: not to be called any more */
};

static void on_handle_closed(struct child *child)
{
	if (--child->open_handles == 0) {
		close_fd(&child->words);
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

static void on_end_poll_closed(uv_handle_t *handle)
{
	on_handle_closed(container_of((uv_poll_t *)handle, struct child, end_poll));
}

static void stop_watching(struct child *child)
{
	if (child->pidfd < 0) {
		uv_close((uv_handle_t *)&child->process, on_process_closed);
	} else {
		uv_close((uv_handle_t *)&child->end_poll, on_end_poll_closed);
		close_fd(&child->pidfd);
	}
}

static void stop_polling(struct child *child)
{
	child->is_polling = false;
	uv_close((uv_handle_t *)&child->control_poll, on_poll_closed);
	close_fd(&child->control);
}

/* Nobody will: what it has said and we have not heard goes, also where it is kept. */
static void stop_listening(struct child *child)
{
	if (child->is_polling) {
		discard_unread(child->control);
		stop_polling(child);
	}
}

static void kill_if_running(struct child *child)
{
	if (child->has_ended) {
		return;
	}
	if (child->pidfd < 0) {
		uv_process_kill(&child->process, SIGKILL);
	} else {
		(void)syscall(SYS_pidfd_send_signal, child->pidfd, SIGKILL, NULL, 0);
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
	int error = wire_check(child->phase, packet, (size_t)size, fd_count);
	if (error < 0) {
		child->is_foreign = error == -EPROTONOSUPPORT;
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

static void end(struct child *child, int64_t status, int signal)
{
	child->has_ended = true;
	/* Its last words may be noticed after its end; others may have its socket, and talk on. */
	for (unsigned int i = 0;
		i < PACKETS_AT_ONCE && child->is_polling && child->owner && take_packet(child);
		i++) {
	}
	stop_listening(child);
	stop_watching(child);
	if (child->owner) {
		void *owner = child->owner;
		child->owner = NULL;
		child->events->ended(
			owner, status, child->is_foreign ? CHILD_SIGNAL_FOREIGN : signal);
	}
}

static void on_process_end(uv_process_t *process, int64_t status, int signal)
{
	end(container_of(process, struct child, process), status, signal);
}

/* How it ended only its parent gets to know. */
static void on_adopted_end(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	end(container_of(poll, struct child, end_poll), 0, CHILD_SIGNAL_UNKNOWN);
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
	discard_settle();
	int result = uv_spawn(loop, &child->process, &process);
	child->open_handles++; /* also one that failed wants closing */
	return result;
}

/* Gives up a child that was never its owner's. */
static int abandon(struct child *child, int error)
{
	child->owner = NULL;
	stop_listening(child);
	if (child->pidfd < 0 && uv_is_active((uv_handle_t *)&child->process)) {
		uv_process_kill(&child->process, SIGKILL); /* closed when it has ended */
	} else {
		stop_watching(child);
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

static struct child *make(const struct child_options *options, int *words)
{
	struct child *child = calloc(1, sizeof(*child));

	if (child) {
		child->control = -1;
		child->pidfd = -1;
		child->words = steal_fd(words);
		child->phase = WIRE_PHASE_READY;
		child->events = options->events;
		child->owner = options->owner;
	}
	return child;
}

int child_start(struct child **childp, uv_loop_t *loop, const struct child_options *options)
{
	int pair[2] = {-1, -1};
	cleanup_fd int log = -1;
	cleanup_fd int words = -1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		return -errno;
	}
	cleanup_fd int ours = pair[0];
	cleanup_fd int theirs = pair[1];
	int result = relay_start(&log, &words, loop, options->label, NULL, RELAY_WORDS);
	if (result < 0) {
		return result;
	}
	struct child *child = make(options, &words);
	if (!child) {
		return -ENOMEM;
	}
	result = spawn(child, loop, options, theirs, log);
	child->pid = child->process.pid;
	if (result == 0) {
		result = listen_to(child, loop, &ours);
	}
	if (result < 0) {
		return abandon(child, result);
	}
	*childp = child;
	return 0;
}

static int watch_end(struct child *child, uv_loop_t *loop, int *pidfd)
{
	int result = uv_poll_init(loop, &child->end_poll, *pidfd);

	if (result < 0) {
		return result;
	}
	child->pidfd = steal_fd(pidfd);
	child->open_handles++;
	return uv_poll_start(&child->end_poll, UV_READABLE, on_adopted_end);
}

int child_adopt(struct child **childp, uv_loop_t *loop, const struct child_options *options,
	const struct child_estate *estate)
{
	cleanup_fd int pidfd = fcntl(estate->pidfd, F_DUPFD_CLOEXEC, 0);
	cleanup_fd int control = -1;
	cleanup_fd int words = -1;

	if (pidfd < 0) {
		return -errno;
	}
	if (estate->control >= 0) {
		control = fcntl(estate->control, F_DUPFD_CLOEXEC, 0);
		words = fcntl(estate->words, F_DUPFD_CLOEXEC, 0);
		(void)relay_resume(estate->words, loop, options->label, NULL, RELAY_WORDS);
	}
	struct child *child = make(options, &words);
	if (!child) {
		return -ENOMEM;
	}
	child->pid = estate->pid;
	child->phase = estate->serves ? WIRE_PHASE_SERVING : WIRE_PHASE_READY;
	int result = watch_end(child, loop, &pidfd);
	if (result < 0) {
		close_fd(&child->words);
		free(child);
		return result;
	}
	if (control >= 0) {
		result = listen_to(child, loop, &control);
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

int child_send_policy(struct child *child, uint64_t number, int snapshot)
{
	const struct wire_policy policy = {
		.header = wire_header_make(WIRE_POLICY, sizeof(policy)), .number = number};

	return child->is_polling
		       ? fdpass_send(child->control, &policy, sizeof(policy), &snapshot, 1)
		       : -EPIPE;
}

int child_send_signal(struct child *child, int signal)
{
	const struct wire_signal packet = {
		.header = wire_header_make(WIRE_SIGNAL, sizeof(packet)), .signal = signal};

	return child->is_polling ? fdpass_send(child->control, &packet, sizeof(packet), NULL, 0)
				 : -EPIPE;
}

pid_t child_pid(const struct child *child)
{
	return child->pid;
}

void child_descriptors(const struct child *child, int *control, int *words)
{
	*control = child->control;
	*words = child->words;
}

void child_replace(struct child *child)
{
	kill_if_running(child);
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
		if (child->is_polling) {
			stop_polling(child);
		}
		stop_watching(child);
	}
}

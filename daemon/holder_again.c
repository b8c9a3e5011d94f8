/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/holder_again.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/discard.h"
#include "daemon/context.h"
#include "daemon/doors.h"
#include "daemon/holder.h"
#include "daemon/journal.h"
#include "daemon/service.h"
#include "daemon/session.h"
#include "daemon/session_keep.h"
#include "daemon/store.h"

#define DELAY_FIRST_MS   10u
#define DELAY_LONGEST_MS 10000u
/* One that has lived so long did not die of how it was started. */
#define LONG_LIFE_MS 10000u

static void on_ended(uv_process_t *process, int64_t status, int signal)
{
	struct holder_again *again = container_of(process, struct holder_again, process);

	(void)status;
	(void)signal;
	again->has_process = false;
	uv_close((uv_handle_t *)process, NULL);
}

/* Our own arguments, with the one that makes a holder of it. Allocated, or NULL. */
static char **arguments_of(char **argv)
{
	size_t count = 0;

	while (argv[count]) {
		count++;
	}
	char **arguments = calloc(count + 2, sizeof(*arguments));
	if (arguments) {
		arguments[0] = argv[0];
		arguments[1] = HOLDER_OPTION;
		memcpy(arguments + 2, argv + 1, count * sizeof(*arguments));
	}
	return arguments;
}

/* `theirs` and `ours` are the two ends of its socket. */
static int spawn(struct holder_again *again, int theirs, int ours, int self)
{
	char program[PATH_MAX];
	cleanup_free char **arguments = arguments_of(again->argv);
	uv_stdio_container_t stdio[] = {
		{.flags = UV_IGNORE},
		{.flags = UV_INHERIT_FD, .data.fd = STDOUT_FILENO},
		{.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
		[HOLDER_FD_ITS] = {.flags = UV_INHERIT_FD, .data.fd = theirs},
		[HOLDER_FD_OURS] = {.flags = UV_INHERIT_FD, .data.fd = ours},
		[HOLDER_FD_USHERD] = {.flags = UV_INHERIT_FD, .data.fd = self},
	};
	uv_process_options_t options = {.exit_cb = on_ended,
		.file = program,
		.args = arguments,
		.flags = UV_PROCESS_DETACHED,
		.stdio_count = (int)array_length(stdio),
		.stdio = stdio};
	int result = arguments ? holder_find_program(program, sizeof(program)) : -ENOMEM;

	if (result < 0) {
		return result;
	}
	discard_settle();
	result = uv_spawn(again->context->loop, &again->process, &options);
	again->has_process = result == 0;
	if (result < 0) {
		uv_close((uv_handle_t *)&again->process, NULL);
	}
	return result;
}

static int start(struct holder_again *again)
{
	int pair[2] = {-1, -1};

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		return -errno;
	}
	cleanup_fd int theirs = pair[0];
	cleanup_fd int ours = pair[1];
	cleanup_fd int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	int result = self < 0 ? -errno : spawn(again, theirs, ours, self);
	return result < 0 ? result : service_take_holder(steal_fd(&ours));
}

static void on_kept(void *owner)
{
	struct holder_again *again = owner;

	again->sync = NULL;
	journal_notice(
		"another holder keeps what the next usherd needs, pid %d", again->process.pid);
}

/* All that outlives us, into the store that has nothing yet. */
static void keep_all(struct holder_again *again)
{
	struct context *context = again->context;
	struct session *session;
	unsigned int lost = 0;

	store_renew(&context->store);
	doors_keep(again->doors);
	LIST_FOREACH(session, &context->sessions, entry)
	{
		lost += session_keep_again(session) < 0;
	}
	(void)store_sync(&context->store, &again->sync, context->loop, on_kept, again);
	if (lost > 0) {
		journal_warning("%u sessions cannot be kept: they end with usherd", lost);
	}
}

static void wait_longer(struct holder_again *again)
{
	again->delay_ms = again->delay_ms == 0 ? DELAY_FIRST_MS : 2 * again->delay_ms;
	if (again->delay_ms > DELAY_LONGEST_MS) {
		again->delay_ms = DELAY_LONGEST_MS;
	}
}

static void on_timer(uv_timer_t *timer)
{
	struct holder_again *again = container_of(timer, struct holder_again, timer);
	/* Of the one before we have not even heard that it is dead. */
	int result = again->has_process ? -EAGAIN : start(again);

	if (result == 0) {
		again->started_ms = uv_now(timer->loop);
		keep_all(again);
		return;
	}
	if (result != -EAGAIN) {
		journal_error("another holder cannot be started: %s", strerror(-result));
	}
	wait_longer(again);
	uv_timer_start(timer, on_timer, again->delay_ms, 0);
}

int holder_again_init(
	struct holder_again *again, struct context *context, struct doors *doors, char **argv)
{
	*again = (struct holder_again){.context = context, .doors = doors, .argv = argv};
	int result = uv_timer_init(context->loop, &again->timer);
	again->has_timer = result == 0;
	return result;
}

void holder_again_begin(struct holder_again *again)
{
	store_sync_forget(steal_pointer(&again->sync));
	if (uv_now(again->context->loop) - again->started_ms >= LONG_LIFE_MS) {
		again->delay_ms = 0;
	}
	wait_longer(again);
	uv_timer_start(&again->timer, on_timer, again->delay_ms, 0);
}

void holder_again_finish(struct holder_again *again)
{
	if (again->has_timer) {
		uv_close((uv_handle_t *)&again->timer, NULL);
	}
	if (again->has_process) {
		uv_close((uv_handle_t *)&again->process, NULL);
	}
	store_sync_forget(steal_pointer(&again->sync));
	again->has_timer = again->has_process = false;
}

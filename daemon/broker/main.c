/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usher-broker: serves one session. Started by usherd or by `usher run`, never by hand, with the
 * control socket as descriptor 3. The main thread runs the loop: the supervisor's socket, the end
 * of the session (nobody uses the filter any more), the program as our child in embedded mode, and
 * the workers' watchdog. It ends when the session does; the death of the supervisor does not end
 * it, unless the program is ours to end.
 */
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/fdpass.h"
#include "daemon/base/wire.h"
#include "daemon/broker/audit.h"
#include "daemon/broker/become.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/confine.h"
#include "daemon/broker/crash.h"
#include "daemon/broker/dns.h"
#include "daemon/broker/follow.h"
#include "daemon/broker/members.h"
#include "daemon/broker/notify.h"
#include "daemon/broker/start.h"
#include "daemon/broker/supervisor.h"
#include "daemon/broker/workers.h"

struct session {
	struct broker broker;
	struct follow follow; /* the policies that take the place of the broker's own */
	pid_t child;          /* embedded mode: the program, until it has ended; else 0 */
	bool over;            /* the listener has no targets any more */
	uv_loop_t loop;
	uv_poll_t control, listener;
	uv_signal_t child_signal;
};

struct options {
	const char *become;
	pid_t child;
};

static int parse_options(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{"become", required_argument, NULL, 'b'},
		{"child", required_argument, NULL, 'c'},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 'b':
			options->become = optarg;
			break;
		case 'c':
			options->child = (pid_t)strtol(optarg, NULL, 10);
			break;
		default:
			return -EINVAL;
		}
	}
	return optind == argc ? 0 : -EINVAL;
}

static void end_if_over(struct session *session)
{
	if (session->over && session->child == 0) {
		audit_drain(session->broker.audit);
		_exit(EXIT_SUCCESS);
	}
}

static void tell_child(const struct session *session, int status)
{
	struct wire_child child = {.header = wire_header_make(WIRE_CHILD, sizeof(child)),
		.pid = session->child,
		.status = status};

	(void)fdpass_send(SUPERVISOR_FD, &child, sizeof(child), NULL, 0);
}

/* What waitid(2) tells, as waitpid(2) would. */
static int wait_status(const siginfo_t *info)
{
	switch (info->si_code) {
	case CLD_EXITED:
		return W_EXITCODE(info->si_status, 0);
	case CLD_DUMPED:
		return W_EXITCODE(0, info->si_status) | WCOREFLAG;
	case CLD_STOPPED:
	case CLD_TRAPPED:
		return W_STOPCODE(info->si_status);
	case CLD_CONTINUED:
		return 0xffff; /* __W_CONTINUED */
	default:
		return W_EXITCODE(0, info->si_status);
	}
}

static bool child_has(const struct session *session, siginfo_t *info, int what)
{
	*info = (siginfo_t){.si_pid = 0};
	return session->child > 0 &&
	       waitid(P_PID, (id_t)session->child, info, what | WNOHANG) == 0 && info->si_pid > 0;
}

/* Its end is told before it is taken: if we die between, it is still there for the supervisor. */
static void look_after_child(struct session *session)
{
	siginfo_t info;

	while (child_has(session, &info, WSTOPPED | WCONTINUED)) {
		tell_child(session, wait_status(&info));
	}
	if (child_has(session, &info, WEXITED | WNOWAIT)) {
		audit_drain(session->broker.audit);
		tell_child(session, wait_status(&info));
		(void)child_has(session, &info, WEXITED);
		session->child = 0;
	}
	end_if_over(session);
}

static void on_child_signal(uv_signal_t *handle, int number)
{
	(void)number;
	look_after_child(container_of(handle, struct session, child_signal));
}

/* `usher run` has been killed: natively that would have been the program. */
static void on_supervisor_gone(struct session *session)
{
	uv_poll_stop(&session->control);
	look_after_child(session);
	if (session->child > 0) {
		kill(session->child, SIGKILL);
	}
}

/* What we cannot take a successor can: it begins with it. */
static void on_policy(struct session *session, const struct wire_policy *policy, int snapshot)
{
	const struct wire_taken taken = {
		.header = wire_header_make(WIRE_TAKEN, sizeof(taken)), .number = policy->number};
	int error = follow_policy(&session->follow, snapshot);

	if (error < 0) {
		(void)supervisor_tell(error, "the broker cannot take on another policy; it ends, "
					     "and its successor begins with it");
		_exit(EXIT_FAILURE);
	}
	(void)fdpass_send(SUPERVISOR_FD, &taken, sizeof(taken), NULL, 0);
}

static void on_control(uv_poll_t *handle, int status, int events)
{
	struct session *session = container_of(handle, struct session, control);
	union {
		struct wire_header header;
		struct wire_policy policy;
		struct wire_signal signal;
	} packet; /* nothing else is said to a broker that serves */
	int fds[FDPASS_MAX];
	size_t fd_count;

	(void)events;
	ssize_t size =
		status < 0 ? status
			   : fdpass_receive(SUPERVISOR_FD, &packet, sizeof(packet), fds, &fd_count);
	if (size == -EAGAIN) {
		return;
	}
	if (size <= 0) {
		on_supervisor_gone(session);
		return;
	}
	if (wire_check(WIRE_PHASE_SERVED, &packet, (size_t)size, fd_count) == 0) {
		if (packet.header.type == WIRE_SIGNAL) {
			members_signal(session->follow.current, packet.signal.signal);
		} else {
			on_policy(session, &packet.policy, fds[0]);
		}
	}
	fdpass_close_all(fds, fd_count);
}

static void on_listener(uv_poll_t *handle, int status, int events)
{
	struct session *session = container_of(handle, struct session, listener);

	(void)status;
	(void)events;
	uv_poll_stop(handle);
	session->over = true;
	end_if_over(session);
}

/* UV_DISCONNECT alone: readiness is the workers' affair, hang-up is always told. */
static int watch(struct session *session)
{
	int error = uv_loop_init(&session->loop);

	if (error == 0) {
		error = uv_poll_init(&session->loop, &session->control, SUPERVISOR_FD);
	}
	if (error == 0) {
		error = uv_poll_start(&session->control, UV_READABLE | UV_DISCONNECT, on_control);
	}
	if (error == 0) {
		error = uv_poll_init(&session->loop, &session->listener, session->broker.listener);
	}
	if (error == 0) {
		error = uv_poll_start(&session->listener, UV_DISCONNECT, on_listener);
	}
	if (error == 0) {
		error = uv_signal_init(&session->loop, &session->child_signal);
	}
	if (error == 0) {
		error = uv_signal_start(&session->child_signal, on_child_signal, SIGCHLD);
	}
	return error;
}

static int say_ready(const struct session *session)
{
	struct wire_ready ready = {.header = wire_header_make(WIRE_READY, sizeof(ready)),
		.session = session->broker.session};

	return fdpass_send(SUPERVISOR_FD, &ready, sizeof(ready), NULL, 0);
}

/* Descriptors that work while the loop watches a file of another kind: seccomp's can be polled. */
static int begin(struct session *session)
{
	struct start_failure failure = {.text = ""};
	bool resumes = false;
	int error = start_receive(&session->broker, SUPERVISOR_FD, &resumes, &failure);

	if (error == 0) {
		error = notify_check_sizes();
	}
	if (error == 0) {
		notify_prefer_sync_wake_up(session->broker.listener);
	}
	if (error == 0 && !broker_knows(&session->broker, SESSION_READY)) {
		error = start_probe(&session->broker, SUPERVISOR_FD, &failure);
	}
	if (error < 0) {
		return supervisor_tell(error, failure.text[0] ? failure.text : strerror(-error));
	}
	session->follow = (struct follow){
		.loop = &session->loop, .first = &session->broker, .current = &session->broker};
	error = watch(session);
	if (error == 0) {
		error = dns_start(&session->broker, &session->loop, &failure);
	}
	if (error == 0) {
		error = start_give_up(&session->broker);
	}
	if (error == 0) {
		error = workers_start(&session->broker, &session->loop, resumes);
	}
	if (error < 0) {
		return supervisor_tell(
			error, failure.text[0] ? failure.text
					       : "the broker cannot start its threads; is a limit "
						 "reached (TasksMax=, ulimit -u)?");
	}
	return say_ready(session);
}

int main(int argc, char **argv)
{
	static struct session session;
	struct options options = {0};

	(void)mallopt(M_ARENA_MAX, 1); /* threads hardly allocate, and each would have its own */
	if (parse_options(&options, argc, argv) < 0) {
		(void)fputs("usher-broker is started by usherd and by 'usher run', not by hand\n",
			stderr);
		return EXIT_FAILURE;
	}
	if (options.become && become_parse_and_drop(options.become) < 0) {
		(void)supervisor_tell(-EPERM, "the broker cannot take on the client's identity");
		return EXIT_FAILURE;
	}
	crash_watch();
	if (confine(SUPERVISOR_FD) < 0) {
		(void)supervisor_tell(-EPERM, "the broker cannot confine itself");
		return EXIT_FAILURE;
	}
	session.child = options.child;
	if (begin(&session) < 0) {
		return EXIT_FAILURE;
	}
	look_after_child(&session);
	(void)malloc_trim(0); /* making the filter took more than is used ever after */
	uv_run(&session.loop, UV_RUN_DEFAULT);
	return EXIT_FAILURE;
}

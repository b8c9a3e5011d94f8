/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usher run without a daemon. Three processes, each the parent of the next:
 *
 *   usher run     (front.c) the job that the shell knows; keeps listener, session memory, policy
 *   usher-broker  so that Yama lets it look into its descendants
 *   the program   hands its listener over to us, as it would to usherd
 *
 * We are subreaper: if the broker dies the program becomes our child, and a successor serves it.
 */
#include "client/embedded.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/commands.h"
#include "client/own_rights.h"
#include "client/policy_file.h"
#include "client/rendezvous.h"
#include "client/run.h"
#include "daemon/base/cleanup.h"
#include "daemon/base/clone.h"
#include "daemon/base/fdpass.h"
#include "daemon/base/install.h"
#include "daemon/base/session_memory.h"
#include "daemon/base/wire.h"
#include "daemon/policy/enforcement.h"
#include "daemon/policy/filter_launch.h"
#include "daemon/policy/policy.h"

#define BROKER_CONTROL_FD 3

/* For a broker-to-be, and for the program until it is executed. */
#define STACK_BYTES (1024u * 1024u)

/* As many brokers may die before the program has started. */
#define HANDOVER_DEATHS_MAX 8

static int socket_pair(int pair[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ? -errno : 0;
}

/* A packet that is legal in `phase`. 0 or a negative errno; -ECONNRESET at the end of the
 * connection. */
static int receive(int socket, enum wire_phase phase, void *packet, int *fds, size_t *fd_count)
{
	ssize_t size = fdpass_receive(socket, packet, WIRE_PACKET_MAX, fds, fd_count);

	if (size <= 0) {
		return size < 0 ? (int)size : -ECONNRESET;
	}
	int error = wire_check(phase, packet, (size_t)size, *fd_count);
	if (error < 0) {
		fdpass_close_all(fds, *fd_count);
	}
	return error;
}

/* Sends START to the broker with all its descriptors. 0 or a negative errno. */
static int send_start(const struct embedded *session, bool resume)
{
	struct wire_start start = {.header = wire_header_make(WIRE_START, sizeof(start)),
		.session = session->session,
		.flags = resume ? WIRE_START_RESUME : 0,
		.tid = session->program};
	int fds[WIRE_FDS_MAX] = {session->listener, session->memory, session->snapshot};
	size_t fd_count = 3;

	if (session->log_fd >= 0) {
		start.flags |= WIRE_START_LOG;
		fds[fd_count++] = session->log_fd;
	}
	if (session->verbose_fd >= 0) {
		start.flags |= WIRE_START_VERBOSE;
		fds[fd_count++] = session->verbose_fd;
	}
	start.given_count = (uint32_t)session->given_count;
	for (size_t i = 0; i < session->given_count; i++) {
		fds[fd_count++] = session->given[i];
	}
	return fdpass_send(session->control, &start, sizeof(start), fds, fd_count);
}

/* The calling process becomes the broker. It may share its memory with whoever waits for that. */
ON_OTHER_STACK _Noreturn static void become_broker(const char *path, int control, pid_t child)
{
	char number[16];
	char *arguments[] = {"usher-broker", child > 0 ? "--child" : NULL, number, NULL};
	char *environment[] = {NULL};
	int null = open("/dev/null", O_RDWR);

	(void)snprintf(number, sizeof(number), "%d", child);
	for (int fd = 0; null >= 0 && fd < BROKER_CONTROL_FD; fd++) {
		dup2(null, fd);
	}
	/* dup2 onto itself would keep CLOEXEC. */
	if (control == BROKER_CONTROL_FD) {
		(void)fcntl(control, F_SETFD, 0);
	} else {
		dup2(control, BROKER_CONTROL_FD);
	}
	execve(path, arguments, environment);
	_exit(EXIT_RUN);
}

/* What a broker-to-be needs. */
struct birth {
	struct embedded *session;
	const char *path; /* of usher-broker */
	int control;      /* its own end */
	/* Of the first broker, which has the program for its child: */
	const int *handover_pair; /* ours, the program's */
	const struct run_options *options;
	const struct handover_hello *hello;
};

/*
 * Runs `child` in a new process that has our memory until it has become the broker, while we wait:
 * nothing of it is copied. The new process, or a negative errno.
 */
static pid_t start_broker(int (*child)(void *birth), struct birth *birth)
{
	cleanup_free char *path = install_broker_path();
	char *stack = path ? mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0)
			   : MAP_FAILED;

	if (stack == MAP_FAILED) {
		return -errno;
	}
	birth->path = path;
	pid_t pid =
		clone_sharing(child, stack + STACK_BYTES, CLONE_VM | CLONE_VFORK | SIGCHLD, birth);
	int error = errno;
	munmap(stack, STACK_BYTES);
	return pid < 0 ? -error : pid;
}

ON_OTHER_STACK static int become_successor(void *argument)
{
	const struct birth *birth = argument;

	become_broker(birth->path, birth->control, 0);
}

int embedded_start_successor(struct embedded *session)
{
	int pair[2];
	int error = socket_pair(pair);

	if (error < 0) {
		return error;
	}
	struct birth birth = {.session = session, .control = pair[1]};
	pid_t pid = start_broker(become_successor, &birth);
	close(pair[1]);
	close_fd(&session->control);
	session->control = pair[0];
	session->broker = pid;
	if (pid < 0) {
		return pid;
	}
	/* One that is dead already is noticed by its socket, as any other. */
	error = send_start(session, true);
	return error == -EPIPE || error == -ECONNRESET ? 0 : error;
}

ON_OTHER_STACK _Noreturn static void become_program(
	int socket, const struct run_options *options, const struct handover_hello *hello)
{
	struct handover_failure failure = {.text = ""};
	struct rendezvous rendezvous = {.socket = socket};

	if (handover(&rendezvous, hello, &failure) < 0) {
		(void)fprintf(stderr, "usher: %s\n", failure.text);
		_exit(EXIT_RUN);
	}
	_exit(run_program(options->command));
}

/*
 * The program gets a copy of our memory, since it makes its own way from here on. Of our ends it
 * keeps none: if we die before it has begun, it and the broker have to see them close.
 */
ON_OTHER_STACK static int become_first(void *argument)
{
	struct birth *birth = argument;
	pid_t program = fork();

	if (program == 0) {
		close(birth->control);
		close(birth->session->control);
		close(birth->handover_pair[0]);
		become_program(birth->handover_pair[1], birth->options, birth->hello);
	}
	birth->session->program = program;
	if (program < 0) {
		_exit(EXIT_RUN);
	}
	become_broker(birth->path, birth->control, program);
}

/* Starts broker and program. */
static int start_processes(struct embedded *session, const int handover_pair[2], int control,
	const struct run_options *options, const struct handover_hello *hello)
{
	struct birth birth = {.session = session,
		.control = control,
		.handover_pair = handover_pair,
		.options = options,
		.hello = hello};

	session->broker = start_broker(become_first, &birth);
	if (session->broker < 0) {
		return session->broker;
	}
	return session->program > 0 ? 0 : -EAGAIN;
}

static int send_filter(int socket, const struct enforcement *enforcement)
{
	cleanup_free char *packet = malloc(WIRE_PACKET_MAX);
	const struct wire_filter_parts parts =
		enforcement_parts(enforcement, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);

	return packet ? fdpass_send(socket, packet, wire_filter_make(packet, &parts), NULL, 0)
		      : -ENOMEM;
}

/* What the broker says: READY or REFUSED. One that dies meanwhile is replaced, not for ever. */
static int hear_broker(struct embedded *session, void *packet)
{
	int fds[FDPASS_MAX];
	size_t fd_count;
	int error = send_start(session, false);

	for (unsigned int deaths = 0;; deaths++) {
		if (error == 0) {
			error = receive(session->control, WIRE_PHASE_READY, packet, fds, &fd_count);
		}
		if ((error != -ECONNRESET && error != -EPIPE) || deaths == HANDOVER_DEATHS_MAX) {
			return error;
		}
		waitpid(session->broker, NULL, 0);
		error = embedded_start_successor(session);
	}
}

/* Starts the session and passes on what comes of it. `packet` has room for any. */
static int relay_answer(struct embedded *session, int socket, void *packet)
{
	int error = hear_broker(session, packet);

	if (error < 0) {
		size_t size = wire_refused_make(packet, error,
			error == -EPROTONOSUPPORT
				? "usher-broker is of another release than usher; install both of "
				  "the same"
				: "the broker died during the hand-over; is usher-broker "
				  "installed?");
		(void)fdpass_send(socket, packet, size, NULL, 0);
		return error;
	}
	const struct wire_header *header = packet;
	error = fdpass_send(socket, packet, header->size, NULL, 0);
	return header->type == WIRE_READY ? error : -ECONNABORTED;
}

/* `landlock`: are operations on files to be Landlock's that can be? */
static int make_enforcement(struct enforcement *enforcement, const struct policy *policy,
	bool landlock, enum enforcement_part *failed)
{
	const struct enforcement_options options = {
		.targets_are_root = own_ids_can_vary(), .offers_landlock = landlock};

	return enforcement_make(enforcement, policy, &options, failed);
}

/* A HELLO, answered. Its descriptors are ours already. */
static int answer_hello(int socket, const void *packet, const struct policy *policy,
	struct enforcement *enforcement)
{
	const struct wire_hello *hello = packet;
	enum enforcement_part failed;
	int error = 0;

	/* What the client has been offered does not suit this machine. */
	if ((hello->flags & WIRE_HELLO_LANDLOCK) == 0 && enforcement->landlock != 0) {
		enforcement_finish(enforcement);
		error = make_enforcement(enforcement, policy, false, &failed);
	}
	return error < 0 ? error : send_filter(socket, enforcement);
}

/*
 * The supervisor's side of the hand-over. 0 or a negative errno: whatever went wrong has been told
 * by the client, who is the one that knows, or is the client's own end.
 */
static int serve_handover(struct embedded *session, int socket, const struct policy *policy,
	struct enforcement *enforcement)
{
	cleanup_free char *packet = malloc(WIRE_PACKET_MAX);
	enum wire_phase phase = WIRE_PHASE_HELLO;
	int fds[FDPASS_MAX];
	size_t fd_count;
	int error = packet ? 0 : -ENOMEM;

	while (error == 0) {
		error = receive(socket, phase, packet, fds, &fd_count);
		if (error < 0 || wire_type_of(packet) != WIRE_HELLO) {
			break;
		}
		fdpass_close_all(fds, fd_count);
		error = answer_hello(socket, packet, policy, enforcement);
		phase = WIRE_PHASE_LISTENER;
	}
	if (error == 0 && wire_type_of(packet) != WIRE_LISTENER) {
		error = -ECONNABORTED; /* REFUSED */
	}
	if (error < 0) {
		return error;
	}
	session->listener = fds[0];
	session->given_count = fd_count - 1;
	memcpy(session->given, fds + 1, session->given_count * sizeof(fds[0]));
	return relay_answer(session, socket, packet);
}

/* What the broker serves. `name` is the policy's. */
static int prepare(struct embedded *session, struct enforcement *enforcement,
	const struct policy *policy, const char *name)
{
	struct session_memory *memory = NULL;
	enum enforcement_part failed;
	int error = make_enforcement(enforcement, policy, true, &failed);

	if (error < 0 && failed == ENFORCEMENT_LAUNCH) {
		(void)fprintf(stderr,
			"usher: no program can be started under the policy '%s': [syscalls] "
			"refuses %s; allow it\n",
			name, filter_launch_obstacle(&enforcement->filter));
		return error;
	}
	if (error < 0) {
		(void)fprintf(stderr,
			"usher: the policy '%s' cannot be made into a filter: %s; 'usher check' "
			"tells more\n",
			name, strerror(-error));
		return error;
	}
	session->snapshot = policy_to_snapshot(policy);
	session->memory = session_memory_create(session->session, &memory);
	session_memory_unmap(memory);
	error = session->snapshot < 0 ? session->snapshot : session->memory;
	if (error < 0) {
		(void)fprintf(stderr, "usher: no memory for the session: %s%s\n", strerror(-error),
			error == -EFBIG ? "; raise the limit of file sizes (ulimit -H -f)" : "");
	}
	return error < 0 ? error : 0;
}

/* Broker and program get ready while policy and filter are made, on another processor if there is
 * one. */
static int start(struct embedded *session, int *handover_socket, const struct run_options *options,
	const struct handover_hello *hello)
{
	int control[2] = {-1, -1};
	int handover_pair[2] = {-1, -1};
	int error = socket_pair(control);

	if (error == 0) {
		error = socket_pair(handover_pair);
	}
	if (error == 0) {
		error = prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ? -errno : 0;
	}
	session->control = control[0];
	if (error == 0) {
		error = start_processes(session, handover_pair, control[1], options, hello);
	}
	*handover_socket = handover_pair[0];
	close_fd(&control[1]);
	close_fd(&handover_pair[1]);
	if (error < 0) {
		(void)fprintf(stderr, "usher: the broker cannot be started: %s%s\n",
			strerror(-error),
			error != -ENOENT                      ? ""
			: access("/proc/self/exe", F_OK) == 0 ? "; is usher-broker installed?"
							      : "; /proc is not mounted here");
	}
	return error;
}

static void wait_for(pid_t pid)
{
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
	}
}

/* There will be no session: the program has not begun, and the broker ends with its control. */
static void call_off(struct embedded *session)
{
	if (session->program > 0) {
		(void)kill(session->program, SIGKILL);
	}
	close_fd(&session->control);
	wait_for(session->broker);
	wait_for(session->program); /* ours since its parent, the broker, has ended */
}

/* 0, or a negative errno that was told. Warnings are told, too. */
static int load_policy(struct policy **policyp, const struct run_options *options)
{
	const struct policy_wanted wanted = {
		.name = options->policy, .sets = &options->sets, .network = options->network};
	struct policy_file file;
	int error = policy_file_load(&file, &wanted);

	policy_file_complain(&file, options->policy, error);
	*policyp = steal_pointer(&file.policy);
	policy_file_finish(&file);
	return error;
}

/* Policy and filter are asked for by nobody after it: a successor has the snapshot. */
static int begin(struct embedded *session, int handover_socket, const struct run_options *options)
{
	struct enforcement enforcement = {0};
	cleanup_policy struct policy *policy = NULL;
	int error = load_policy(&policy, options);

	if (error == 0) {
		error = prepare(session, &enforcement, policy, options->policy);
	}
	if (error == 0 && serve_handover(session, handover_socket, policy, &enforcement) < 0) {
		/* The program says why and ends. The broker has ended, or waits for a START that
		 * there is not: it needs no successor. */
		close_fd(&session->control);
	}
	enforcement_finish(&enforcement);
	return error;
}

int embedded_run(const struct run_options *options, const struct handover_hello *hello)
{
	cleanup_fd int handover_socket = -1;
	struct embedded session = {.session = (uint64_t)getpid(),
		.control = -1,
		.listener = -1,
		.memory = -1,
		.snapshot = -1,
		.log_fd = hello->log_fd,
		.verbose_fd = hello->verbose_fd};

	int error = start(&session, &handover_socket, options, hello);
	if (error == 0) {
		front_lift_file_limit(); /* the program has its own already */
		error = begin(&session, handover_socket, options);
	}
	if (error < 0) {
		call_off(&session);
		return EXIT_RUN;
	}
	close_fd(&handover_socket);
	return front_run(&session);
}

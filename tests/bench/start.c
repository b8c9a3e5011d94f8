/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor of a start: the least of `usher run --embedded`. Three processes, each the parent of
 * the next, since the broker has to be the program's ancestor: one that waits, a broker that is
 * executed, and the program. Broker and launcher load the libraries that usher's load, and install
 * filters as long as usher's; the broker gets the listener from a thread that is not filtered, and
 * lets each call pass. No policy, no look at the target, no confinement worth the name.
 *
 *   start COMMAND [ARG...]
 *
 * Without arguments it is the broker, with a socket for descriptor 3. Ends with COMMAND's exit
 * status.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/fdpass.h"

/* As usher's are under `everything`: what is behind the last answer is translated, and never run.
 */
#define LAUNCHER_INSTRUCTIONS 408
#define BROKER_INSTRUCTIONS   177

#define BROKER_FD 3

static const unsigned int notified[] = {SYS_access, SYS_openat, SYS_newfstatat};

static _Noreturn void die(const char *what)
{
	(void)fprintf(stderr, "start: %s: %s\n", what, strerror(errno));
	_exit(125);
}

/* The listener, or 0 where nothing is notified. */
static int install(size_t length, size_t notified_count, unsigned long flags)
{
	static struct sock_filter filter[LAUNCHER_INSTRUCTIONS];
	const struct sock_fprog program = {.len = (unsigned short)length, .filter = filter};
	size_t count = 0;

	filter[count++] = (struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < notified_count; i++) {
		filter[count++] =
			(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, notified[i], 0, 1);
		filter[count++] =
			(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
	}
	while (count < length) {
		filter[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		die("no_new_privs");
	}
	long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
	if (listener < 0) {
		die("the filter cannot be installed");
	}
	return (int)listener;
}

/* ---- the broker ---- */

static void let_pass(int listener)
{
	struct seccomp_notif call = {0};

	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) == 0) {
		struct seccomp_notif_resp answer = {
			.id = call.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
		(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	}
}

static int serve(int socket)
{
	int fds[FDPASS_MAX], status = 0;
	size_t fd_count;
	char byte;

	(void)install(BROKER_INSTRUCTIONS, 0, 0);
	if (fdpass_receive(socket, &byte, 1, fds, &fd_count) <= 0 || fd_count != 1 ||
		fdpass_send(socket, &byte, 1, NULL, 0) < 0) {
		die("there is no listener");
	}
	struct pollfd polled = {.fd = fds[0], .events = POLLIN};
	while (poll(&polled, 1, -1) > 0 && !(polled.revents & POLLHUP)) {
		let_pass(fds[0]);
	}
	(void)wait(&status);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- the program ---- */

static int sockets[2];
static _Atomic int listener = -1;
static pthread_barrier_t loaded;

/* Not filtered: so no call of ours waits for who has not been told of the listener. */
static void *hand_over(void *unused)
{
	int fds[FDPASS_MAX];
	size_t fd_count;
	char byte = 0;

	(void)pthread_barrier_wait(&loaded);
	fds[0] = listener;
	if (fdpass_send(sockets[1], &byte, 1, fds, 1) < 0 ||
		fdpass_receive(sockets[1], &byte, 1, fds, &fd_count) <= 0) {
		die("the hand-over failed");
	}
	return unused;
}

static _Noreturn void become_program(char **command)
{
	pthread_t helper;

	pthread_barrier_init(&loaded, NULL, 2);
	if (pthread_create(&helper, NULL, hand_over, NULL) != 0) {
		die("a thread cannot be started");
	}
	listener = install(
		LAUNCHER_INSTRUCTIONS, array_length(notified), SECCOMP_FILTER_FLAG_NEW_LISTENER);
	(void)pthread_barrier_wait(&loaded);
	pthread_join(helper, NULL);
	execvp(command[0], command);
	die(command[0]);
}

/* Never returns in the child, which has our memory until it is the broker. */
static pid_t start_broker(const char *path, char **command)
{
	char *arguments[] = {"start-broker", NULL}, *environment[] = {NULL};
	pid_t broker = vfork();

	if (broker != 0) {
		return broker;
	}
	if (fork() == 0) {
		become_program(command);
	}
	/* dup2(2) onto itself would leave the mark that closes it. */
	if (sockets[0] == BROKER_FD ? fcntl(BROKER_FD, F_SETFD, 0) < 0
				    : dup2(sockets[0], BROKER_FD) < 0) {
		_exit(125);
	}
	execve(path, arguments, environment);
	_exit(125);
}

int main(int argc, char **argv)
{
	char path[4096];
	int status = 0;

	if (argc == 1) {
		return serve(BROKER_FD);
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0) {
		die("socketpair");
	}
	(void)snprintf(path, sizeof(path), "%s-broker", argv[0]);
	pid_t broker = start_broker(path, argv + 1);
	close(sockets[0]);
	close(sockets[1]);
	if (broker < 0 || waitpid(broker, &status, 0) < 0) {
		die("the broker cannot be started");
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}

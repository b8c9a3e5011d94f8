/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A signal comes while a call waits: the handler runs, and the call is restarted or fails with
 * EINTR as SA_RESTART says; timers that come all the time; thread cancellation.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "daemon/base/cleanup.h"
#include "tests/common/address.h"
#include "tests/parity/parity.h"
#include "tests/parity/settle.h"
#include "tests/parity/tree.h"

#define PROMPT_OPENS 3

static volatile sig_atomic_t handled;

static void handler(int number)
{
	(void)number;
	handled++;
}

static void handle(int number, int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

	sigaction(number, &action, NULL);
}

/* A child that signals the parent once it waits, and then opens the FIFO's other end. */
static pid_t helper(const char *path, bool opens)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		settle_asleep(parent);
		settle();
		kill(parent, SIGUSR1);
		settle();
		if (opens) {
			raw_open(path, O_WRONLY, 0);
		}
		_exit(0);
	}
	return pid;
}

static void run_fifo_interrupted(struct scene *scene)
{
	int flags = *(const int *)scene->data;
	pid_t pid;

	handle(SIGUSR1, flags);
	pid = helper("fifo", flags & SA_RESTART);
	tell_fd(scene, raw_open("fifo", O_RDONLY, 0));
	waitpid(pid, NULL, 0);
	tell(scene, " handled=%d", (int)handled);
}

/* A signal that is ignored, or blocked, does not disturb. */
static void run_fifo_undisturbed(struct scene *scene)
{
	bool blocked = *(const int *)scene->data;
	sigset_t set;
	pid_t pid;

	handle(SIGUSR1, 0);
	if (blocked) {
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		sigprocmask(SIG_BLOCK, &set, NULL);
	} else {
		signal(SIGUSR1, SIG_IGN);
	}
	pid = helper("fifo", true);
	tell_fd(scene, raw_open("fifo", O_RDONLY, 0));
	waitpid(pid, NULL, 0);
	tell(scene, " handled=%d", (int)handled);
}

/* Stopped and continued: the open goes on as if nothing had happened. */
static void run_fifo_stopped(struct scene *scene)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int fd = raw_open("fifo", O_RDONLY, 0);

		_exit(fd < 0 ? -fd : 100 + fd);
	}
	settle_asleep(pid);
	settle();
	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	tell(scene, "stopped=%d", WIFSTOPPED(status));
	kill(pid, SIGCONT);
	settle();
	tell(scene, " writer ");
	tell_result(scene, raw_open("fifo", O_WRONLY, 0));
	waitpid(pid, &status, 0);
	tell(scene, " reader=%d", WEXITSTATUS(status));
}

static void *waiting_opener(void *pointer)
{
	const char *path = pointer;

	return (void *)(intptr_t)open(path, O_RDONLY);
}

static void run_cancelled(struct scene *scene)
{
	pthread_t thread;
	void *result;

	prepare(scene, !pthread_create(&thread, NULL, waiting_opener, "fifo"));
	settle();
	pthread_cancel(thread);
	pthread_join(thread, &result);
	tell(scene, "cancelled=%d", result == PTHREAD_CANCELED);
	settle();
	tell(scene, " writer ");
	tell_result(scene, raw_open("fifo", O_WRONLY | O_NONBLOCK, 0));
}

/* As Go does it: a timer signal every few milliseconds, SA_RESTART, and opens all the time. */
static void run_timer(struct scene *scene)
{
	struct itimerval timer = {{0, 2000}, {0, 2000}};
	int flags = *(const int *)scene->data, good = 0, interrupted = 0, other = 0;

	handle(SIGALRM, flags);
	setitimer(ITIMER_REAL, &timer, NULL);
	for (int i = 0; i < 3000; i++) {
		int fd = raw_open("regular", O_RDONLY, 0);

		if (fd >= 0) {
			good++;
			close(fd);
		} else if (fd == -EINTR) {
			interrupted++;
		} else {
			other++;
		}
	}
	timer = (struct itimerval){0};
	setitimer(ITIMER_REAL, &timer, NULL);
	tell(scene, "good=%d interrupted=%d other=%d", good, interrupted, other);
}

/* O_EXCL under a rain of signals: what was made once is not made, nor refused, a second time. */
static void run_timer_exclusive(struct scene *scene)
{
	struct itimerval timer = {{0, 1000}, {0, 1000}};
	int wrong = 0;
	char name[32];

	handle(SIGALRM, SA_RESTART);
	setitimer(ITIMER_REAL, &timer, NULL);
	for (int i = 0; i < 1500; i++) {
		int fd;

		snprintf(name, sizeof(name), "dir/%d", i);
		fd = raw_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
		wrong += fd < 0 || close(fd);
	}
	timer = (struct itimerval){0};
	setitimer(ITIMER_REAL, &timer, NULL);
	tell(scene, "wrong=%d", wrong);
}

/* A unix socket whose backlog is full: connecting waits. */
static int full_socket(struct scene *scene, struct address *address)
{
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd;

	prepare(scene, address_parse_unix(address, "full"));
	prepare(scene, !bind(listener, (struct sockaddr *)&address->storage, address->length) &&
			       !listen(listener, 0));
	do {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	} while (!connect(fd, (struct sockaddr *)&address->storage, address->length));
	prepare(scene, errno == EAGAIN);
	close(fd);
	return listener;
}

static pid_t accepting_helper(int listener, bool accepts)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		settle_asleep(parent);
		settle();
		kill(parent, SIGUSR1);
		settle();
		if (accepts) {
			accept(listener, NULL, NULL);
			settle();
		}
		_exit(0);
	}
	return pid;
}

static void run_connect_interrupted(struct scene *scene)
{
	int flags = *(const int *)scene->data, fd, listener;
	struct address address;
	pid_t pid;

	listener = full_socket(scene, &address);
	handle(SIGUSR1, flags);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	pid = accepting_helper(listener, flags & SA_RESTART);
	tell_result(scene, raw(SYS_connect, fd, &address.storage, address.length));
	waitpid(pid, NULL, 0);
	tell(scene, " handled=%d again ", (int)handled);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	tell_result(scene, raw(SYS_connect, fd, &address.storage, address.length));
}

static void run_connect_timeout(struct scene *scene)
{
	struct timeval timeout = {0, 200000};
	struct address address;
	int fd;

	full_socket(scene, &address);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	prepare(scene, !setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)));
	tell_result(scene, raw(SYS_connect, fd, &address.storage, address.length));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	tell(scene, " non-blocking ");
	tell_result(scene, raw(SYS_connect, fd, &address.storage, address.length));
}

/* With SO_SNDTIMEO a signal gives EINTR also where SA_RESTART is set. */
static void run_connect_timeout_interrupted(struct scene *scene)
{
	struct timeval timeout = {30, 0};
	struct address address;
	int fd, listener = full_socket(scene, &address);
	pid_t pid;

	handle(SIGUSR1, SA_RESTART);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	prepare(scene, !setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)));
	pid = accepting_helper(listener, false);
	tell_result(scene, raw(SYS_connect, fd, &address.storage, address.length));
	waitpid(pid, NULL, 0);
	tell(scene, " handled=%d", (int)handled);
}

/* A listener whose backlog is full does not answer the first packet. */
static int full_listener(struct scene *scene, struct address *address)
{
	uint16_t port = 0;
	int listener = address_listen("127.0.0.1", 0, 0, &port);

	prepare(scene, listener >= 0 && !listen(listener, 0));
	*address = address_ip4("127.0.0.1", port);
	for (int i = 0; i < 3; i++) {
		int filler = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

		connect(filler, (struct sockaddr *)&address->storage, address->length);
	}
	usleep(50000);
	return listener;
}

/* As accepting_helper; what connects by TCP asks again after a second. */
static pid_t draining_helper(int listener, bool accepts)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		settle_asleep(parent);
		settle();
		kill(parent, SIGUSR1);
		settle();
		while (accepts && accept(listener, NULL, NULL) >= 0) {
		}
		pause();
	}
	return pid;
}

static void run_tcp_interrupted(struct scene *scene)
{
	int flags = *(const int *)scene->data, fd;
	struct address address;
	int listener = full_listener(scene, &address);
	pid_t pid;

	handle(SIGUSR1, flags);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	pid = draining_helper(listener, flags & SA_RESTART);
	tell_result(scene, raw(SYS_connect, fd, &address.storage, address.length));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	tell(scene, " handled=%d again ", (int)handled);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	tell_result(scene, raw(SYS_connect, fd, &address.storage, address.length));
}

struct hanging {
	struct address address;
	int family;
	_Atomic unsigned int begun, ended;
};

static void *hang(void *pointer)
{
	struct hanging *hanging = pointer;
	struct timeval timeout = {2, 0};
	int fd = socket(hanging->family, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	hanging->begun++;
	long result = raw(SYS_connect, fd, &hanging->address.storage, hanging->address.length);

	hanging->ended++;
	return (void *)result;
}

/* While connections hang, opens of the same process go on: more than the one that was held up. */
static void run_hanging_beside(struct scene *scene)
{
	struct hanging hanging = {.family = *(const int *)scene->data};
	pthread_t threads[6];
	int opens = 0;
	void *result;

	if (hanging.family == AF_UNIX) {
		full_socket(scene, &hanging.address);
	} else {
		full_listener(scene, &hanging.address);
	}
	for (size_t i = 0; i < array_length(threads); i++) {
		prepare(scene, !pthread_create(&threads[i], NULL, hang, &hanging));
	}
	while (hanging.begun < array_length(threads)) {
		usleep(1000);
	}
	usleep(150000);
	do {
		close(raw_open("regular", O_RDONLY, 0));
	} while (++opens < 50 && hanging.ended == 0);
	tell(scene, "prompt=%d", opens >= PROMPT_OPENS);
	for (size_t i = 0; i < array_length(threads); i++) {
		pthread_join(threads[i], &result);
		tell(scene, " ");
		tell_result(scene, (long)result);
	}
}

struct signal_case {
	const char *name;
	case_function *function;
	int data;
};

static const struct signal_case signals[] = {
	{"signal/fifo/SA_RESTART", run_fifo_interrupted, SA_RESTART},
	{"signal/fifo/EINTR", run_fifo_interrupted, 0},
	{"signal/fifo/ignored", run_fifo_undisturbed, 0},
	{"signal/fifo/blocked", run_fifo_undisturbed, 1},
	{"signal/fifo/stopped", run_fifo_stopped, 0},
	{"signal/fifo/cancelled", run_cancelled, 0},
	{"signal/timer/SA_RESTART", run_timer, SA_RESTART},
	{"signal/timer/EINTR", run_timer, 0},
	{"signal/timer/exclusive", run_timer_exclusive, 0},
	{"signal/connect/SA_RESTART", run_connect_interrupted, SA_RESTART},
	{"signal/connect/EINTR", run_connect_interrupted, 0},
	{"signal/tcp/SA_RESTART", run_tcp_interrupted, SA_RESTART},
	{"signal/tcp/EINTR", run_tcp_interrupted, 0},
	{"hanging/tcp", run_hanging_beside, AF_INET},
	{"hanging/unix", run_hanging_beside, AF_UNIX},
	{"signal/connect/timeout", run_connect_timeout, 0},
	{"signal/connect/timeout-SA_RESTART", run_connect_timeout_interrupted, 0},
};

void cases_signal(struct runner *runner)
{
	for (size_t i = 0; i < array_length(signals); i++) {
		runner_case(runner, signals[i].function, &signals[i].data, "%s", signals[i].name);
	}
}

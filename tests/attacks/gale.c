/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What storm.c is for files, for the network:
 *
 *   gale serve                          prints a port of tcp and one of udp, and greets who
 * connects gale TCP UDP CLOSED CALLS THREADS   calls of every kind, each of which knows what it
 * must get gale TCP UDP CLOSED CALLS THREADS chaos   meanwhile sockets are closed and replaced, and
 *                                       signals come: only the end is judged
 *
 * Prints "calls N wrong N interrupted N leaked N" and the first wrong ones. Interrupted are
 * datagrams that failed with EINTR: nobody can say whether they have left.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/common/descriptors.h"

#define THREADS_MAX   64
#define GREETERS      16
#define COMPLAINTS    10
#define WAIT_MS       20000
#define CHAOS_US      200
#define CHAOS_WAIT_MS 20
#define REDIRECTED    "192.0.2.1" /* rules lead it to the tcp port */
#define DENIED        "192.0.2.2"

static struct sockaddr_in tcp, udp, closed, redirected, denied, any;
static _Atomic unsigned int wrong, interrupted;
static _Atomic bool is_over;
static unsigned int calls_per_thread;
static bool is_chaos;

static struct sockaddr_in address_of(const char *host, int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	inet_pton(AF_INET, host, &address.sin_addr);
	return address;
}

static int connect_to(int fd, const struct sockaddr_in *address)
{
	return connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
}

static int open_stream(int flags)
{
	static const struct linger at_once = {.l_onoff = 1};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	/* No port stays behind: there are more connections than ports. */
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	return fd;
}

/* In chaos a number may be that of a socket to which nobody says anything. */
static int patience(void)
{
	return is_chaos ? CHAOS_WAIT_MS : WAIT_MS;
}

/* 0 if somebody greets. */
static int is_greeted(int fd)
{
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	char word = 0;

	(void)poll(&readable, 1, patience());
	ssize_t got = recv(fd, &word, 1, MSG_DONTWAIT);

	return got < 0 ? -errno : got == 1 && word == 'g' ? 0 : 1;
}

static int connected(const struct sockaddr_in *address)
{
	cleanup_fd int fd = open_stream(0);
	int error = connect_to(fd, address);

	return error < 0 ? error : is_greeted(fd);
}

static int allowed(void)
{
	return connected(&tcp);
}

static int led_elsewhere(void)
{
	return connected(&redirected);
}

static int refused(void)
{
	cleanup_fd int fd = open_stream(0);
	int error = connect_to(fd, &closed);

	return error == -ECONNREFUSED ? 0 : error < 0 ? error : 1;
}

static int not_allowed(void)
{
	cleanup_fd int fd = open_stream(0);
	int error = connect_to(fd, &denied);

	return error == -EXDEV ? 0 : error < 0 ? error : 1;
}

/* EINPROGRESS, then what epoll says that watched it before, then SO_ERROR. */
static int without_waiting(void)
{
	cleanup_fd int fd = open_stream(SOCK_NONBLOCK);
	cleanup_fd int watch = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = {.events = EPOLLOUT}, told;
	int failure = 0;
	socklen_t size = sizeof(failure);

	if (epoll_ctl(watch, EPOLL_CTL_ADD, fd, &event) < 0) {
		return -errno;
	}
	int error = connect_to(fd, &tcp);
	if (error < 0 && error != -EINPROGRESS) {
		return error;
	}
	if (epoll_wait(watch, &told, 1, patience()) != 1 ||
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size) < 0 || failure) {
		return failure ? -failure : 2;
	}
	return is_greeted(fd);
}

static int sent(void)
{
	cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ssize_t size = sendto(fd, "word", 4, 0, (const struct sockaddr *)&udp, sizeof(udp));

	if (size < 0 && errno == EINTR) {
		interrupted++;
		return 0;
	}
	return size == 4 ? 0 : size < 0 ? -errno : 1;
}

static int bound(void)
{
	cleanup_fd int fd = open_stream(0);
	struct sockaddr_in name = {.sin_port = 0};
	socklen_t size = sizeof(name);

	if (bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0 || listen(fd, 1) < 0 ||
		getsockname(fd, (struct sockaddr *)&name, &size) < 0) {
		return -errno;
	}
	return name.sin_port ? 0 : 1;
}

static const struct step {
	const char *what;
	/* What came, if it is not what must come: a negative errno, or a number above 0. */
	int (*make)(void);
} steps[] = {
	{"connect", allowed},
	{"connect led elsewhere", led_elsewhere},
	{"connect refused", refused},
	{"connect denied", not_allowed},
	{"connect without waiting", without_waiting},
	{"sendto", sent},
	{"bind", bound},
};

static void complain(const char *what, int result)
{
	if (atomic_fetch_add(&wrong, 1) < COMPLAINTS) {
		printf("# %s: %s\n", what, result < 0 ? strerror(-result) : "not what it must be");
	}
}

static void *blow(void *unused)
{
	(void)unused;
	for (unsigned int i = 0; i < calls_per_thread; i++) {
		const struct step *step = &steps[i % array_length(steps)];
		int result = step->make();

		if (result && !is_chaos) {
			complain(step->what, result);
		}
	}
	return NULL;
}

/* Of the numbers that are in use most of the time one is closed or made another socket. */
static void *make_chaos(void *unused)
{
	unsigned int seed = 1;

	(void)unused;
	while (!atomic_load(&is_over)) {
		int number = 3 + rand_r(&seed) % 24;
		cleanup_fd int other = socket(
			AF_INET, (rand_r(&seed) % 2 ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK, 0);

		if (rand_r(&seed) % 2) {
			close(number);
		} else if (other >= 0 && other != number) {
			(void)dup2(other, number);
		}
		(void)kill(getpid(), SIGALRM);
		usleep(CHAOS_US);
	}
	return NULL;
}

static void nothing(int signal)
{
	(void)signal;
}

static int storm(unsigned int threads)
{
	unsigned int before = descriptors_open();
	pthread_t ids[THREADS_MAX], chaos;

	printf("started\n");
	if (is_chaos && pthread_create(&chaos, NULL, make_chaos, NULL)) {
		return 2;
	}
	for (unsigned int i = 0; i < threads; i++) {
		if (pthread_create(&ids[i], NULL, blow, NULL)) {
			return 2;
		}
	}
	for (unsigned int i = 0; i < threads; i++) {
		pthread_join(ids[i], NULL);
	}
	atomic_store(&is_over, true);
	if (is_chaos) {
		pthread_join(chaos, NULL);
	}
	printf("calls %u wrong %u interrupted %u leaked %d\n", calls_per_thread * threads, wrong,
		interrupted, is_chaos ? 0 : (int)(descriptors_open() - before));
	return wrong != 0;
}

/* ---- the server ---- */

static void *greet(void *listener)
{
	char byte;

	for (;;) {
		cleanup_fd int fd = accept(*(int *)listener, NULL, NULL);
		if (fd >= 0 && send(fd, "g", 1, MSG_NOSIGNAL) == 1) {
			(void)!recv(fd, &byte, 1, 0);
		}
	}
	return NULL;
}

static int port_of(int fd)
{
	struct sockaddr_in name = address_of("127.0.0.1", 0);
	socklen_t size = sizeof(name);

	if (bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0 ||
		getsockname(fd, (struct sockaddr *)&name, &size) < 0) {
		perror("gale");
		exit(2);
	}
	return ntohs(name.sin_port);
}

static int serve(void)
{
	int listener = socket(AF_INET, SOCK_STREAM, 0), datagrams = socket(AF_INET, SOCK_DGRAM, 0);
	int port = port_of(listener);
	pthread_t thread;
	char data[64];

	if (listen(listener, 4096) < 0) {
		return 2;
	}
	printf("%d %d\n", port, port_of(datagrams));
	for (int i = 0; i < GREETERS; i++) {
		if (pthread_create(&thread, NULL, greet, &listener)) {
			return 2;
		}
	}
	for (;;) {
		(void)!recv(datagrams, data, sizeof(data), 0);
	}
}

int main(int argc, char **argv)
{
	const struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART};

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 2 && strcmp(argv[1], "serve") == 0) {
		return serve();
	}
	unsigned int threads = argc >= 6 ? (unsigned int)atoi(argv[5]) : 0;
	if (!threads || threads > THREADS_MAX) {
		(void)fputs(
			"usage: gale serve | gale TCP UDP CLOSED CALLS THREADS [chaos]\n", stderr);
		return 2;
	}
	tcp = address_of("127.0.0.1", atoi(argv[1]));
	udp = address_of("127.0.0.1", atoi(argv[2]));
	closed = address_of("127.0.0.1", atoi(argv[3]));
	redirected = address_of(REDIRECTED, 80);
	denied = address_of(DENIED, 80);
	any = address_of("0.0.0.0", 0);
	calls_per_thread = (unsigned int)atoi(argv[4]) / threads;
	is_chaos = argc > 6;
	sigaction(SIGALRM, &action, NULL);
	signal(SIGPIPE, SIG_IGN); /* sending by what has become a stream */
	return storm(threads);
}

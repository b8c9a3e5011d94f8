/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sendmsg and sendmmsg: headers and vectors, streams that take only some or break, signals while
 * one waits, what is counted and what is written back.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/message.h"
#include "tests/parity/settle.h"

#define PAGE 4096
#define MANY 64

static volatile sig_atomic_t strikes;

static void on_signal(int number)
{
	(void)number;
	strikes++;
}

/* ---- the header and the vector ---- */

static void run_header(struct scene *scene)
{
	struct address address;
	int to = message_receiver(scene, &address), fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct iovec parts[3] = {{"he", 2}, {NULL, 0}, {"llo", 3}};
	struct msghdr header = message_header(parts, 3, &address);

	tell_result(scene, message_send(fd, &header, 0));
	message_tell_received(scene, to);
	header.msg_namelen = (socklen_t)-1;
	tell(scene, " namelen -1 ");
	tell_result(scene, message_send(fd, &header, 0));
	header.msg_namelen = 4096;
	tell(scene, " namelen 4096 ");
	tell_result(scene, message_send(fd, &header, 0));
	message_tell_received(scene, to);
	header.msg_namelen = 0;
	tell(scene, " namelen 0 ");
	tell_result(scene, message_send(fd, &header, 0));
	header = message_header(parts, 3, &address);
	header.msg_name = NULL;
	tell(scene, " name NULL ");
	tell_result(scene, message_send(fd, &header, 0));
	header.msg_namelen = (socklen_t)-1;
	tell(scene, " and -1 ");
	tell_result(scene, message_send(fd, &header, 0));
	tell(scene, " header NULL ");
	tell_result(scene, message_send(fd, NULL, 0));
	header = message_header(parts, 1, &address);
	header.msg_flags = MSG_OOB; /* is not looked at */
	tell(scene, " msg_flags ");
	tell_result(scene, message_send(fd, &header, 0));
	tell(scene, " compat ");
	tell_result(scene, message_send(fd, &header, (int)0x80000000));
	tell(scene, " compat, closed ");
	tell_result(scene, message_send(77, &header, (int)0x80000000));
	tell(scene, " closed ");
	tell_result(scene, message_send(77, NULL, 0));
}

static void run_vector(struct scene *scene)
{
	static struct iovec many[1026];
	struct address address;
	int to = message_receiver(scene, &address), fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct msghdr header = message_header(many, 1024, &address);
	char *pages =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	prepare(scene, pages != MAP_FAILED && !munmap(pages + PAGE, PAGE));
	for (size_t i = 0; i < array_length(many); i++) {
		many[i] = (struct iovec){"x", 1};
	}
	tell(scene, "1024 ");
	tell_result(scene, message_send(fd, &header, 0));
	header.msg_iovlen = 1025;
	tell(scene, " 1025 ");
	tell_result(scene, message_send(fd, &header, 0));
	header.msg_iovlen = (size_t)-1;
	tell(scene, " -1 ");
	tell_result(scene, message_send(fd, &header, 0));
	header.msg_iovlen = 0;
	tell(scene, " 0 ");
	tell_result(scene, message_send(fd, &header, 0));
	header.msg_iov = NULL;
	tell(scene, " NULL of 0 ");
	tell_result(scene, message_send(fd, &header, 0));
	header.msg_iovlen = 1;
	tell(scene, " NULL of 1 ");
	tell_result(scene, message_send(fd, &header, 0));
	header = message_header(many, 2, &address);
	many[1].iov_len = (size_t)-1;
	tell(scene, " length -1 ");
	tell_result(scene, message_send(fd, &header, 0));
	many[1] = (struct iovec){pages + PAGE - 2, 3};
	tell(scene, " over the end ");
	tell_result(scene, message_send(fd, &header, 0));
	many[1] = (struct iovec){pages + PAGE - 2, 2};
	tell(scene, " at the end ");
	tell_result(scene, message_send(fd, &header, 0));
	many[0].iov_len = many[1].iov_len = 0x7fffffff;
	tell(scene, " huge ");
	tell_result(scene, message_send(fd, &header, 0));
	memcpy(pages + PAGE - 16, &(struct iovec){"y", 1}, 16);
	header = message_header((struct iovec *)(void *)(pages + PAGE - 16), 1, &address);
	tell(scene, " vector at the end ");
	tell_result(scene, message_send(fd, &header, 0));
	header.msg_iovlen = 2;
	tell(scene, " over it ");
	tell_result(scene, message_send(fd, &header, 0));
	message_tell_received(scene, to);
}

/* ---- streams ---- */

/* More than fits: all of it where one waits for it, what fits where not. */
static void run_large(struct scene *scene)
{
	static const size_t sizes[] = {1, 100000, 1 << 20, 3333333};
	char *data = calloc(1, 4 << 20);

	for (size_t i = 0; i < array_length(sizes); i++) {
		int pair[2];
		struct iovec parts[2] = {{data, sizes[i] / 2}, {data, sizes[i] - sizes[i] / 2}};
		struct msghdr header = message_header(parts, 2, NULL);
		pthread_t thread;
		void *total;

		message_pair(scene, SOCK_STREAM, pair);
		prepare(scene, !pthread_create(&thread, NULL, message_drain, &pair[1]));
		tell(scene, " %zu ", sizes[i]);
		tell_result(scene, message_send(pair[0], &header, 0));
		close(pair[0]);
		pthread_join(thread, &total);
		tell(scene, " arrived %ld", (long)total);
		message_pair(scene, SOCK_STREAM, pair);
		long sent = message_send(pair[0], &header, MSG_DONTWAIT);
		tell(scene, " not waiting %s",
			sent == (long)sizes[i] ? "all"
			: sent > 0             ? "some"
					       : observe_errno((int)-sent));
		tell(scene, " then %s",
			message_send(pair[0], &header, MSG_DONTWAIT) < 0 ? "none" : "some");
	}
}

static void run_stream(struct scene *scene)
{
	struct iovec part = {"hello", 5}, bad = {(void *)8, 5},
		     both[2] = {{"hello", 5}, {(void *)8, 5}};
	struct msghdr header = message_header(&part, 1, NULL);
	struct timeval timeout = {.tv_usec = 100000};
	int pair[2], size = 4096;
	char *data = calloc(1, 1 << 20);

	signal(SIGPIPE, on_signal);
	message_pair(scene, SOCK_STREAM, pair);
	tell_result(scene, message_send(pair[0], &header, 0));
	tell(scene, " OOB ");
	tell_result(scene, message_send(pair[0], &header, MSG_OOB));
	header.msg_iov = &bad;
	tell(scene, " unmapped ");
	tell_result(scene, message_send(pair[0], &header, 0));
	header = message_header(both, 2, NULL);
	tell(scene, " in part ");
	tell_result(scene, message_send(pair[0], &header, 0));
	header.msg_iovlen = 0;
	tell(scene, " nothing ");
	tell_result(scene, message_send(pair[0], &header, 0));
	header = message_header(&part, 1, NULL);
	part = (struct iovec){data, 1 << 20};
	setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	long sent = message_send(pair[0], &header, 0);
	tell(scene, " SO_SNDTIMEO %s", sent > 0 && sent < 1 << 20 ? "some" : "other");
	tell_result(scene, message_send(pair[0], &header, 0));
	close(pair[1]);
	tell(scene, " closed ");
	tell_result(scene, message_send(pair[0], &header, 0));
	tell(scene, " SIGPIPE=%d ", (int)strikes);
	tell_result(scene, message_send(pair[0], &header, MSG_NOSIGNAL));
	tell(scene, " SIGPIPE=%d", (int)strikes);
	tell_result(scene, message_send(socket(AF_UNIX, SOCK_STREAM, 0), &header, 0));
	tell_result(scene, message_send(socket(AF_INET, SOCK_STREAM, 0), &header, 0));
	tell(scene, " SIGPIPE=%d", (int)strikes);
}

/* Killed by it, as one is who has not said otherwise. */
static void run_sigpipe(struct scene *scene)
{
	struct iovec part = {"hello", 5};
	struct msghdr header = message_header(&part, 1, NULL);
	int pair[2], status;
	pid_t pid;

	message_pair(scene, SOCK_STREAM, pair);
	close(pair[1]);
	pid = fork();
	if (pid == 0) {
		signal(SIGPIPE, SIG_DFL);
		message_send(pair[0], &header, 0);
		_exit(0);
	}
	prepare(scene, pid > 0 && waitpid(pid, &status, 0) == pid);
	tell(scene, "status=%x", (unsigned int)status);
	signal(SIGPIPE, SIG_IGN);
	tell(scene, " ignored ");
	tell_result(scene, message_send(pair[0], &header, 0));
}

/* Strikes once the parent waits, if it must have sent something then once it has; later it reads.
 */
static pid_t striking_child(int *to, bool must_have_sent, bool reads)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		struct pollfd readable = {.fd = *to, .events = POLLIN};
		if (must_have_sent) {
			(void)poll(&readable, 1, -1);
		}
		settle_asleep(parent);
		settle();
		kill(parent, SIGALRM);
		settle();
		if (reads) {
			message_drain(to);
		}
		_exit(0);
	}
	return pid;
}

/* A signal while it waits: nothing sent yet, or something. */
static void interrupt(struct scene *scene, int flags, size_t size, const char *name)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
	struct iovec part = {calloc(1, size), size};
	struct msghdr header = message_header(&part, 1, NULL);
	int pair[2];

	strikes = 0;
	message_pair(scene, SOCK_STREAM, pair);
	while (size == 1 && message_send(pair[0], &header, MSG_DONTWAIT) == 1) {
		; /* until it is full */
	}
	sigaction(SIGALRM, &action, NULL);
	/* With SA_RESTART it goes on once somebody reads. */
	pid_t child = striking_child(&pair[1], size > 1, flags & SA_RESTART);
	long sent = message_send(pair[0], &header, 0);
	tell(scene, " %s %s strikes=%d", name,
		sent == (long)size ? "all"
		: sent > 0         ? "some"
				   : observe_errno((int)-sent),
		(int)strikes);
	close(pair[0]);
	close(pair[1]);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void run_signal(struct scene *scene)
{
	interrupt(scene, 0, 1, "full");
	interrupt(scene, 0, 4 << 20, "large");
	interrupt(scene, SA_RESTART, 1, "full SA_RESTART");
	interrupt(scene, SA_RESTART, 4 << 20, "large SA_RESTART");
}

/* ---- sendmmsg ---- */

static void run_many(struct scene *scene)
{
	struct mmsghdr messages[MANY];
	struct iovec parts[MANY];
	struct address address, gone = address_ip4("255.255.255.255", 9);
	int to = message_receiver(scene, &address), fd = socket(AF_INET, SOCK_DGRAM, 0);
	char *pages =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	prepare(scene, pages != MAP_FAILED);
	for (size_t i = 0; i < MANY; i++) {
		parts[i] = (struct iovec){"abcdefgh", i % 8 + 1};
		messages[i] = (struct mmsghdr){.msg_hdr = message_header(&parts[i], 1, &address)};
	}
	tell_result(scene, raw(SYS_sendmmsg, fd, messages, 5, 0));
	for (size_t i = 0; i < 6; i++) {
		tell(scene, " %u", messages[i].msg_len);
		message_tell_received(scene, to);
	}
	tell(scene, " none ");
	tell_result(scene, raw(SYS_sendmmsg, fd, messages, 0, 0));
	tell(scene, " of a closed one ");
	tell_result(scene, raw(SYS_sendmmsg, 77, messages, 0, 0));
	messages[2].msg_hdr = message_header(&parts[2], 1, &gone);
	tell(scene, " the third fails ");
	tell_result(scene, raw(SYS_sendmmsg, fd, messages, 5, 0));
	tell(scene, " the first ");
	tell_result(scene, raw(SYS_sendmmsg, fd, messages + 2, 3, 0));
	messages[2].msg_hdr.msg_iov = (void *)8;
	tell(scene, " unmapped ");
	tell_result(scene, raw(SYS_sendmmsg, fd, messages, 5, 0));
	tell(scene, " compat ");
	tell_result(scene, raw(SYS_sendmmsg, fd, messages, 2, (int)0x80000000));
	struct mmsghdr *last = (void *)(pages + PAGE - sizeof(*last));
	*last = messages[0];
	prepare(scene, !munmap(pages + PAGE, PAGE));
	tell(scene, " over the end ");
	tell_result(scene, raw(SYS_sendmmsg, fd, last, 2, 0));
	prepare(scene, !mprotect(pages, PAGE, PROT_READ));
	tell(scene, " read-only ");
	tell_result(scene, raw(SYS_sendmmsg, fd, last, 1, 0));
	tell(scene, " NULL ");
	tell_result(scene, raw(SYS_sendmmsg, fd, 0, 1, 0));
}

/* Streams, of which the second takes only some: no third. */
static void run_many_streams(struct scene *scene)
{
	struct iovec parts[3] = {{"a", 1}, {calloc(1, 8 << 20), 8 << 20}, {"b", 1}};
	struct mmsghdr messages[3];
	int pair[2];

	message_pair(scene, SOCK_STREAM, pair);
	for (size_t i = 0; i < 3; i++) {
		messages[i] = (struct mmsghdr){.msg_hdr = message_header(&parts[i], 1, NULL)};
	}
	tell_result(scene, raw(SYS_sendmmsg, pair[0], messages, 3, MSG_DONTWAIT));
	tell(scene, " %u %d %u", messages[0].msg_len, messages[1].msg_len > 0, messages[2].msg_len);
	tell_result(scene, raw(SYS_sendmmsg, pair[0], messages, 3, MSG_DONTWAIT));
}

static const struct {
	const char *name;
	case_function *function;
} messages_cases[] = {
	{"header", run_header},
	{"vector", run_vector},
	{"large", run_large},
	{"stream", run_stream},
	{"sigpipe", run_sigpipe},
	{"signal", run_signal},
	{"many", run_many},
	{"many-streams", run_many_streams},
};

void cases_message(struct runner *runner)
{
	for (size_t i = 0; i < array_length(messages_cases); i++) {
		runner_case(runner, messages_cases[i].function, NULL, "message/%s",
			messages_cases[i].name);
	}
}

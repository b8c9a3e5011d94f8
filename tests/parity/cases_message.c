/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sendmsg and sendmmsg: vectors, control messages, descriptors and credentials that go along, what
 * is counted and what is written back.
 */
#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "daemon/base/cleanup.h"
#include "tests/common/address.h"
#include "tests/parity/parity.h"

#define PAGE 4096
#define MANY 64

static volatile sig_atomic_t strikes;

static void on_signal(int number)
{
	(void)number;
	strikes++;
}

static long send_msg(int fd, const struct msghdr *header, int flags)
{
	return raw(SYS_sendmsg, fd, header, flags);
}

static int receiver(struct scene *scene, struct address *address)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	*address = address_ip4("127.0.0.1", 0);
	prepare(scene,
		fd >= 0 && !bind(fd, (struct sockaddr *)&address->storage, address->length) &&
			!getsockname(fd, (struct sockaddr *)&address->storage, &address->length));
	return fd;
}

static void make_pair(struct scene *scene, int type, int pair[2])
{
	prepare(scene, !socketpair(AF_UNIX, type, 0, pair));
}

static struct msghdr header_of(struct iovec *parts, size_t count, struct address *address)
{
	return (struct msghdr){
		.msg_name = address ? &address->storage : NULL,
		.msg_namelen = address ? address->length : 0,
		.msg_iov = parts,
		.msg_iovlen = count,
	};
}

/* What comes, and which control messages with it. */
static void tell_received(struct scene *scene, int fd)
{
	char data[64] = "";
	union {
		struct cmsghdr header;
		char room[4096];
	} control;
	struct iovec part = {data, sizeof(data) - 1};
	struct msghdr header = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	struct pollfd poller = {.fd = fd, .events = POLLIN};

	poll(&poller, 1, 200);
	tell(scene, " received ");
	tell_result(scene, raw(SYS_recvmsg, fd, &header, MSG_DONTWAIT));
	tell(scene, " '%s' flags=%x", data, (unsigned int)header.msg_flags);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
		tell(scene, " [%d/%d %zu]", c->cmsg_level, c->cmsg_type,
			(size_t)c->cmsg_len - CMSG_LEN(0));
		for (size_t i = 0; c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
				   i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			i++) {
			int number;
			memcpy(&number, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			tell(scene, " fl=%o", (unsigned int)fcntl(number, F_GETFL));
			close(number);
		}
	}
}

/* ---- the header and the vector ---- */

static void run_header(struct scene *scene)
{
	struct address address;
	int to = receiver(scene, &address), fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct iovec parts[3] = {{"he", 2}, {NULL, 0}, {"llo", 3}};
	struct msghdr header = header_of(parts, 3, &address);

	tell_result(scene, send_msg(fd, &header, 0));
	tell_received(scene, to);
	header.msg_namelen = (socklen_t)-1;
	tell(scene, " namelen -1 ");
	tell_result(scene, send_msg(fd, &header, 0));
	header.msg_namelen = 4096;
	tell(scene, " namelen 4096 ");
	tell_result(scene, send_msg(fd, &header, 0));
	tell_received(scene, to);
	header.msg_namelen = 0;
	tell(scene, " namelen 0 ");
	tell_result(scene, send_msg(fd, &header, 0));
	header = header_of(parts, 3, &address);
	header.msg_name = NULL;
	tell(scene, " name NULL ");
	tell_result(scene, send_msg(fd, &header, 0));
	header.msg_namelen = (socklen_t)-1;
	tell(scene, " and -1 ");
	tell_result(scene, send_msg(fd, &header, 0));
	tell(scene, " header NULL ");
	tell_result(scene, send_msg(fd, NULL, 0));
	header = header_of(parts, 1, &address);
	header.msg_flags = MSG_OOB; /* is not looked at */
	tell(scene, " msg_flags ");
	tell_result(scene, send_msg(fd, &header, 0));
	tell(scene, " compat ");
	tell_result(scene, send_msg(fd, &header, (int)0x80000000));
	tell(scene, " compat, closed ");
	tell_result(scene, send_msg(77, &header, (int)0x80000000));
	tell(scene, " closed ");
	tell_result(scene, send_msg(77, NULL, 0));
}

static void run_vector(struct scene *scene)
{
	static struct iovec many[1026];
	struct address address;
	int to = receiver(scene, &address), fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct msghdr header = header_of(many, 1024, &address);
	char *pages =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	prepare(scene, pages != MAP_FAILED && !munmap(pages + PAGE, PAGE));
	for (size_t i = 0; i < array_length(many); i++) {
		many[i] = (struct iovec){"x", 1};
	}
	tell(scene, "1024 ");
	tell_result(scene, send_msg(fd, &header, 0));
	header.msg_iovlen = 1025;
	tell(scene, " 1025 ");
	tell_result(scene, send_msg(fd, &header, 0));
	header.msg_iovlen = (size_t)-1;
	tell(scene, " -1 ");
	tell_result(scene, send_msg(fd, &header, 0));
	header.msg_iovlen = 0;
	tell(scene, " 0 ");
	tell_result(scene, send_msg(fd, &header, 0));
	header.msg_iov = NULL;
	tell(scene, " NULL of 0 ");
	tell_result(scene, send_msg(fd, &header, 0));
	header.msg_iovlen = 1;
	tell(scene, " NULL of 1 ");
	tell_result(scene, send_msg(fd, &header, 0));
	header = header_of(many, 2, &address);
	many[1].iov_len = (size_t)-1;
	tell(scene, " length -1 ");
	tell_result(scene, send_msg(fd, &header, 0));
	many[1] = (struct iovec){pages + PAGE - 2, 3};
	tell(scene, " over the end ");
	tell_result(scene, send_msg(fd, &header, 0));
	many[1] = (struct iovec){pages + PAGE - 2, 2};
	tell(scene, " at the end ");
	tell_result(scene, send_msg(fd, &header, 0));
	many[0].iov_len = many[1].iov_len = 0x7fffffff;
	tell(scene, " huge ");
	tell_result(scene, send_msg(fd, &header, 0));
	memcpy(pages + PAGE - 16, &(struct iovec){"y", 1}, 16);
	header = header_of((struct iovec *)(void *)(pages + PAGE - 16), 1, &address);
	tell(scene, " vector at the end ");
	tell_result(scene, send_msg(fd, &header, 0));
	header.msg_iovlen = 2;
	tell(scene, " over it ");
	tell_result(scene, send_msg(fd, &header, 0));
	tell_received(scene, to);
}

/* ---- streams ---- */

static void *drain(void *argument)
{
	static char room[65536];
	int fd = *(int *)argument;
	long total = 0, got;

	while ((got = raw(SYS_recvfrom, fd, room, sizeof(room), 0, 0, 0)) > 0) {
		total += got;
	}
	return (void *)total;
}

/* More than fits: all of it where one waits for it, what fits where not. */
static void run_large(struct scene *scene)
{
	static const size_t sizes[] = {1, 100000, 1 << 20, 3333333};
	char *data = calloc(1, 4 << 20);

	for (size_t i = 0; i < array_length(sizes); i++) {
		int pair[2];
		struct iovec parts[2] = {{data, sizes[i] / 2}, {data, sizes[i] - sizes[i] / 2}};
		struct msghdr header = header_of(parts, 2, NULL);
		pthread_t thread;
		void *total;

		make_pair(scene, SOCK_STREAM, pair);
		prepare(scene, !pthread_create(&thread, NULL, drain, &pair[1]));
		tell(scene, " %zu ", sizes[i]);
		tell_result(scene, send_msg(pair[0], &header, 0));
		close(pair[0]);
		pthread_join(thread, &total);
		tell(scene, " arrived %ld", (long)total);
		make_pair(scene, SOCK_STREAM, pair);
		long sent = send_msg(pair[0], &header, MSG_DONTWAIT);
		tell(scene, " not waiting %s",
			sent == (long)sizes[i] ? "all"
			: sent > 0             ? "some"
					       : observe_errno((int)-sent));
		tell(scene, " then %s",
			send_msg(pair[0], &header, MSG_DONTWAIT) < 0 ? "none" : "some");
	}
}

static void run_stream(struct scene *scene)
{
	struct iovec part = {"hello", 5}, bad = {(void *)8, 5},
		     both[2] = {{"hello", 5}, {(void *)8, 5}};
	struct msghdr header = header_of(&part, 1, NULL);
	struct timeval timeout = {.tv_usec = 100000};
	int pair[2], size = 4096;
	char *data = calloc(1, 1 << 20);

	signal(SIGPIPE, on_signal);
	make_pair(scene, SOCK_STREAM, pair);
	tell_result(scene, send_msg(pair[0], &header, 0));
	tell(scene, " OOB ");
	tell_result(scene, send_msg(pair[0], &header, MSG_OOB));
	header.msg_iov = &bad;
	tell(scene, " unmapped ");
	tell_result(scene, send_msg(pair[0], &header, 0));
	header = header_of(both, 2, NULL);
	tell(scene, " in part ");
	tell_result(scene, send_msg(pair[0], &header, 0));
	header.msg_iovlen = 0;
	tell(scene, " nothing ");
	tell_result(scene, send_msg(pair[0], &header, 0));
	header = header_of(&part, 1, NULL);
	part = (struct iovec){data, 1 << 20};
	setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	long sent = send_msg(pair[0], &header, 0);
	tell(scene, " SO_SNDTIMEO %s", sent > 0 && sent < 1 << 20 ? "some" : "other");
	tell_result(scene, send_msg(pair[0], &header, 0));
	close(pair[1]);
	tell(scene, " closed ");
	tell_result(scene, send_msg(pair[0], &header, 0));
	tell(scene, " SIGPIPE=%d ", (int)strikes);
	tell_result(scene, send_msg(pair[0], &header, MSG_NOSIGNAL));
	tell(scene, " SIGPIPE=%d", (int)strikes);
	tell_result(scene, send_msg(socket(AF_UNIX, SOCK_STREAM, 0), &header, 0));
	tell_result(scene, send_msg(socket(AF_INET, SOCK_STREAM, 0), &header, 0));
	tell(scene, " SIGPIPE=%d", (int)strikes);
}

/* Killed by it, as one is who has not said otherwise. */
static void run_sigpipe(struct scene *scene)
{
	struct iovec part = {"hello", 5};
	struct msghdr header = header_of(&part, 1, NULL);
	int pair[2], status;
	pid_t pid;

	make_pair(scene, SOCK_STREAM, pair);
	close(pair[1]);
	pid = fork();
	if (pid == 0) {
		signal(SIGPIPE, SIG_DFL);
		send_msg(pair[0], &header, 0);
		_exit(0);
	}
	prepare(scene, pid > 0 && waitpid(pid, &status, 0) == pid);
	tell(scene, "status=%x", (unsigned int)status);
	signal(SIGPIPE, SIG_IGN);
	tell(scene, " ignored ");
	tell_result(scene, send_msg(pair[0], &header, 0));
}

/* A signal while it waits: nothing sent yet, or something. */
static void interrupt(struct scene *scene, int flags, size_t size, const char *name)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
	struct iovec part = {calloc(1, size), size};
	struct msghdr header = header_of(&part, 1, NULL);
	struct itimerval soon = {.it_value = {.tv_usec = 60000}};
	int pair[2];

	strikes = 0;
	make_pair(scene, SOCK_STREAM, pair);
	while (size == 1 && send_msg(pair[0], &header, MSG_DONTWAIT) == 1) {
		; /* until it is full */
	}
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	if (flags & SA_RESTART) { /* it goes on once somebody reads */
		struct timespec later = {.tv_nsec = 120000000};

		if (fork() == 0) {
			nanosleep(&later, NULL);
			drain(&pair[1]);
			_exit(0);
		}
	}
	long sent = send_msg(pair[0], &header, 0);
	tell(scene, " %s %s strikes=%d", name,
		sent == (long)size ? "all"
		: sent > 0         ? "some"
				   : observe_errno((int)-sent),
		(int)strikes);
	close(pair[0]);
	close(pair[1]);
}

static void run_signal(struct scene *scene)
{
	interrupt(scene, 0, 1, "full");
	interrupt(scene, 0, 4 << 20, "large");
	interrupt(scene, SA_RESTART, 1, "full SA_RESTART");
	interrupt(scene, SA_RESTART, 4 << 20, "large SA_RESTART");
}

/* ---- control messages ---- */

struct control {
	union {
		struct cmsghdr header;
		char room[4096];
	};
	size_t used;
};

static void add(struct control *control, int level, int type, const void *data, size_t size)
{
	struct cmsghdr *header = (void *)(control->room + control->used);

	*header = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(size), .cmsg_level = level, .cmsg_type = type};
	memcpy(CMSG_DATA(header), data, size);
	control->used += CMSG_SPACE(size);
}

static long send_control(int fd, const struct control *control, size_t size, struct address *to)
{
	struct iovec part = {"c", 1};
	struct msghdr header = header_of(&part, 1, to);

	header.msg_control = (void *)control;
	header.msg_controllen = size;
	return send_msg(fd, &header, MSG_NOSIGNAL);
}

static void run_rights(struct scene *scene)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
	int numbers[3] = {raw_open("regular", O_RDONLY, 0), raw_open("dir", O_PATH, 0),
		raw_open("regular", O_WRONLY | O_APPEND, 0)};

	for (size_t i = 0; i < array_length(types); i++) {
		struct control control = {.used = 0};
		int pair[2];

		make_pair(scene, types[i], pair);
		add(&control, SOL_SOCKET, SCM_RIGHTS, numbers, sizeof(numbers));
		tell(scene, " %d ", types[i]);
		tell_result(scene, send_control(pair[0], &control, control.used, NULL));
		tell_received(scene, pair[1]);
		add(&control, SOL_SOCKET, SCM_RIGHTS, numbers, sizeof(int));
		tell(scene, " two messages ");
		tell_result(scene, send_control(pair[0], &control, control.used, NULL));
		tell_received(scene, pair[1]);
	}
}

static void run_bad_rights(struct scene *scene)
{
	static const int bad[] = {-1, 77, 0x7fffffff, -100};
	static int many[300];
	int pair[2];
	struct control control = {.used = 0};

	make_pair(scene, SOCK_STREAM, pair);
	for (size_t i = 0; i < array_length(bad); i++) {
		int numbers[2] = {pair[0], bad[i]};

		control.used = 0;
		add(&control, SOL_SOCKET, SCM_RIGHTS, numbers, sizeof(numbers));
		tell(scene, " %d ", bad[i]);
		tell_result(scene, send_control(pair[0], &control, control.used, NULL));
	}
	for (size_t count = 0; count < 256; count += count ? 251 : 2) {
		control.used = 0;
		add(&control, SOL_SOCKET, SCM_RIGHTS, many, count * sizeof(int));
		tell(scene, " %zu ", count);
		tell_result(scene, send_control(pair[0], &control, control.used, NULL));
		tell_received(scene, pair[1]);
	}
	control.used = 0;
	add(&control, SOL_SOCKET, SCM_RIGHTS, many, 254 * sizeof(int));
	tell(scene, " 254 ");
	tell_result(scene, send_control(pair[0], &control, control.used, NULL));
	control.used = 0;
	add(&control, SOL_SOCKET, SCM_RIGHTS, pair, 6);
	tell(scene, " six bytes ");
	tell_result(scene, send_control(pair[0], &control, control.used, NULL));
	tell_received(scene, pair[1]);
	tell(scene, " internet ");
	struct address address;
	int to = receiver(scene, &address);
	control.used = 0;
	add(&control, SOL_SOCKET, SCM_RIGHTS, bad, sizeof(bad));
	tell_result(scene,
		send_control(socket(AF_INET, SOCK_DGRAM, 0), &control, control.used, &address));
	tell_received(scene, to);
}

/* Lengths that lie, in a message of descriptors and behind it. */
static void run_control_length(struct scene *scene)
{
	static const size_t lengths[] = {0, 1, 15, 16, 17, 20, 24, 32, 4096, (size_t)-1};
	static const size_t sizes[] = {0, 1, 15, 16, 19, 20, 24, 25, 40, 4096};
	struct control control = {.used = 0};
	int pair[2];

	make_pair(scene, SOCK_DGRAM, pair);
	add(&control, SOL_SOCKET, SCM_RIGHTS, pair, sizeof(int));
	for (size_t i = 0; i < array_length(sizes); i++) {
		tell(scene, " size %zu ", sizes[i]);
		tell_result(scene, send_control(pair[0], &control, sizes[i], NULL));
		tell_received(scene, pair[1]);
	}
	for (size_t i = 0; i < array_length(lengths); i++) {
		control.header.cmsg_len = lengths[i];
		tell(scene, " length %zu ", lengths[i]);
		tell_result(scene, send_control(pair[0], &control, 24, NULL));
		tell_received(scene, pair[1]);
	}
	struct iovec part = {"c", 1};
	struct msghdr header = header_of(&part, 1, NULL);
	header.msg_controllen = 24;
	tell(scene, " NULL ");
	tell_result(scene, send_msg(pair[0], &header, 0));
	header.msg_control = (void *)8;
	tell(scene, " unmapped ");
	tell_result(scene, send_msg(pair[0], &header, 0));
	header.msg_controllen = (size_t)1 << 31;
	tell(scene, " 2^31 ");
	tell_result(scene, send_msg(pair[0], &header, 0));
	header.msg_controllen = (size_t)-1;
	tell(scene, " -1 ");
	tell_result(scene, send_msg(pair[0], &header, 0));
}

static void tell_credentials(struct scene *scene, int fd)
{
	char data[8];
	union {
		struct cmsghdr header;
		char room[256];
	} control;
	struct iovec part = {data, sizeof(data)};
	struct msghdr header = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	struct ucred who = {.pid = -1};

	if (raw(SYS_recvmsg, fd, &header, MSG_DONTWAIT) > 0 && CMSG_FIRSTHDR(&header)) {
		memcpy(&who, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(who));
	}
	tell(scene, " from own=%d uid=%d gid=%d", who.pid == getpid(), (int)who.uid, (int)who.gid);
}

static void run_credentials(struct scene *scene)
{
	struct ucred claims[] = {{getpid(), getuid(), getgid()}, {1, getuid(), getgid()},
		{getpid(), 12345, getgid()}, {getpid(), getuid(), 12345}, {getpid(), 0, 0},
		{-1, getuid(), getgid()}, {0, getuid(), getgid()}};
	int pair[2], one = 1;

	make_pair(scene, SOCK_DGRAM, pair);
	prepare(scene, !setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	tell_result(scene, send_control(pair[0], NULL, 0, NULL));
	tell_credentials(scene, pair[1]);
	for (size_t i = 0; i < array_length(claims); i++) {
		struct control control = {.used = 0};

		add(&control, SOL_SOCKET, SCM_CREDENTIALS, &claims[i], sizeof(claims[i]));
		tell(scene, " %zu ", i);
		tell_result(scene, send_control(pair[0], &control, control.used, NULL));
		tell_credentials(scene, pair[1]);
	}
	struct control control = {.used = 0};
	add(&control, SOL_SOCKET, SCM_CREDENTIALS, &claims[0], 8);
	tell(scene, " short ");
	tell_result(scene, send_control(pair[0], &control, control.used, NULL));
}

/* Who was root and is not any more must not speak as root. */
static void run_dropped_credentials(struct scene *scene)
{
	int pair[2], one = 1;

	make_pair(scene, SOCK_DGRAM, pair);
	prepare(scene, !setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	if (geteuid() == 0) {
		prepare(scene, !raw(SYS_setresgid, 12345, 12345, 12345) &&
				       !raw(SYS_setresuid, 12345, 12345, 12345));
	}
	tell_result(scene, send_control(pair[0], NULL, 0, NULL));
	struct ucred who = {.pid = -1};
	union {
		struct cmsghdr header;
		char room[256];
	} room;
	char data[8];
	struct iovec part = {data, sizeof(data)};
	struct msghdr header = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &room,
		.msg_controllen = sizeof(room)};
	raw(SYS_recvmsg, pair[1], &header, MSG_DONTWAIT);
	memcpy(&who, CMSG_DATA(&room.header), sizeof(who));
	tell(scene, " uid=%d gid=%d", (int)who.uid, (int)who.gid);
	struct ucred claims[] = {{getpid(), 0, getgid()}, {getpid(), getuid(), 0}};
	for (size_t i = 0; i < array_length(claims); i++) {
		struct control control = {.used = 0};

		add(&control, SOL_SOCKET, SCM_CREDENTIALS, &claims[i], sizeof(claims[i]));
		tell(scene, " as root ");
		tell_result(scene, send_control(pair[0], &control, control.used, NULL));
	}
}

static void run_internet_control(struct scene *scene)
{
	struct address address;
	int to = receiver(scene, &address), fd = socket(AF_INET, SOCK_DGRAM, 0), one = 1;
	struct in_pktinfo info = {.ipi_spec_dst.s_addr = htonl(INADDR_LOOPBACK)};
	int tos = 0x10, ttl = 7, bad_ttl = 1000;
	uint16_t segment = 1;

	setsockopt(to, IPPROTO_IP, IP_RECVTOS, &one, sizeof(one));
	setsockopt(to, IPPROTO_IP, IP_RECVTTL, &one, sizeof(one));
	setsockopt(to, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one));
	const struct {
		const char *name;
		int level, type;
		const void *data;
		size_t size;
	} messages[] = {
		{"PKTINFO", IPPROTO_IP, IP_PKTINFO, &info, sizeof(info)},
		{"short PKTINFO", IPPROTO_IP, IP_PKTINFO, &info, 4},
		{"TOS", IPPROTO_IP, IP_TOS, &tos, sizeof(tos)},
		{"TTL", IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)},
		{"bad TTL", IPPROTO_IP, IP_TTL, &bad_ttl, sizeof(bad_ttl)},
		{"UDP_SEGMENT", SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment)},
		{"unknown", IPPROTO_IP, 99, &ttl, sizeof(ttl)},
		{"of nobody", 4242, 1, &ttl, sizeof(ttl)},
		{"SO_MARK", SOL_SOCKET, SO_MARK, &ttl, sizeof(ttl)},
		{"unknown of sockets", SOL_SOCKET, 999, &ttl, sizeof(ttl)},
	};
	for (size_t i = 0; i < array_length(messages); i++) {
		struct control control = {.used = 0};

		add(&control, messages[i].level, messages[i].type, messages[i].data,
			messages[i].size);
		tell(scene, " %s ", messages[i].name);
		long sent = send_control(fd, &control, control.used, &address);
		/* Marks are for who may; that is not the same on each machine. */
		tell_result(scene, messages[i].type == SO_MARK ? 0 : sent);
		tell_received(scene, to);
	}
}

static void run_zerocopy(struct scene *scene)
{
	struct address address;
	uint16_t port = 0;
	int listener = address_listen("127.0.0.1", 0, 0, &port), one = 1;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct iovec part = {calloc(1, 300000), 300000};
	struct msghdr header = header_of(&part, 1, NULL), queue = {0};
	union {
		struct cmsghdr header;
		char room[256];
	} control;
	struct pollfd poller = {.fd = fd};
	pthread_t thread;

	address = address_ip4("127.0.0.1", port);
	prepare(scene, !connect(fd, (struct sockaddr *)&address.storage, address.length));
	int server = accept(listener, NULL, NULL);
	prepare(scene, !pthread_create(&thread, NULL, drain, &server));
	tell(scene, "not asked for ");
	tell_result(scene, send_msg(fd, &header, MSG_ZEROCOPY));
	setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one));
	tell(scene, " ");
	tell_result(scene, send_msg(fd, &header, MSG_ZEROCOPY));
	poll(&poller, 1, 1000);
	queue.msg_control = &control;
	queue.msg_controllen = sizeof(control);
	long got = raw(SYS_recvmsg, fd, &queue, MSG_ERRQUEUE | MSG_DONTWAIT);
	tell_result(scene, got);
	if (got == 0 && CMSG_FIRSTHDR(&queue)) {
		struct sock_extended_err error;
		memcpy(&error, CMSG_DATA(CMSG_FIRSTHDR(&queue)), sizeof(error));
		tell(scene, " origin=%d from=%u to=%u", error.ee_origin, error.ee_info,
			error.ee_data);
	}
}

/* ---- sendmmsg ---- */

static void run_many(struct scene *scene)
{
	struct mmsghdr messages[MANY];
	struct iovec parts[MANY];
	struct address address, gone = address_ip4("255.255.255.255", 9);
	int to = receiver(scene, &address), fd = socket(AF_INET, SOCK_DGRAM, 0);
	char *pages =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	prepare(scene, pages != MAP_FAILED);
	for (size_t i = 0; i < MANY; i++) {
		parts[i] = (struct iovec){"abcdefgh", i % 8 + 1};
		messages[i] = (struct mmsghdr){.msg_hdr = header_of(&parts[i], 1, &address)};
	}
	tell_result(scene, raw(SYS_sendmmsg, fd, messages, 5, 0));
	for (size_t i = 0; i < 6; i++) {
		tell(scene, " %u", messages[i].msg_len);
		tell_received(scene, to);
	}
	tell(scene, " none ");
	tell_result(scene, raw(SYS_sendmmsg, fd, messages, 0, 0));
	tell(scene, " of a closed one ");
	tell_result(scene, raw(SYS_sendmmsg, 77, messages, 0, 0));
	messages[2].msg_hdr = header_of(&parts[2], 1, &gone);
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

	make_pair(scene, SOCK_STREAM, pair);
	for (size_t i = 0; i < 3; i++) {
		messages[i] = (struct mmsghdr){.msg_hdr = header_of(&parts[i], 1, NULL)};
	}
	tell_result(scene, raw(SYS_sendmmsg, pair[0], messages, 3, MSG_DONTWAIT));
	tell(scene, " %u %d %u", messages[0].msg_len, messages[1].msg_len > 0, messages[2].msg_len);
	tell_result(scene, raw(SYS_sendmmsg, pair[0], messages, 3, MSG_DONTWAIT));
}

static void run_full_table(struct scene *scene)
{
	struct rlimit limit = {8, 8};
	struct control control = {.used = 0};
	int pair[2];

	make_pair(scene, SOCK_STREAM, pair);
	add(&control, SOL_SOCKET, SCM_RIGHTS, pair, sizeof(int));
	while (dup(0) >= 0 && !setrlimit(RLIMIT_NOFILE, &limit)) {
		;
	}
	tell_result(scene, send_control(pair[0], &control, control.used, NULL));
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
	{"rights", run_rights},
	{"bad-rights", run_bad_rights},
	{"control-length", run_control_length},
	{"credentials", run_credentials},
	{"dropped-credentials", run_dropped_credentials},
	{"internet-control", run_internet_control},
	{"zerocopy", run_zerocopy},
	{"many", run_many},
	{"many-streams", run_many_streams},
	{"full-table", run_full_table},
};

void cases_message(struct runner *runner)
{
	for (size_t i = 0; i < array_length(messages_cases); i++) {
		runner_case(runner, messages_cases[i].function, NULL, "message/%s",
			messages_cases[i].name);
	}
}

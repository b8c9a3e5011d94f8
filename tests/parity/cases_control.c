/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control messages: descriptors and credentials that go along, what is said of one datagram, and
 * lengths that lie.
 */
#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/message.h"

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
	struct msghdr header = message_header(&part, 1, to);

	header.msg_control = (void *)control;
	header.msg_controllen = size;
	return message_send(fd, &header, MSG_NOSIGNAL);
}

static void run_rights(struct scene *scene)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
	int numbers[3] = {raw_open("regular", O_RDONLY, 0), raw_open("dir", O_PATH, 0),
		raw_open("regular", O_WRONLY | O_APPEND, 0)};

	for (size_t i = 0; i < array_length(types); i++) {
		struct control control = {.used = 0};
		int pair[2];

		message_pair(scene, types[i], pair);
		add(&control, SOL_SOCKET, SCM_RIGHTS, numbers, sizeof(numbers));
		tell(scene, " %d ", types[i]);
		tell_result(scene, send_control(pair[0], &control, control.used, NULL));
		message_tell_received(scene, pair[1]);
		add(&control, SOL_SOCKET, SCM_RIGHTS, numbers, sizeof(int));
		tell(scene, " two messages ");
		tell_result(scene, send_control(pair[0], &control, control.used, NULL));
		message_tell_received(scene, pair[1]);
	}
}

static void run_bad_rights(struct scene *scene)
{
	static const int bad[] = {-1, 77, 0x7fffffff, -100};
	static int many[300];
	int pair[2];
	struct control control = {.used = 0};

	message_pair(scene, SOCK_STREAM, pair);
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
		message_tell_received(scene, pair[1]);
	}
	control.used = 0;
	add(&control, SOL_SOCKET, SCM_RIGHTS, many, 254 * sizeof(int));
	tell(scene, " 254 ");
	tell_result(scene, send_control(pair[0], &control, control.used, NULL));
	control.used = 0;
	add(&control, SOL_SOCKET, SCM_RIGHTS, pair, 6);
	tell(scene, " six bytes ");
	tell_result(scene, send_control(pair[0], &control, control.used, NULL));
	message_tell_received(scene, pair[1]);
	tell(scene, " internet ");
	struct address address;
	int to = message_receiver(scene, &address);
	control.used = 0;
	add(&control, SOL_SOCKET, SCM_RIGHTS, bad, sizeof(bad));
	tell_result(scene,
		send_control(socket(AF_INET, SOCK_DGRAM, 0), &control, control.used, &address));
	message_tell_received(scene, to);
}

/* Lengths that lie, in a message of descriptors and behind it. */
static void run_control_length(struct scene *scene)
{
	static const size_t lengths[] = {0, 1, 15, 16, 17, 20, 24, 32, 4096, (size_t)-1};
	static const size_t sizes[] = {0, 1, 15, 16, 19, 20, 24, 25, 40, 4096};
	struct control control = {.used = 0};
	int pair[2];

	message_pair(scene, SOCK_DGRAM, pair);
	add(&control, SOL_SOCKET, SCM_RIGHTS, pair, sizeof(int));
	for (size_t i = 0; i < array_length(sizes); i++) {
		tell(scene, " size %zu ", sizes[i]);
		tell_result(scene, send_control(pair[0], &control, sizes[i], NULL));
		message_tell_received(scene, pair[1]);
	}
	for (size_t i = 0; i < array_length(lengths); i++) {
		control.header.cmsg_len = lengths[i];
		tell(scene, " length %zu ", lengths[i]);
		tell_result(scene, send_control(pair[0], &control, 24, NULL));
		message_tell_received(scene, pair[1]);
	}
	struct iovec part = {"c", 1};
	struct msghdr header = message_header(&part, 1, NULL);
	header.msg_controllen = 24;
	tell(scene, " NULL ");
	tell_result(scene, message_send(pair[0], &header, 0));
	header.msg_control = (void *)8;
	tell(scene, " unmapped ");
	tell_result(scene, message_send(pair[0], &header, 0));
	header.msg_controllen = (size_t)1 << 31;
	tell(scene, " 2^31 ");
	tell_result(scene, message_send(pair[0], &header, 0));
	header.msg_controllen = (size_t)-1;
	tell(scene, " -1 ");
	tell_result(scene, message_send(pair[0], &header, 0));
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

static void send_credentials(struct scene *scene, int type)
{
	struct ucred claims[] = {{getpid(), getuid(), getgid()}, {1, getuid(), getgid()},
		{getpid(), 12345, getgid()}, {getpid(), getuid(), 12345}, {getpid(), 0, 0},
		{-1, getuid(), getgid()}, {0, getuid(), getgid()}};
	int pair[2], one = 1;

	message_pair(scene, type, pair);
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

static void run_credentials(struct scene *scene)
{
	send_credentials(scene, SOCK_DGRAM);
}

static void run_stream_credentials(struct scene *scene)
{
	send_credentials(scene, SOCK_STREAM);
}

static void run_packet_credentials(struct scene *scene)
{
	send_credentials(scene, SOCK_SEQPACKET);
}

/* Who was root and is not any more must not speak as root. */
static void run_dropped_credentials(struct scene *scene)
{
	int pair[2], one = 1;

	message_pair(scene, SOCK_DGRAM, pair);
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
	int to = message_receiver(scene, &address), fd = socket(AF_INET, SOCK_DGRAM, 0), one = 1;
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
		message_tell_received(scene, to);
	}
}

static void run_zerocopy(struct scene *scene)
{
	struct address address;
	uint16_t port = 0;
	int listener = address_listen("127.0.0.1", 0, 0, &port), one = 1;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct iovec part = {calloc(1, 300000), 300000};
	struct msghdr header = message_header(&part, 1, NULL), queue = {0};
	union {
		struct cmsghdr header;
		char room[256];
	} control;
	struct pollfd poller = {.fd = fd};
	pthread_t thread;

	address = address_ip4("127.0.0.1", port);
	prepare(scene, !connect(fd, (struct sockaddr *)&address.storage, address.length));
	int server = accept(listener, NULL, NULL);
	prepare(scene, !pthread_create(&thread, NULL, message_drain, &server));
	tell(scene, "not asked for ");
	tell_result(scene, message_send(fd, &header, MSG_ZEROCOPY));
	setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one));
	tell(scene, " ");
	tell_result(scene, message_send(fd, &header, MSG_ZEROCOPY));
	poll(&poller, 1, 10000);
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

static void run_full_table(struct scene *scene)
{
	struct rlimit limit = {8, 8};
	struct control control = {.used = 0};
	int pair[2];

	message_pair(scene, SOCK_STREAM, pair);
	add(&control, SOL_SOCKET, SCM_RIGHTS, pair, sizeof(int));
	while (dup(0) >= 0 && !setrlimit(RLIMIT_NOFILE, &limit)) {
		;
	}
	tell_result(scene, send_control(pair[0], &control, control.used, NULL));
}

static const struct {
	const char *name;
	case_function *function;
} cases[] = {
	{"rights", run_rights},
	{"bad-rights", run_bad_rights},
	{"control-length", run_control_length},
	{"credentials", run_credentials},
	{"stream-credentials", run_stream_credentials},
	{"packet-credentials", run_packet_credentials},
	{"dropped-credentials", run_dropped_credentials},
	{"internet-control", run_internet_control},
	{"zerocopy", run_zerocopy},
	{"full-table", run_full_table},
};

void cases_control(struct runner *runner)
{
	for (size_t i = 0; i < array_length(cases); i++) {
		runner_case(runner, cases[i].function, NULL, "message/%s", cases[i].name);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/socket_options.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/carried_options.h"
#include "daemon/broker/socket_facts.h"
#include "daemon/policy/told_options.h"

#define VALUE_MAX 16 /* struct timeval, and a name of a congestion control */

struct value {
	socklen_t size; /* 0: the socket has no such option */
	char bytes[VALUE_MAX];
};

/* Of SO_MEMINFO, which tells both in one call. */
struct buffers {
	uint32_t receive, send;
};

/* What a socket of one kind has, and what is read of it. */
struct usual {
	struct value values[CARRIED_OPTIONS_MAX];
	struct buffers buffers;
	/* Options that the kind has: first those of which nobody is told, then the others. */
	uint8_t order[CARRIED_OPTIONS_MAX];
	size_t untold, count;
};

struct socket_defaults {
	const struct carried_option *options;
	size_t count;
	struct usual usual[SOCKET_KINDS];
	uint64_t told[CARRIED_OPTIONS_MAX]; /* its bit, told_options.h; 0: it has to be read */
	uint64_t told_buffers;              /* the bits of both */
};

static struct value read_value(int socket, const struct carried_option *option)
{
	struct value value = {.size = VALUE_MAX};

	if (getsockopt(socket, option->level, option->name, value.bytes, &value.size) < 0) {
		value.size = 0;
	}
	return value;
}

static struct buffers read_buffers(int socket)
{
	uint32_t values[SK_MEMINFO_VARS] = {0};
	socklen_t size = sizeof(values);

	(void)getsockopt(socket, SOL_SOCKET, SO_MEMINFO, values, &size);
	return (struct buffers){values[SK_MEMINFO_RCVBUF], values[SK_MEMINFO_SNDBUF]};
}

static int look_at(struct socket_defaults *defaults, enum socket_kind kind)
{
	int domain = kind == STREAM_6 || kind == DATAGRAM_6 ? AF_INET6 : AF_INET;
	int type = kind == STREAM_4 || kind == STREAM_6 ? SOCK_STREAM : SOCK_DGRAM;
	cleanup_fd int fd = socket(domain, type | SOCK_CLOEXEC, 0);

	/* A machine can be without IPv6: then there is no such socket to be copied either. */
	if (fd < 0) {
		return errno == EAFNOSUPPORT ? 0 : -errno;
	}
	for (size_t i = 0; i < defaults->count; i++) {
		if (defaults->options[i].kinds & (1u << kind)) {
			defaults->usual[kind].values[i] = read_value(fd, &defaults->options[i]);
		}
	}
	defaults->usual[kind].buffers = read_buffers(fd);
	return 0;
}

static void add_to_order(struct usual *usual, const uint64_t *told, bool is_told)
{
	for (size_t i = 0; i < CARRIED_OPTIONS_MAX; i++) {
		if (usual->values[i].size != 0 && (told[i] != 0) == is_told) {
			usual->order[usual->count++] = (uint8_t)i;
		}
	}
}

static void find_order(struct socket_defaults *defaults)
{
	for (size_t i = 0; i < defaults->count; i++) {
		const struct carried_option *option = &defaults->options[i];
		defaults->told[i] = told_option_bit(option->level, option->name);
	}
	defaults->told_buffers =
		told_option_bit(SOL_SOCKET, SO_RCVBUF) | told_option_bit(SOL_SOCKET, SO_SNDBUF);
	for (enum socket_kind kind = 0; kind < SOCKET_KINDS; kind++) {
		add_to_order(&defaults->usual[kind], defaults->told, false);
		defaults->usual[kind].untold = defaults->usual[kind].count;
		add_to_order(&defaults->usual[kind], defaults->told, true);
	}
}

int socket_defaults_new(struct socket_defaults **defaultsp)
{
	cleanup_free struct socket_defaults *defaults = calloc(1, sizeof(*defaults));
	int error = defaults ? 0 : -ENOMEM;

	if (defaults) {
		defaults->options = carried_options(&defaults->count);
	}
	for (enum socket_kind kind = 0; kind < SOCKET_KINDS && error == 0; kind++) {
		error = look_at(defaults, kind);
	}
	if (error == 0) {
		find_order(defaults);
		*defaultsp = steal_pointer(&defaults);
	}
	return error;
}

/* The kernel takes half of what it tells. */
static void copy_buffer(int name, uint32_t usual, uint32_t value, int to)
{
	int half = (int)(value / 2);

	if (value != usual) {
		(void)setsockopt(to, SOL_SOCKET, name, &half, sizeof(half));
	}
}

static void copy_buffers(const struct buffers *usual, int from, int to)
{
	struct buffers buffers = read_buffers(from);

	copy_buffer(SO_RCVBUF, usual->receive, buffers.receive, to);
	copy_buffer(SO_SNDBUF, usual->send, buffers.send, to);
}

static void copy_value(
	const struct carried_option *option, const struct value *usual, int from, int to)
{
	struct value value = read_value(from, option);

	if (value.size == usual->size && memcmp(value.bytes, usual->bytes, value.size) != 0) {
		(void)setsockopt(to, option->level, option->name, value.bytes, value.size);
	}
}

/*
 * What comes in may be filtered by a program of the program's own (SO_ATTACH_FILTER). One of eBPF
 * is not to be read again.
 */
static void copy_filter(int from, int to)
{
	struct sock_filter instructions[BPF_MAXINSNS];
	socklen_t count = BPF_MAXINSNS;

	if (getsockopt(from, SOL_SOCKET, SO_GET_FILTER, instructions, &count) < 0 || count == 0) {
		return;
	}
	const struct sock_fprog program = {.len = (unsigned short)count, .filter = instructions};
	int lock = socket_number(from, SOL_SOCKET, SO_LOCK_FILTER);
	(void)setsockopt(to, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
	if (lock > 0) {
		(void)setsockopt(to, SOL_SOCKET, SO_LOCK_FILTER, &lock, sizeof(lock));
	}
}

void socket_options_copy(const struct socket_defaults *defaults, uint64_t told, int domain,
	int type, int from, int to)
{
	enum socket_kind kind = type == SOCK_STREAM  ? domain == AF_INET6 ? STREAM_6 : STREAM_4
				: domain == AF_INET6 ? DATAGRAM_6
						     : DATAGRAM_4;

	const struct usual *usual = &defaults->usual[kind];
	size_t count = told ? usual->count : usual->untold;

	for (size_t i = 0; i < count; i++) {
		uint8_t option = usual->order[i];
		if (i < usual->untold || (defaults->told[option] & told)) {
			copy_value(&defaults->options[option], &usual->values[option], from, to);
		}
	}
	if (defaults->told_buffers & told) {
		copy_buffers(&usual->buffers, from, to);
	}
	if (told & TOLD_OTHERS) {
		copy_filter(from, to);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connect to unix sockets: by path, resolved as open resolves, and by abstract name; of every type
 * and state.
 */
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "daemon/base/cleanup.h"
#include "tests/common/address.h"
#include "tests/parity/parity.h"

#define PATH_OFFSET offsetof(struct sockaddr_un, sun_path)
#define PATH_SIZE   sizeof(((struct sockaddr_un *)NULL)->sun_path)

static int bound(struct scene *scene, const char *name, int type)
{
	struct address address;
	int fd = socket(AF_UNIX, type, 0);

	prepare(scene, fd >= 0 && address_parse_unix(&address, name));
	prepare(scene, !bind(fd, (struct sockaddr *)&address.storage, address.length));
	prepare(scene, type == SOCK_DGRAM || !listen(fd, 5));
	return fd;
}

static long connect_to(const char *name, int type)
{
	struct address address = {0};
	int fd = socket(AF_UNIX, type, 0);
	long result;

	if (!address_parse_unix(&address, name)) {
		return -ENAMETOOLONG;
	}
	result = raw(SYS_connect, fd, &address.storage, address.length);
	close(fd);
	return result;
}

static const char *const names[] = {"listening", "./listening", "dir/../listening", "tolistening",
	"dirlink/in", "dir/in", "todir/in", "//listening", "listening/", "missing", "missing/x",
	"regular", "dir", "fifo", "socket", "loop", "dangling", "closed/inner", "null", "/dev/null",
	"datagram", "@abstract", "@missing", "/proc/self/cwd/listening", "/proc/self/fd/9", "shut"};

static void make_world(struct scene *scene)
{
	char absolute[512];
	int fd;

	bound(scene, "listening", SOCK_STREAM);
	bound(scene, "dir/in", SOCK_STREAM);
	bound(scene, "datagram", SOCK_DGRAM);
	fd = bound(scene, "shut", SOCK_STREAM);
	close(fd);
	snprintf(absolute, sizeof(absolute), "@parity%s", scene->root);
	prepare(scene, !symlink("listening", "tolistening") && !symlink("dir", "todir"));
	prepare(scene, dup2(raw_open("listening", O_PATH, 0), 9) == 9);
}

static void run_name(struct scene *scene)
{
	static const int types[] = {
		SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM | SOCK_NONBLOCK};
	const char *name = *(const char *const *)scene->data;

	make_world(scene);
	for (size_t i = 0; i < array_length(types); i++) {
		tell(scene, " %d ", types[i]);
		tell_result(scene, connect_to(name, types[i]));
	}
}

static void run_absolute(struct scene *scene)
{
	char name[256];

	bound(scene, "listening", SOCK_STREAM);
	snprintf(name, sizeof(name), "%.80s/listening", scene->root);
	tell_result(scene, connect_to(name, SOCK_STREAM));
	snprintf(name, sizeof(name), "%.80s/missing", scene->root);
	tell(scene, " missing ");
	tell_result(scene, connect_to(name, SOCK_STREAM));
}

static void run_abstract(struct scene *scene)
{
	struct address address = {0};
	struct sockaddr_un *un = (struct sockaddr_un *)&address.storage;
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd = socket(AF_UNIX, SOCK_STREAM, 0);

	/* A name with NULs in it, told from the same one cut off there. */
	un->sun_family = AF_UNIX;
	snprintf(un->sun_path + 1, PATH_SIZE - 1, "usher-parity-%d", getpid());
	address.length = PATH_OFFSET + 40;
	prepare(scene,
		!bind(listener, (struct sockaddr *)un, address.length) && !listen(listener, 5));
	tell_result(scene, raw(SYS_connect, fd, un, address.length));
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	tell(scene, " shorter ");
	tell_result(scene, raw(SYS_connect, fd, un, address.length - 1));
	tell(scene, " longer ");
	tell_result(scene, raw(SYS_connect, fd, un, address.length + 1));
	tell(scene, " longest ");
	tell_result(scene, raw(SYS_connect, fd, un, PATH_OFFSET + PATH_SIZE));
}

/* Lengths around those of a path: without its NUL, with more behind it, cut off. */
static void run_length(struct scene *scene)
{
	static const int lengths[] = {0, 1, 2, 3, 5, 10, 11, 12, 13, 50, 109, 110, 111, 128, 129};
	struct sockaddr_un un[2] = {{.sun_family = AF_UNIX, .sun_path = "listening"}};

	bound(scene, "listening", SOCK_STREAM);
	for (size_t i = 0; i < array_length(lengths); i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		tell(scene, " %d ", lengths[i]);
		tell_result(scene, raw(SYS_connect, fd, un, (socklen_t)lengths[i]));
		close(fd);
	}
}

/* 107 and 108 bytes of path, the longer one without a NUL. */
static void run_long_path(struct scene *scene)
{
	struct sockaddr_un un[2] = {{.sun_family = AF_UNIX}};
	size_t length = *(const size_t *)scene->data;
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memset(un->sun_path, 'p', length);
	tell(scene, "bind ");
	tell_result(scene, raw(SYS_bind, listener, un, (socklen_t)(PATH_OFFSET + length)));
	listen(listener, 5);
	tell(scene, " connect ");
	tell_result(scene, raw(SYS_connect, fd, un, (socklen_t)(PATH_OFFSET + length)));
	tell(scene, " again ");
	tell_result(scene, raw(SYS_connect, fd, un, (socklen_t)(PATH_OFFSET + length)));
}

static void run_states(struct scene *scene)
{
	struct address address, none = {.length = sizeof(sa_family_t)};
	int listener = bound(scene, "stream", SOCK_STREAM), fd, pair[2];

	bound(scene, "datagram", SOCK_DGRAM);
	prepare(scene, address_parse_unix(&address, "stream"));
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	tell_result(scene, raw(SYS_connect, fd, &address.storage, address.length));
	tell(scene, " connected ");
	tell_result(scene, raw(SYS_connect, fd, &address.storage, address.length));
	tell(scene, " listener ");
	tell_result(scene, raw(SYS_connect, listener, &address.storage, address.length));
	prepare(scene, !socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	prepare(scene, address_parse_unix(&address, "datagram"));
	tell(scene, " pair ");
	tell_result(scene, raw(SYS_connect, pair[0], &address.storage, address.length));
	tell(scene, " AF_UNSPEC ");
	tell_result(scene, raw(SYS_connect, pair[0], &none.storage, none.length));
	tell(scene, " send=%ld", raw_result(send(pair[0], "x", 1, MSG_NOSIGNAL)));
	tell(scene, " stream AF_UNSPEC ");
	tell_result(scene, raw(SYS_connect, fd, &none.storage, none.length));
}

/* Who has connected is the caller, not whoever did it for him. */
static void run_credentials(struct scene *scene)
{
	int listener = bound(scene, "stream", SOCK_STREAM), fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct ucred credentials = {0};
	socklen_t length = sizeof(credentials);
	struct address address;
	int server;

	prepare(scene, address_parse_unix(&address, "stream"));
	tell_result(scene, raw(SYS_connect, fd, &address.storage, address.length));
	server = accept(listener, NULL, NULL);
	getsockopt(server, SOL_SOCKET, SO_PEERCRED, &credentials, &length);
	tell(scene, " own=%d uid=%u gid=%u", credentials.pid == getpid(), credentials.uid,
		credentials.gid);
}

/* A socket without the right to write to it. */
static void run_no_right(struct scene *scene)
{
	bound(scene, "stream", SOCK_STREAM);
	prepare(scene, !chmod("stream", 0));
	tell_result(scene, connect_to("stream", SOCK_STREAM));
	if (geteuid() == 0) {
		prepare(scene, !raw(SYS_setresuid, 12345, 12345, 12345));
		tell(scene, " other uid ");
		tell_result(scene, connect_to("stream", SOCK_STREAM));
	}
}

static void run_in_chroot(struct scene *scene)
{
	bound(scene, "dir/in", SOCK_STREAM);
	if (geteuid() && unshare(CLONE_NEWUSER)) {
		tell(scene, "unshare %s", observe_errno(errno));
		return;
	}
	prepare(scene, !chroot("dir") && !chdir("/"));
	tell_result(scene, connect_to("/in", SOCK_STREAM));
	tell(scene, " above ");
	tell_result(scene, connect_to("../../in", SOCK_STREAM));
}

void cases_unix(struct runner *runner)
{
	static const size_t lengths[] = {107, 108};
	static const struct {
		const char *name;
		case_function *function;
	} others[] = {
		{"absolute", run_absolute},
		{"abstract", run_abstract},
		{"length", run_length},
		{"states", run_states},
		{"credentials", run_credentials},
		{"no-right", run_no_right},
		{"chroot", run_in_chroot},
	};

	for (size_t i = 0; i < array_length(names); i++) {
		runner_case(runner, run_name, &names[i], "unix/%s", names[i]);
	}
	for (size_t i = 0; i < array_length(lengths); i++) {
		runner_case(runner, run_long_path, &lengths[i], "unix/path-of-%zu", lengths[i]);
	}
	for (size_t i = 0; i < array_length(others); i++) {
		runner_case(runner, others[i].function, NULL, "unix/%s", others[i].name);
	}
}

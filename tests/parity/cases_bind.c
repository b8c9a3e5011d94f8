/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bind and listen: addresses of the internet on the loopback interface, unix sockets by path and by
 * name, every malformed address, and what getsockname says afterwards.
 */
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "daemon/base/cleanup.h"
#include "tests/common/address.h"
#include "tests/parity/parity.h"
#include "tests/parity/tree.h"

#define PAGE        4096
#define PATH_OFFSET offsetof(struct sockaddr_un, sun_path)

static long bind_to(int fd, const struct address *address)
{
	return raw(SYS_bind, fd, &address->storage, address->length);
}

/* A port is told by whether there is one: the kernel chooses it anew each time. */
static void tell_internet(struct scene *scene, const struct sockaddr_storage *name)
{
	const struct sockaddr_in *in = (const void *)name;
	const struct sockaddr_in6 *in6 = (const void *)name;
	const unsigned char *bytes = name->ss_family == AF_INET ? (const void *)&in->sin_addr
								: (const void *)&in6->sin6_addr;

	for (int i = 0; i < (name->ss_family == AF_INET ? 4 : 16); i++) {
		tell(scene, "%02x", bytes[i]);
	}
	tell(scene, ":%s", in->sin_port ? "port" : "none");
}

static void tell_name(struct scene *scene, int fd)
{
	struct sockaddr_storage name = {0};
	struct sockaddr_un *un = (struct sockaddr_un *)&name;
	socklen_t length = sizeof(name);

	if (getsockname(fd, (struct sockaddr *)&name, &length)) {
		tell(scene, " name=%s", observe_errno(errno));
		return;
	}
	tell(scene, " name=%u/%u ", name.ss_family, length);
	if (name.ss_family == AF_UNIX) {
		bool is_path = length > PATH_OFFSET && un->sun_path[0];
		tell(scene, "%s", is_path ? un->sun_path : "");
	} else if (name.ss_family == AF_INET || name.ss_family == AF_INET6) {
		tell_internet(scene, &name);
	}
}

static void tell_listen(struct scene *scene, int fd)
{
	int accepting = -1;
	socklen_t length = sizeof(accepting);

	tell(scene, " listen ");
	tell_result(scene, raw(SYS_listen, fd, 5));
	getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepting, &length);
	tell(scene, " accepts=%d", accepting);
	tell_name(scene, fd);
}

/* ---- the internet ---- */

static const struct internet_case {
	const char *host;
	int family;
	uint16_t port;
} internet[] = {
	{"127.0.0.1", AF_INET, 0},
	{"0.0.0.0", AF_INET, 0},
	{"127.255.255.254", AF_INET, 0},
	{"192.0.2.77", AF_INET, 0}, /* not of this machine */
	{"255.255.255.255", AF_INET, 0},
	{"224.0.0.1", AF_INET, 0},
	{"127.0.0.1", AF_INET, 81}, /* for who may */
	{"::1", AF_INET6, 0},
	{"::", AF_INET6, 0},
	{"::ffff:127.0.0.1", AF_INET6, 0},
	{"::ffff:0.0.0.0", AF_INET6, 0},
	{"2001:db8::77", AF_INET6, 0},
	{"fe80::1", AF_INET6, 0},
	{"::1", AF_INET6, 82},
};

static void run_internet(struct scene *scene)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
	const struct internet_case *what = scene->data;
	struct address address = what->family == AF_INET ? address_ip4(what->host, what->port)
							 : address_ip6(what->host, what->port);

	for (size_t i = 0; i < array_length(types); i++) {
		int fd = socket(what->family, types[i], 0);

		tell(scene, " %d ", types[i]);
		tell_result(scene, bind_to(fd, &address));
		tell_name(scene, fd);
		tell(scene, " again ");
		tell_result(scene, bind_to(fd, &address));
		tell_listen(scene, fd);
		close(fd);
	}
}

static void run_in_use(struct scene *scene)
{
	struct address address = address_ip4("127.0.0.1", 0);
	int first = socket(AF_INET, SOCK_STREAM, 0), second = socket(AF_INET, SOCK_STREAM, 0);
	int one = 1;

	prepare(scene,
		!bind(first, (struct sockaddr *)&address.storage, address.length) &&
			!getsockname(first, (struct sockaddr *)&address.storage, &address.length));
	tell_result(scene, bind_to(second, &address));
	tell(scene, " SO_REUSEPORT ");
	setsockopt(second, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	tell_result(scene, bind_to(second, &address));
	tell(scene, " udp ");
	tell_result(scene, bind_to(socket(AF_INET, SOCK_DGRAM, 0), &address));
	tell(scene, " inet6 ");
	((struct sockaddr_in *)&address.storage)->sin_family = AF_INET6;
	tell_result(scene, bind_to(socket(AF_INET6, SOCK_STREAM, 0), &address));
}

static void run_length(struct scene *scene)
{
	const socklen_t length = *(const socklen_t *)scene->data;
	struct address four = address_ip4("127.0.0.1", 0), six = address_ip6("::1", 0);
	int fd = socket(AF_INET, SOCK_STREAM, 0), fd6 = socket(AF_INET6, SOCK_DGRAM, 0);

	four.length = six.length = length;
	tell_result(scene, bind_to(fd, &four));
	tell_name(scene, fd);
	tell(scene, " inet6 ");
	tell_result(scene, bind_to(fd6, &six));
	tell_name(scene, fd6);
	tell(scene, " inet on inet6 ");
	tell_result(scene, bind_to(socket(AF_INET6, SOCK_STREAM, 0), &four));
}

static void run_family(struct scene *scene)
{
	static const int domains[][2] = {{AF_INET, SOCK_STREAM}, {AF_INET, SOCK_DGRAM},
		{AF_INET6, SOCK_STREAM}, {AF_UNIX, SOCK_STREAM}};
	struct address address = address_ip4("127.0.0.1", 0);

	address.storage.ss_family = *(const sa_family_t *)scene->data;
	for (size_t i = 0; i < array_length(domains); i++) {
		int fd = socket(domains[i][0], domains[i][1], 0);

		tell(scene, " %d ", domains[i][0]);
		tell_result(scene, bind_to(fd, &address));
		tell_name(scene, fd);
		close(fd);
	}
	memset((char *)&address.storage + 2, 0, 14);
	tell(scene, " any ");
	tell_result(scene, bind_to(socket(AF_INET, SOCK_STREAM, 0), &address));
}

static void run_pointer(struct scene *scene)
{
	char *pages =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct address address = address_ip4("127.0.0.1", 0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	prepare(scene, pages != MAP_FAILED && !munmap(pages + PAGE, PAGE));
	memcpy(pages + PAGE - 16, &address.storage, 16);
	tell(scene, "longer ");
	tell_result(scene, raw(SYS_bind, fd, pages + PAGE - 16, 17));
	tell(scene, " unmapped ");
	tell_result(scene, raw(SYS_bind, fd, pages + PAGE, 16));
	tell(scene, " NULL ");
	tell_result(scene, raw(SYS_bind, fd, 0, 16));
	tell(scene, " NULL of 0 ");
	tell_result(scene, raw(SYS_bind, fd, 0, 0));
	tell(scene, " negative ");
	tell_result(scene, raw(SYS_bind, fd, pages, -1));
	tell(scene, " at the end ");
	tell_result(scene, raw(SYS_bind, fd, pages + PAGE - 16, 16));
}

static void run_not_a_socket(struct scene *scene)
{
	struct address address = address_ip4("127.0.0.1", 0);
	int file = raw_open("regular", O_RDONLY, 0), path = raw_open("regular", O_PATH, 0);

	tell_result(scene, bind_to(file, &address));
	tell(scene, " O_PATH ");
	tell_result(scene, bind_to(path, &address));
	tell(scene, " closed ");
	tell_result(scene, bind_to(77, &address));
	tell(scene, " -1 ");
	tell_result(scene, bind_to(-1, &address));
	tell(scene, " NULL ");
	tell_result(scene, raw(SYS_bind, file, 0, 16));
	tell(scene, " listen ");
	tell_result(scene, raw(SYS_listen, file, 5));
	tell(scene, " listen O_PATH ");
	tell_result(scene, raw(SYS_listen, path, 5));
	tell(scene, " listen closed ");
	tell_result(scene, raw(SYS_listen, 77, 5));
}

/* Not bound before: listen does that, or refuses. */
static void run_listen(struct scene *scene)
{
	static const int kinds[][2] = {{AF_INET, SOCK_STREAM}, {AF_INET6, SOCK_STREAM},
		{AF_INET, SOCK_DGRAM}, {AF_UNIX, SOCK_STREAM}, {AF_UNIX, SOCK_DGRAM},
		{AF_UNIX, SOCK_SEQPACKET}, {AF_NETLINK, SOCK_RAW}};
	int pair[2];

	for (size_t i = 0; i < array_length(kinds); i++) {
		int fd = socket(kinds[i][0], kinds[i][1], 0);

		tell(scene, " %d/%d", kinds[i][0], kinds[i][1]);
		tell_listen(scene, fd);
		tell(scene, " backlog -1 ");
		tell_result(scene, raw(SYS_listen, fd, -1));
		close(fd);
	}
	prepare(scene, !socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	tell(scene, " pair ");
	tell_result(scene, raw(SYS_listen, pair[0], 1));
}

static void run_netlink(struct scene *scene)
{
	struct address address = {.length = sizeof(struct sockaddr_nl)};
	struct sockaddr_nl *netlink = (struct sockaddr_nl *)&address.storage;
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	netlink->nl_family = AF_NETLINK;
	netlink->nl_pid = 4000000000u + (uint32_t)getpid() % 1000000u;
	netlink->nl_groups = 1;
	tell_result(scene, bind_to(fd, &address));
	tell_name(scene, fd);
	address.length--;
	tell(scene, " shorter ");
	tell_result(scene, bind_to(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), &address));
}

/* ---- unix ---- */

static const char *const names[] = {"new", "./new", "dir/new", "dirlink/new", "dir/../new",
	"missing/new", "regular/new", "new/", "dir/new/", "dir", "dir/", ".", "..", "/", "dir/.",
	"regular", "fifo", "socket", "link", "dangling", "loop", "loop/new", "closed/new",
	"sticky/new", "setgid/new", "dir//new", "parent", "/proc/self/cwd/new", "/proc/self/fd/new",
	"null/new", "@", "@abstract-name-of-parity", ""};

static void run_name(struct scene *scene)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
	const char *name = *(const char *const *)scene->data;
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	socklen_t length = (socklen_t)(PATH_OFFSET + strlen(name) + (name[0] && name[0] != '@'));

	strcpy(un.sun_path, name);
	if (name[0] == '@') {
		un.sun_path[0] = '\0';
	}
	for (size_t i = 0; i < array_length(types); i++) {
		int fd = socket(AF_UNIX, types[i], 0);

		tell(scene, " %d ", types[i]);
		tell_result(scene, raw(SYS_bind, fd, &un, length));
		tell_name(scene, fd);
		tell(scene, " again ");
		tell_result(scene, raw(SYS_bind, fd, &un, length));
		close(fd);
	}
	tree_tell_changes(scene);
}

static void run_absolute(struct scene *scene)
{
	struct address address;
	char name[256];
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0), other = socket(AF_UNIX, SOCK_DGRAM, 0);

	snprintf(name, sizeof(name), "%.80s/absolute-new", scene->root);
	prepare(scene, address_parse_unix(&address, name));
	tell_result(scene, bind_to(fd, &address));
	tell_name(scene, fd);
	tell(scene, " second ");
	tell_result(scene, bind_to(other, &address));
	tree_tell_changes(scene);
}

/* What an answer is sent to: the text that was bound, from any directory. */
static void run_answer(struct scene *scene)
{
	struct sockaddr_un from = {0};
	socklen_t length = sizeof(from);
	struct address server, client;
	char byte, name[256];
	int one = socket(AF_UNIX, SOCK_DGRAM, 0), two = socket(AF_UNIX, SOCK_DGRAM, 0);

	snprintf(name, sizeof(name), "%.80s/dir/client", scene->root);
	prepare(scene, address_parse_unix(&server, "server") && address_parse_unix(&client, name));
	tell_result(scene, bind_to(one, &server));
	tell_result(scene, bind_to(two, &client));
	prepare(scene, raw(SYS_sendto, two, "x", 1, 0, &server.storage, server.length) == 1);
	prepare(scene, recvfrom(one, &byte, 1, 0, (struct sockaddr *)&from, &length) == 1);
	tell(scene, " from %s/%u", from.sun_path, length);
	prepare(scene, !chdir("/"));
	tell_result(scene, raw(SYS_sendto, one, "y", 1, 0, &from, length));
	tell(scene, " got %c", recv(two, &byte, 1, MSG_DONTWAIT) == 1 ? byte : '-');
}

/* Its mode is the socket's and the umask's, its owner the caller. */
static void run_mode(struct scene *scene)
{
	static const mode_t masks[] = {0, 022, 077, 0777};
	struct address address;
	char name[32];

	for (size_t i = 0; i < array_length(masks); i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		snprintf(name, sizeof(name), "setgid/mode%zu", i);
		prepare(scene, address_parse_unix(&address, name));
		umask(masks[i]);
		tell(scene, " %o ", masks[i]);
		tell_result(scene, bind_to(fd, &address));
		tell_path(scene, name);
	}
	umask(022);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	prepare(scene, !fchmod(fd, 0640) && address_parse_unix(&address, "fchmod"));
	tell(scene, " fchmod ");
	tell_result(scene, bind_to(fd, &address));
	tell_path(scene, "fchmod");
}

static void run_no_right(struct scene *scene)
{
	struct address address;

	prepare(scene, !mkdir("mine", 0755) && address_parse_unix(&address, "mine/new"));
	if (geteuid() == 0) {
		prepare(scene, !raw(SYS_setresuid, 12345, 12345, 12345));
	} else {
		prepare(scene, !chmod("mine", 0555));
	}
	tell_result(scene, bind_to(socket(AF_UNIX, SOCK_STREAM, 0), &address));
	tell(scene, " low port ");
	address = address_ip4("127.0.0.1", 83);
	tell_result(scene, bind_to(socket(AF_INET, SOCK_STREAM, 0), &address));
	tree_tell_changes(scene);
}

static void run_unix_length(struct scene *scene)
{
	static const int lengths[] = {0, 1, 2, 3, 4, 50, 108, 109, 110, 111, 128, 129, -1};
	struct sockaddr_un un[2] = {{.sun_family = AF_UNIX}};

	for (size_t i = 0; i < array_length(lengths); i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		memset(un->sun_path, 'a' + (int)i, sizeof(un->sun_path));
		tell(scene, " %d ", lengths[i]);
		tell_result(scene, raw(SYS_bind, fd, un, (socklen_t)lengths[i]));
		tell(scene, lengths[i] == 2 ? " autobind" : "");
		close(fd);
	}
	tree_tell_changes(scene);
}

/* As long as can be said, by a name alone and by one with a directory before it. */
static void run_long_path(struct scene *scene)
{
	static const char *const starts[] = {"", "dir/", "./"};

	for (size_t i = 0; i < array_length(starts); i++) {
		struct sockaddr_un un[2] = {{.sun_family = AF_UNIX}};
		struct sockaddr_storage name;
		socklen_t length = sizeof(name);
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		memset(un->sun_path, 'p', sizeof(un->sun_path));
		memcpy(un->sun_path, starts[i], strlen(starts[i]));
		tell(scene, " '%s' ", starts[i]);
		tell_result(scene, raw(SYS_bind, fd, un, sizeof(*un)));
		getsockname(fd, (struct sockaddr *)&name, &length);
		tell(scene, " length=%u", length);
		close(fd);
	}
	tree_tell_changes(scene);
}

struct bind_case {
	const char *name;
	case_function *function;
};

static const struct bind_case others[] = {
	{"in-use", run_in_use},
	{"pointer", run_pointer},
	{"not-a-socket", run_not_a_socket},
	{"listen", run_listen},
	{"netlink", run_netlink},
	{"unix/absolute", run_absolute},
	{"unix/answer", run_answer},
	{"unix/mode", run_mode},
	{"unix/no-right", run_no_right},
	{"unix/length", run_unix_length},
	{"unix/long-path", run_long_path},
};

void cases_bind(struct runner *runner)
{
	static const socklen_t lengths[] = {
		0, 1, 2, 7, 8, 15, 16, 17, 23, 24, 27, 28, 29, 128, 129, 0x80000000};
	static const sa_family_t families[] = {AF_UNSPEC, AF_UNIX, AF_INET6, AF_NETLINK, 45, 65535};

	for (size_t i = 0; i < array_length(internet); i++) {
		runner_case(runner, run_internet, &internet[i], "bind/%s/%u", internet[i].host,
			internet[i].port);
	}
	for (size_t i = 0; i < array_length(lengths); i++) {
		runner_case(runner, run_length, &lengths[i], "bind/length/%u", lengths[i]);
	}
	for (size_t i = 0; i < array_length(families); i++) {
		runner_case(runner, run_family, &families[i], "bind/family/%u", families[i]);
	}
	for (size_t i = 0; i < array_length(names); i++) {
		runner_case(runner, run_name, &names[i], "bind/unix/name/%s", names[i]);
	}
	for (size_t i = 0; i < array_length(others); i++) {
		runner_case(runner, others[i].function, NULL, "bind/%s", others[i].name);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/cases.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"

#define BACKLOG       64
#define SHARED_MEMORY "/dev/shm"

static int nothing(struct worker *worker)
{
	(void)worker;
	return 0;
}

static int open_and_close(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0644);

	if (fd < 0) {
		return errno;
	}
	close(fd);
	return 0;
}

static int call_open(struct worker *worker)
{
	return open_and_close(worker->fixture->existing, O_RDONLY);
}

static int call_open_relative(struct worker *worker)
{
	(void)worker;
	return open_and_close("existing", O_RDONLY);
}

static int call_open_link(struct worker *worker)
{
	return open_and_close(worker->fixture->link, O_RDONLY);
}

/* A link high up, as on every system where /bin is usr/bin; the file is the same on all of them. */
static int call_open_merged(struct worker *worker)
{
	(void)worker;
	return open_and_close("/bin/true", O_RDONLY);
}

static int call_open_missing(struct worker *worker)
{
	return open_and_close(worker->fixture->missing, O_RDONLY);
}

static int expect_missing(const struct fixture *fixture)
{
	(void)fixture;
	return ENOENT;
}

static int call_open_denied(struct worker *worker)
{
	return open_and_close(worker->fixture->denied, O_RDONLY);
}

static int expect_open_denied(const struct fixture *fixture)
{
	return fixture->expect_denied ? EACCES : 0;
}

static int prepare_create(struct worker *worker)
{
	snprintf(worker->created, sizeof(worker->created), "%.4000s/usher-bench.%d.%u",
		worker->fixture->memory, getpid(), worker->index);
	return 0;
}

static int call_create(struct worker *worker)
{
	return open_and_close(worker->created, O_WRONLY | O_CREAT | O_EXCL);
}

static int finish_create(struct worker *worker)
{
	return unlink(worker->created) < 0 ? -errno : 0;
}

static int prepare_unlink(struct worker *worker)
{
	prepare_create(worker);
	return -call_create(worker);
}

static int call_unlink(struct worker *worker)
{
	return unlink(worker->created) < 0 ? errno : 0;
}

static int call_socket(struct worker *worker)
{
	(void)worker;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		return errno;
	}
	close(fd);
	return 0;
}

static int make_socket(struct worker *worker, int family, int type)
{
	worker->fd = socket(family, type | SOCK_CLOEXEC, 0);
	return worker->fd < 0 ? -errno : 0;
}

static int connect_inet(int fd, uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	return connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;
}

/* Closed by a reset: no TIME_WAIT uses up the ports. */
static int prepare_tcp(struct worker *worker)
{
	struct linger linger = {.l_onoff = 1};
	int error = make_socket(worker, AF_INET, SOCK_STREAM);

	if (error == 0 &&
		setsockopt(worker->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) < 0) {
		error = -errno;
	}
	return error;
}

static int prepare_udp(struct worker *worker)
{
	return make_socket(worker, AF_INET, SOCK_DGRAM);
}

static int prepare_unix(struct worker *worker)
{
	return make_socket(worker, AF_UNIX, SOCK_STREAM);
}

static int call_connect_tcp(struct worker *worker)
{
	return connect_inet(worker->fd, worker->fixture->tcp_port);
}

static int call_connect_udp(struct worker *worker)
{
	return connect_inet(worker->fd, worker->fixture->udp_port);
}

static int call_connect_denied(struct worker *worker)
{
	return connect_inet(worker->fd, worker->fixture->denied_port);
}

/* Nobody listens there: without a supervisor the kernel's own answer is the same. */
static int expect_refused(const struct fixture *fixture)
{
	(void)fixture;
	return ECONNREFUSED;
}

static int call_connect_unix(struct worker *worker)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memcpy(address.sun_path, worker->fixture->unix_path, sizeof(address.sun_path));
	return connect(worker->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;
}

static int finish_socket(struct worker *worker)
{
	close_fd(&worker->fd);
	return 0;
}

/* Each worker accepts one connection for each it made; whose it is does not matter. */
static int accept_one(struct worker *worker, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0) {
		return -errno;
	}
	close(fd);
	return finish_socket(worker);
}

static int finish_tcp(struct worker *worker)
{
	return accept_one(worker, worker->fixture->tcp_listener);
}

static int finish_unix(struct worker *worker)
{
	return accept_one(worker, worker->fixture->unix_listener);
}

static int call_getppid(struct worker *worker)
{
	(void)worker;
	return getppid() < 0;
}

static int call_read(struct worker *worker)
{
	char byte;

	return read(worker->fixture->zero, &byte, 1) == 1 ? 0 : EIO;
}

static int call_stat(struct worker *worker)
{
	struct stat status;

	return stat(worker->fixture->existing, &status) < 0 ? errno : 0;
}

static int call_chdir(struct worker *worker)
{
	return chdir(worker->fixture->directory) < 0 ? errno : 0;
}

static int call_setuid(struct worker *worker)
{
	(void)worker;
	return setuid(getuid()) < 0 ? errno : 0;
}

const struct bench_case bench_cases[] = {
	{"clock", NULL, nothing, NULL, NULL},
	{"open", NULL, call_open, NULL, NULL},
	{"open_relative", NULL, call_open_relative, NULL, NULL},
	{"open_link", NULL, call_open_link, NULL, NULL},
	{"open_merged_usr", NULL, call_open_merged, NULL, NULL},
	{"open_missing", NULL, call_open_missing, NULL, expect_missing},
	{"open_denied", NULL, call_open_denied, NULL, expect_open_denied},
	{"create", prepare_create, call_create, finish_create, NULL},
	{"unlink", prepare_unlink, call_unlink, NULL, NULL},
	{"socket", NULL, call_socket, NULL, NULL},
	{"connect_tcp", prepare_tcp, call_connect_tcp, finish_tcp, NULL},
	{"connect_udp", prepare_udp, call_connect_udp, finish_socket, NULL},
	{"connect_unix", prepare_unix, call_connect_unix, finish_unix, NULL},
	{"connect_denied", prepare_tcp, call_connect_denied, finish_socket, expect_refused},
	{"getppid", NULL, call_getppid, NULL, NULL},
	{"read", NULL, call_read, NULL, NULL},
	{"stat", NULL, call_stat, NULL, NULL},
	{"chdir", NULL, call_chdir, NULL, NULL},
	{"setuid", NULL, call_setuid, NULL, NULL},
	/* From now on a supervisor must reckon with ids that differ from its own. */
	{"open_after_setuid", NULL, call_open, NULL, NULL},
};
const size_t bench_case_count = array_length(bench_cases);

/* A bound socket of 127.0.0.1 with a port of the kernel's choice. */
static int bind_loopback(int type, uint16_t *port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	cleanup_fd int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 ||
		getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
		return -errno;
	}
	*port = ntohs(address.sin_port);
	return steal_fd(&fd);
}

static int bind_unix(struct fixture *fixture)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (snprintf(fixture->unix_path, sizeof(fixture->unix_path), "%s/s.%d", fixture->memory,
		    getpid()) >= (int)sizeof(fixture->unix_path)) {
		return -ENAMETOOLONG;
	}
	memcpy(address.sun_path, fixture->unix_path, sizeof(address.sun_path));
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		return -errno;
	}
	return steal_fd(&fd);
}

static int fixture_listen(struct fixture *fixture)
{
	fixture->tcp_listener = bind_loopback(SOCK_STREAM, &fixture->tcp_port);
	fixture->udp_receiver = bind_loopback(SOCK_DGRAM, &fixture->udp_port);
	fixture->unix_listener = bind_unix(fixture);
	if (fixture->tcp_listener < 0 || fixture->udp_receiver < 0 || fixture->unix_listener < 0) {
		return -EADDRNOTAVAIL;
	}
	if (listen(fixture->tcp_listener, BACKLOG) < 0 ||
		listen(fixture->unix_listener, BACKLOG) < 0) {
		return -errno;
	}
	return 0;
}

int fixture_init(struct fixture *fixture)
{
	const struct {
		char *path;
		const char *name;
	} names[] = {{fixture->existing, "existing"}, {fixture->missing, "missing"},
		{fixture->denied, "denied"}, {fixture->link, "link"}};

	if (!getcwd(fixture->directory, sizeof(fixture->directory))) {
		return -errno;
	}
	for (size_t i = 0; i < array_length(names); i++) {
		snprintf(names[i].path, sizeof(fixture->existing), "%.4000s/%s", fixture->directory,
			names[i].name);
	}
	fixture->memory = access(SHARED_MEMORY, W_OK) == 0 ? SHARED_MEMORY : fixture->directory;
	fixture->zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	return fixture->zero < 0 ? -errno : fixture_listen(fixture);
}

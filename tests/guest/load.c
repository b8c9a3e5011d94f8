/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program under load, which knows what each of its calls has to return:
 *
 *   load serve            accepts connections on SOCKET and on PORT of this machine
 *   load DIRECTORY PAUSE  opens and connects, with PAUSE milliseconds between rounds, until SIGTERM
 *
 * DIRECTORY has the files `right` (which says so) and `closed` (which the policy denies). What it
 * prints at the end: how many calls, how many of them returned something else, which the first was,
 * and the longest of all in microseconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SOCKET      "/run/load.sock"
#define PORT        7777
#define CLOSED_PORT 7778

static volatile sig_atomic_t ends;

static struct {
	unsigned long calls, wrong;
	long worst, worst_at; /* us: how long it took, and when it ended */
	const char *worst_what;
	char first_wrong[80];
} told;

static void on_term(int signal)
{
	(void)signal;
	ends = 1;
}

static long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000L + time.tv_nsec / 1000;
}

/* One call: what it returned, as an errno, and what it should have. */
static void tell(const char *what, int returned, int expected, long began)
{
	long ended = now();

	told.calls++;
	if (ended - began >= told.worst) {
		told.worst = ended - began;
		told.worst_at = ended;
		told.worst_what = what;
	}
	if (returned != expected && told.wrong++ == 0) {
		(void)snprintf(told.first_wrong, sizeof(told.first_wrong), "%s: %s", what,
			returned ? strerror(returned) : "it was done");
	}
}

static void try_open(const char *name, int flags, int expected)
{
	long began = now();
	int fd = open(name, flags | O_CLOEXEC, 0600);
	int error = fd < 0 ? errno : 0;
	char text[5];

	if (fd >= 0 && expected == 0 && !(flags & O_CREAT) &&
		(read(fd, text, sizeof(text)) != sizeof(text) || memcmp(text, "right", 5) != 0)) {
		error = EIO;
	}
	if (fd >= 0) {
		close(fd);
	}
	tell(name, error, expected, began);
}

static void try_connect(
	const char *what, const struct sockaddr *address, socklen_t length, int expected)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	long began = now();
	int error = connect(fd, address, length) < 0 ? errno : 0;

	tell(what, error, expected, began);
	close(fd);
}

static struct sockaddr_in inet(int port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void round_of_calls(void)
{
	const struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = SOCKET};
	const struct sockaddr_in open_port = inet(PORT), closed_port = inet(CLOSED_PORT);

	try_open("right", O_RDONLY, 0);
	try_open("missing", O_RDONLY, ENOENT);
	try_open("closed", O_RDONLY, EXDEV);
	try_open("new", O_RDWR | O_CREAT | O_EXCL, 0);
	unlink("new");
	try_connect("unix", (const struct sockaddr *)&local, sizeof(local), 0);
	try_connect("tcp", (const struct sockaddr *)&open_port, sizeof(open_port), 0);
	try_connect("closed port", (const struct sockaddr *)&closed_port, sizeof(closed_port),
		ENETDOWN);
}

static int load(const char *directory, long pause_ms)
{
	const struct timespec pause = {
		.tv_sec = pause_ms / 1000, .tv_nsec = pause_ms % 1000 * 1000000L};

	if (chdir(directory) < 0) {
		perror(directory);
		return EXIT_FAILURE;
	}
	unlink("new");
	while (!ends) {
		round_of_calls();
		nanosleep(&pause, NULL);
	}
	printf("calls %lu wrong %lu worst %ld at %ld what %s; %s\n", told.calls, told.wrong,
		told.worst, told.worst_at, told.worst_what, told.first_wrong);
	return EXIT_SUCCESS;
}

static int listen_at(const struct sockaddr *address, socklen_t length)
{
	const int yes = 1;
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, address, length) < 0 || listen(fd, 1024) < 0) {
		perror("load serve");
		exit(EXIT_FAILURE);
	}
	return fd;
}

static int serve(void)
{
	const struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = SOCKET};
	const struct sockaddr_in open_port = inet(PORT);
	struct pollfd polled[2] = {{.events = POLLIN}, {.events = POLLIN}};

	unlink(SOCKET);
	polled[0].fd = listen_at((const struct sockaddr *)&local, sizeof(local));
	polled[1].fd = listen_at((const struct sockaddr *)&open_port, sizeof(open_port));
	puts("serves");
	(void)fflush(stdout);
	while (!ends && poll(polled, 2, -1) >= 0) {
		for (int i = 0; i < 2; i++) {
			if (polled[i].revents) {
				close(accept(polled[i].fd, NULL, NULL));
			}
		}
	}
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	const struct sigaction action = {.sa_handler = on_term, .sa_flags = SA_RESTART};

	sigaction(SIGTERM, &action, NULL);
	if (argc == 2 && strcmp(argv[1], "serve") == 0) {
		return serve();
	}
	if (argc != 3) {
		(void)fputs("usage: load serve | load DIRECTORY MILLISECONDS\n", stderr);
		return 2;
	}
	return load(argv[1], strtol(argv[2], NULL, 10));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/holder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/discard.h"
#include "daemon/base/fdpass.h"
#include "daemon/inheritance.h"

#define FIRST_FD       3
#define KEPT_MAX       4096u /* their names have to fit into one variable */
#define NAME_MAX_BYTES 31u
#define MESSAGE_MAX    256u
/* A child that lived shorter than this is followed by a pause that doubles up to the longest. */
#define SHORT_LIFE_S     2
#define PAUSE_FIRST_MS   10
#define PAUSE_LONGEST_MS 250

struct kept {
	int fd;
	char name[NAME_MAX_BYTES + 1];
};

struct holder {
	char **argv;
	char program[PATH_MAX];
	struct kept *kept; /* the oldest first; the first is the child's end of our socket */
	size_t count, room;
	size_t limit; /* how many are kept for the child; its start takes some for each */
	int socket, signals;
	int usherd; /* the pidfd of one that is not our child; -1: it is */
	pid_t child;
	time_t started;
	int pause_ms;
	bool is_ending; /* we were asked to: no other child follows this one */
};

static const int caught[] = {SIGCHLD, SIGHUP, SIGINT, SIGTERM};

/* ---- what is kept ---- */

static int keep(struct holder *holder, const char *name, int *fd)
{
	if (holder->count == holder->room) {
		size_t room = holder->room ? 2 * holder->room : 16;
		void *grown = reallocarray(holder->kept, room, sizeof(*holder->kept));
		if (!grown) {
			return -ENOMEM;
		}
		holder->kept = grown;
		holder->room = room;
	}
	struct kept *kept = &holder->kept[holder->count++];
	kept->fd = steal_fd(fd);
	(void)snprintf(kept->name, sizeof(kept->name), "%s", name);
	return 0;
}

static void drop(struct holder *holder, const char *name)
{
	size_t left = 0;

	for (size_t i = 0; i < holder->count; i++) {
		if (strcmp(holder->kept[i].name, name) == 0) {
			discard_packets(holder->kept[i].fd); /* of a parcel */
			close(holder->kept[i].fd);
		} else {
			holder->kept[left++] = holder->kept[i];
		}
	}
	holder->count = left;
}

static bool is_name(const char *name)
{
	return *name && strlen(name) <= NAME_MAX_BYTES && !strchr(name, ':') &&
	       strcmp(name, HOLDER_NAME) != 0;
}

/* One message; what of `fds` is not kept is closed by the caller. */
static void obey(struct holder *holder, char *message, int *fds, size_t fd_count)
{
	bool stores = false, removes = false;
	const char *name = "";
	char *rest = message;

	for (char *line; (line = strsep(&rest, "\n"));) {
		holder->is_ending = holder->is_ending || strcmp(line, "STOPPING=1") == 0;
		stores = stores || strcmp(line, "FDSTORE=1") == 0;
		removes = removes || strcmp(line, "FDSTOREREMOVE=1") == 0;
		if (strncmp(line, "FDNAME=", strlen("FDNAME=")) == 0) {
			name = line + strlen("FDNAME=");
		}
	}
	if (!is_name(name)) {
		return;
	}
	if (removes) {
		drop(holder, name);
	}
	for (size_t i = 0; stores && i < fd_count && holder->count <= holder->limit; i++) {
		(void)keep(holder, name, &fds[i]);
	}
}

static void hear(struct holder *holder)
{
	char message[MESSAGE_MAX];
	int fds[FDPASS_MAX];
	size_t fd_count;
	ssize_t length =
		fdpass_receive(holder->socket, message, sizeof(message) - 1, fds, &fd_count);

	if (length > 0) {
		message[length] = '\0';
		obey(holder, message, fds, fd_count);
	}
	fdpass_close_all(fds, fd_count);
}

/* ---- the child ---- */

static void set_number(const char *variable, unsigned long number)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%lu", number);
	setenv(variable, text, 1);
}

/* As systemd puts them: the newest first, behind the one for us. */
static const struct kept *in_order(const struct holder *holder, size_t index)
{
	return &holder->kept[index == 0 ? 0 : holder->count - index];
}

static int name_descriptors(const struct holder *holder)
{
	cleanup_free char *names = NULL;
	size_t size;
	FILE *out = open_memstream(&names, &size);

	for (size_t i = 0; out && i < holder->count; i++) {
		(void)fprintf(out, "%s%s", i > 0 ? ":" : "", in_order(holder, i)->name);
	}
	if (!out || fclose(out) != 0) {
		return -ENOMEM;
	}
	set_number("LISTEN_PID", (unsigned long)getpid());
	set_number("LISTEN_FDS", holder->count);
	set_number("FDSTORE", holder->limit);
	return setenv("LISTEN_FDNAMES", names, 1) < 0 ? -errno : 0;
}

/* Copies them out of the way first: the places they go to are others' still. */
static int place_descriptors(const struct holder *holder)
{
	cleanup_free int *copies = calloc(holder->count + 1, sizeof(*copies));

	for (size_t i = 0; copies && i < holder->count; i++) {
		copies[i] = fcntl(
			in_order(holder, i)->fd, F_DUPFD_CLOEXEC, FIRST_FD + (int)holder->count);
		if (copies[i] < 0) {
			return -errno;
		}
	}
	for (size_t i = 0; copies && i < holder->count; i++) {
		if (dup2(copies[i], FIRST_FD + (int)i) < 0) {
			return -errno;
		}
	}
	return copies ? 0 : -ENOMEM;
}

/* In a group of its own: what a terminal sends to ours comes through us. */
_Noreturn static void become_usherd(const struct holder *holder)
{
	sigset_t none;

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setpgid(0, 0);
	if (name_descriptors(holder) == 0 && place_descriptors(holder) == 0) {
		execv(holder->program, holder->argv);
	}
	(void)dprintf(STDERR_FILENO, "usherd: %s cannot be started: %s\n", holder->program,
		strerror(errno));
	_exit(EXIT_FAILURE);
}

static int start_child(struct holder *holder)
{
	holder->started = time(NULL);
	holder->child = fork();
	if (holder->child == 0) {
		become_usherd(holder);
	}
	close_fd(&holder->usherd);
	return holder->child < 0 ? -errno : 0;
}

static void tell_death(const struct holder *holder, int status)
{
	if (holder->usherd >= 0) {
		(void)dprintf(STDERR_FILENO, "usherd: was killed; another takes over\n");
		return;
	}
	(void)dprintf(STDERR_FILENO, "usherd: was killed by signal %d (%s); another takes over\n",
		WTERMSIG(status), strsignal(WTERMSIG(status)));
}

/* Another one follows a killed one, at once or after a pause. */
static int replace_child(struct holder *holder, int status)
{
	bool lived = time(NULL) - holder->started >= SHORT_LIFE_S;

	holder->pause_ms = lived ? 0 : holder->pause_ms;
	tell_death(holder, status);
	(void)poll(NULL, 0, holder->pause_ms);
	holder->pause_ms = holder->pause_ms == 0 ? PAUSE_FIRST_MS : 2 * holder->pause_ms;
	if (holder->pause_ms > PAUSE_LONGEST_MS) {
		holder->pause_ms = PAUSE_LONGEST_MS;
	}
	return start_child(holder);
}

/* Of one that is not our child nobody tells how it ended: it was killed, if it did not say more. */
static bool has_ended(const struct holder *holder, int *status)
{
	struct pollfd usherd = {.fd = holder->usherd, .events = POLLIN};

	if (holder->usherd < 0) {
		return waitpid(holder->child, status, WNOHANG) == holder->child;
	}
	*status = SIGKILL;
	return poll(&usherd, 1, 0) == 1;
}

/* True when it has ended by itself, and we with it. */
static bool look_after_child(struct holder *holder, int *status)
{
	if (!has_ended(holder, status)) {
		return false;
	}
	/* What it has said last counts. */
	struct pollfd more = {.fd = holder->socket, .events = POLLIN};
	while (poll(&more, 1, 0) == 1 && (more.revents & POLLIN)) {
		hear(holder);
	}
	return !WIFSIGNALED(*status) || holder->is_ending || replace_child(holder, *status) < 0;
}

/* Once one that is not our child has ended, its number may be anybody's. */
static void pass_on(const struct holder *holder, int signal)
{
	if (holder->usherd >= 0) {
		(void)syscall(SYS_pidfd_send_signal, holder->usherd, signal, NULL, 0);
	} else {
		(void)kill(holder->child, signal);
	}
}

static bool on_signal(struct holder *holder, int *status)
{
	struct signalfd_siginfo info;

	if (read(holder->signals, &info, sizeof(info)) != sizeof(info)) {
		return false;
	}
	if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) {
		holder->is_ending = true;
	}
	if (info.ssi_signo != SIGCHLD) {
		pass_on(holder, (int)info.ssi_signo);
	}
	return look_after_child(holder, status);
}

/* ---- both ---- */

int holder_find_program(char *path, size_t size)
{
	static const char deleted[] = " (deleted)";
	ssize_t length = readlink("/proc/self/exe", path, size - 1);

	if (length < 0) {
		return -errno;
	}
	path[length] = '\0';
	char *end = strstr(path, deleted);
	if (end && end[strlen(deleted)] == '\0') {
		*end = '\0';
	}
	return 0;
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < array_length(caught); i++) {
		sigaddset(&set, caught[i]);
	}
	(void)sigprocmask(SIG_SETMASK, &set, NULL);
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static size_t find_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
		return 0;
	}
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_max / 4 < KEPT_MAX ? (size_t)limit.rlim_max / 4 : KEPT_MAX;
}

/* What somebody has opened for usherd is kept for each that comes. */
static int keep_inheritance(struct holder *holder, struct inheritance *inheritance)
{
	int result = 0;

	for (size_t i = 0; i < inheritance->count && result == 0; i++) {
		if (inheritance->all[i].fd >= 0 && is_name(inheritance->all[i].name)) {
			result = keep(holder, inheritance->all[i].name, &inheritance->all[i].fd);
		}
	}
	return result;
}

static int prepare(struct holder *holder)
{
	holder->limit = find_limit();
	holder->signals = open_signals();
	return holder->signals < 0 ? holder->signals
				   : holder_find_program(holder->program, sizeof(holder->program));
}

static int begin(struct holder *holder, struct inheritance *inheritance)
{
	int pair[2];
	int result = prepare(holder);

	if (result < 0) {
		return result;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		return -errno;
	}
	holder->socket = pair[0];
	cleanup_fd int theirs = pair[1];
	result = keep(holder, HOLDER_NAME, &theirs);
	if (result == 0) {
		result = keep_inheritance(holder, inheritance);
	}
	return result < 0 ? result : start_child(holder);
}

static int watch(struct holder *holder)
{
	int status = 0;

	for (;;) {
		struct pollfd polled[] = {{.fd = holder->signals, .events = POLLIN},
			{.fd = holder->socket, .events = POLLIN},
			{.fd = holder->usherd, .events = POLLIN}};
		if (poll(polled, array_length(polled), -1) < 0 && errno != EINTR) {
			return EXIT_FAILURE;
		}
		if (polled[1].revents & POLLIN) {
			hear(holder);
		}
		if (((polled[0].revents & POLLIN) && on_signal(holder, &status)) ||
			((polled[2].revents & POLLIN) && look_after_child(holder, &status))) {
			return WIFEXITED(status)   ? WEXITSTATUS(status)
			       : holder->is_ending ? EXIT_SUCCESS
						   : EXIT_FAILURE;
		}
	}
}

static int run(struct holder *holder, int result)
{
	if (result < 0) {
		(void)dprintf(STDERR_FILENO, "usherd: cannot be started: %s\n", strerror(-result));
		return EXIT_FAILURE;
	}
	return watch(holder);
}

int holder_run(char **argv, struct inheritance *inheritance)
{
	struct holder holder = {.argv = argv, .socket = -1, .signals = -1, .usherd = -1};

	return run(&holder, begin(&holder, inheritance));
}

/* Who has made our socket is usherd. */
static int find_usherd(struct holder *holder)
{
	struct ucred maker;
	socklen_t length = sizeof(maker);

	if (getsockopt(HOLDER_FD_ITS, SOL_SOCKET, SO_PEERCRED, &maker, &length) < 0) {
		return -errno;
	}
	holder->child = maker.pid;
	return 0;
}

int holder_resume(char **argv)
{
	struct holder holder = {.argv = argv,
		.socket = HOLDER_FD_ITS,
		.signals = -1,
		.usherd = HOLDER_FD_USHERD,
		.started = time(NULL)};
	cleanup_fd int ours = HOLDER_FD_OURS;
	int result = find_usherd(&holder);

	for (int fd = HOLDER_FD_ITS; fd <= HOLDER_FD_USHERD && result == 0; fd++) {
		result = fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : 0;
	}
	if (result == 0) {
		result = prepare(&holder);
	}
	if (result == 0) {
		result = keep(&holder, HOLDER_NAME, &ours);
	}
	return run(&holder, result);
}

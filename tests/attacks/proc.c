/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /proc says of whoever asks must be said of the program, and nothing of its broker can be
 * had. Here "reached" means that something of another process was got: natively nothing of the
 * kind exists, so that run.py expects the program's own answer in both runs (the twin), and has the
 * broker looked for under usher only.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/attacks/attack.h"

#define MARK "ATTACK_MARK=1"

static const char *const roads[] = {
	"/proc/self/environ",
	"/proc/thread-self/environ",
	"/dev/fd/../environ",
	"/proc/self/task/../environ",
	"/proc/self/root/proc/self/environ",
	"/proc/self/cwd/proc-self/environ",
	"proc-self/environ",
	"proc-thread/environ",
	"proc-fd/../environ",
	"/proc/../proc/./self//environ",
	"/proc/1/../self/environ",
	"/../proc/self/environ",
};

/* 0: the program's own. -ESTALE: another's. */
static long look(int fd)
{
	static char content[1 << 16];
	size_t used = 0;
	ssize_t got;

	if (fd < 0) {
		return fd;
	}
	while (used < sizeof(content) &&
		(got = read(fd, content + used, sizeof(content) - used)) > 0) {
		used += (size_t)got;
	}
	close(fd);
	return memmem(content, used, MARK, strlen(MARK)) ? 0 : -ESTALE;
}

static long numbered(const char *format, ...) __attribute__((format(printf, 1, 2)));

static long numbered(const char *format, ...)
{
	char path[128];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(path, sizeof(path), format, arguments);
	va_end(arguments);
	return look(raw_open(path, O_RDONLY, 0));
}

static long first_failure(const long *results, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (results[i]) {
			printf("road %zu\n", i);
			return results[i];
		}
	}
	return 0;
}

/* Every road leads to the program's own environment; any other answer is the failure. */
static long environment(const struct world *world)
{
	long results[sizeof(roads) / sizeof(roads[0]) + 6];
	size_t count = 0;
	int proc = raw_open("/proc", O_RDONLY | O_DIRECTORY, 0);
	int self = raw_open("/proc/self", O_PATH | O_DIRECTORY, 0);

	(void)world;
	prepare(proc >= 0 && self >= 0);
	prepare(!symlink("/proc/self", "proc-self") && !symlink("/proc/self/fd", "proc-fd") &&
		!symlink("/proc/thread-self", "proc-thread"));
	for (; count < sizeof(roads) / sizeof(roads[0]); count++) {
		results[count] = look(raw_open(roads[count], O_RDONLY, 0));
	}
	results[count++] = numbered("/proc/%d/environ", getpid());
	results[count++] = numbered("/proc/self/task/%d/environ", gettid());
	results[count++] = look(raw_openat(proc, "self/environ", O_RDONLY, 0));
	results[count++] = look(raw_openat(self, "environ", O_RDONLY, 0));
	results[count++] = look(raw_openat2(proc, "/self/environ", O_RDONLY, 0, RESOLVE_IN_ROOT));
	results[count++] = look(raw_openat2(proc, "self/environ", O_RDONLY, 0, 0));
	return first_failure(results, count);
}

/* /proc/PID/ENTRY as a string, with blanks for what ends its words; empty if it cannot be read. */
static void read_entry(const char *pid, const char *entry, char *text, size_t room)
{
	char path[300];

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, entry);
	int fd = raw_open(path, O_RDONLY, 0);
	ssize_t size = fd < 0 ? 0 : read(fd, text, room - 1);
	if (fd >= 0) {
		close(fd);
	}
	text[size < 0 ? 0 : size] = '\0';
	for (ssize_t i = 0; i < size; i++) {
		text[i] = text[i] ? text[i] : ' ';
	}
}

static bool is_broker(const char *pid)
{
	char name[32];

	read_entry(pid, "comm", name, sizeof(name));
	return strcmp(name, "usher-broker\n") == 0;
}

/* Others on this machine may have brokers as well. Ours is a child of the usherd that was told to
 * serve in our own run-time directory. */
static bool is_own_broker(const char *pid)
{
	const char *place = getenv("XDG_RUNTIME_DIR");
	char status[4096], parent[16], command[4096];
	int number;

	if (!place || !is_broker(pid)) {
		return false;
	}
	read_entry(pid, "status", status, sizeof(status));
	const char *line = strstr(status, "\nPPid:");
	if (!line || sscanf(line, "\nPPid: %d", &number) != 1) {
		return false;
	}
	snprintf(parent, sizeof(parent), "%d", number);
	read_entry(parent, "cmdline", command, sizeof(command));
	return strstr(command, place);
}

/* Our parent, if there is no daemon. */
static pid_t find_broker(void)
{
	struct dirent *entry;
	char parent[16];
	pid_t found = 0;

	snprintf(parent, sizeof(parent), "%d", getppid());
	if (is_broker(parent)) {
		return getppid();
	}
	DIR *proc = opendir("/proc");
	prepare(proc);
	while ((entry = readdir(proc))) {
		if (is_own_broker(entry->d_name)) {
			found = atoi(entry->d_name);
		}
	}
	closedir(proc);
	return found;
}

/* Any of these of the broker is a hold on it. For the twin, the program's own. */
static long broker(const struct world *world)
{
	static const char *const files[] = {
		"environ", "mem", "maps", "fd/3", "root/etc/passwd", "cwd/.", "auxv", "syscall"};
	pid_t pid = world->twin ? getpid() : find_broker();
	long refused = -EALREADY;
	char path[64];

	if (!pid) {
		attack_impossible("no broker to be seen");
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		int fd;

		snprintf(path, sizeof(path), "/proc/%d/%s", pid, files[i]);
		fd = raw_open(path, O_RDONLY | O_NONBLOCK, 0);
		if (fd >= 0 && !world->twin) {
			printf("got %s\n", path);
			return 0;
		}
		refused = fd < 0 ? fd : 0;
		close(fd);
	}
	return world->twin ? 0 : refused;
}

/*
 * Kills the one who stands in the way (in embedded mode it is the parent), and asks at once, before
 * and while another takes its place.
 */
static long without_broker(const struct world *world)
{
	char parent[16];
	long result = -EALREADY;

	snprintf(parent, sizeof(parent), "%d", getppid());
	if (!is_broker(parent)) {
		attack_impossible("the broker is not its parent");
	}
	kill(getppid(), SIGKILL);
	for (int i = 0; i < 200; i++) {
		result = world_check(world, raw_open(world_file(world), O_RDONLY, 0));
		if (result >= 0 || result != -EACCES) {
			break;
		}
	}
	return result;
}

const struct attack attacks_proc[] = {
	{"proc-environment", environment},
	{"proc-broker", broker},
	{"proc-without-broker", without_broker},
	{NULL, NULL},
};

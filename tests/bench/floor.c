/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor: the least that a supervisor can do for a notified call and still do it. One thread,
 * blocking RECV, sync wake-up where the kernel has it; read the argument, perform the call, put the
 * descriptor in, answer. No policy, no check, no identity, no audit, no second process to take
 * over: it is the yardstick that usher is held against, never a way to confine anything.
 *
 *   floor [--notify openat,socket,connect,newfstatat,unlink] [--deny-path PATH] [--deny-port PORT]
 * COMMAND [ARG...]
 *
 * Relative names are opened from the floor's own working directory, which the command inherits and
 * must not leave. Ends with the command's exit status.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/missing.h"

#define FILTER_MAX 24
#define PIDFDS     64
#define READ_CHUNK 256u
#define PAGE       4096u
#define NOTIFY_ALL "openat,socket,connect,newfstatat,unlink"

static struct {
	const char *notify;
	const char *deny_path;
	uint16_t deny_port; /* network order */
} options = {.notify = NOTIFY_ALL};

/* Descriptors of the threads that have connected, by thread id. */
static struct {
	pid_t tid;
	int fd;
} pidfds[PIDFDS];

static __attribute__((noreturn)) void die(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	exit(125);
}

static size_t append(struct sock_filter *filter, size_t count, const char *name, unsigned int nr)
{
	if (!strstr(options.notify, name)) {
		return count;
	}
	filter[count] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1);
	filter[count + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
	return count + 2;
}

/* Of names: what is asked of a descriptor is only numbers. The last, for it loads something else.
 */
static size_t append_stat(struct sock_filter *filter, size_t count)
{
	const struct sock_filter instructions[] = {
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_newfstatat, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, AT_EMPTY_PATH, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
	};

	if (!strstr(options.notify, "newfstatat")) {
		return count;
	}
	memcpy(filter + count, instructions, sizeof(instructions));
	return count + array_length(instructions);
}

/* Returns the listener. */
static int load_filter(void)
{
	struct sock_filter filter[FILTER_MAX] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	size_t count = 1;

	count = append(filter, count, "openat", SYS_openat);
	count = append(filter, count, "socket", SYS_socket);
	count = append(filter, count, "connect", SYS_connect);
	count = append(filter, count, "unlink", SYS_unlink);
	count = append_stat(filter, count);
	filter[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);

	struct sock_fprog program = {.len = (unsigned short)count, .filter = filter};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		die("no_new_privs");
	}
	int listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
		&program);
	if (listener < 0) {
		die("seccomp");
	}
	return listener;
}

/* Tells the parent the listener's number, waits until the parent has taken it, and execs. */
static __attribute__((noreturn)) void become_command(int channel, char **command)
{
	int listener = load_filter();
	char taken;

	if (write(channel, &listener, sizeof(listener)) != sizeof(listener) ||
		read(channel, &taken, 1) != 1) {
		die("hand-over");
	}
	execvp(command[0], command);
	die(command[0]);
}

/* What lies at `address` up to a NUL; 0 or a negative errno. Never reads across a page's end. */
static int read_string(pid_t tid, uint64_t address, char *text, size_t capacity)
{
	for (size_t done = 0; done < capacity;) {
		size_t chunk = PAGE - ((address + done) % PAGE);
		chunk = chunk < READ_CHUNK ? chunk : READ_CHUNK;
		chunk = chunk < capacity - done ? chunk : capacity - done;
		struct iovec local = {text + done, chunk};
		struct iovec remote = {(void *)(uintptr_t)(address + done), chunk};
		ssize_t got = process_vm_readv(tid, &local, 1, &remote, 1, 0);
		if (got <= 0) {
			return -EFAULT;
		}
		if (memchr(text + done, '\0', (size_t)got)) {
			return 0;
		}
		done += (size_t)got;
	}
	return -ENAMETOOLONG;
}

/* Puts `fd` into the target. Its number there, or a negative errno. Consumes `fd`. */
static int install(int listener, const struct seccomp_notif *request, int fd, unsigned int flags)
{
	struct seccomp_notif_addfd add = {
		.id = request->id, .srcfd = (unsigned int)fd, .newfd_flags = flags};
	int number = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);

	number = number < 0 ? -errno : number;
	close(fd);
	return number;
}

static int serve_openat(int listener, const struct seccomp_notif *request)
{
	const __u64 *arguments = request->data.args;
	char path[PATH_MAX];
	int error = read_string((pid_t)request->pid, arguments[1], path, sizeof(path));

	if (error < 0) {
		return error;
	}
	if (options.deny_path && strcmp(path, options.deny_path) == 0) {
		return -EACCES;
	}
	unsigned int flags = (unsigned int)arguments[2];
	struct open_how how = {.flags = flags};
	if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE) {
		how.mode = arguments[3] & 07777;
	}
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	return fd < 0 ? -errno : install(listener, request, fd, flags & O_CLOEXEC);
}

static int serve_socket(int listener, const struct seccomp_notif *request)
{
	const __u64 *arguments = request->data.args;
	int type = (int)arguments[1];
	int fd = socket((int)arguments[0], type, (int)arguments[2]);

	return fd < 0 ? -errno : install(listener, request, fd, (unsigned int)type & SOCK_CLOEXEC);
}

/* The pidfd of a thread, kept; `tid` 0 slots are free. */
static int thread_pidfd(pid_t tid)
{
	size_t slot = (size_t)tid % PIDFDS;

	if (pidfds[slot].tid != tid) {
		if (pidfds[slot].tid) {
			close(pidfds[slot].fd);
		}
		pidfds[slot].tid = tid;
		pidfds[slot].fd = (int)syscall(SYS_pidfd_open, tid, PIDFD_THREAD);
	}
	return pidfds[slot].fd;
}

static bool is_denied_port(const struct sockaddr_storage *address)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)address;

	return options.deny_port && in->sin_family == AF_INET && in->sin_port == options.deny_port;
}

static int serve_connect(const struct seccomp_notif *request)
{
	const __u64 *arguments = request->data.args;
	struct sockaddr_storage address = {0};
	size_t size = arguments[2] < sizeof(address) ? arguments[2] : sizeof(address);
	struct iovec local = {&address, size};
	struct iovec remote = {(void *)(uintptr_t)arguments[1], size};

	if (process_vm_readv((pid_t)request->pid, &local, 1, &remote, 1, 0) != (ssize_t)size) {
		return -EFAULT;
	}
	if (is_denied_port(&address)) {
		return -ECONNREFUSED;
	}
	int fd = (int)syscall(
		SYS_pidfd_getfd, thread_pidfd((pid_t)request->pid), (int)arguments[0], 0);
	if (fd < 0) {
		return -errno;
	}
	int result = connect(fd, (struct sockaddr *)&address, (socklen_t)size) < 0 ? -errno : 0;
	close(fd);
	return result;
}

static int serve_stat(const struct seccomp_notif *request)
{
	const __u64 *arguments = request->data.args;
	char path[PATH_MAX];
	struct stat st;
	struct iovec local = {&st, sizeof(st)};
	struct iovec remote = {(void *)(uintptr_t)arguments[2], sizeof(st)};
	int error = read_string((pid_t)request->pid, arguments[1], path, sizeof(path));

	if (error < 0) {
		return error;
	}
	if (fstatat(AT_FDCWD, path, &st, (int)arguments[3]) < 0) {
		return -errno;
	}
	ssize_t put = process_vm_writev((pid_t)request->pid, &local, 1, &remote, 1, 0);
	return put == sizeof(st) ? 0 : -EFAULT;
}

static int serve_unlink(const struct seccomp_notif *request)
{
	char path[PATH_MAX];
	int error = read_string((pid_t)request->pid, request->data.args[0], path, sizeof(path));

	if (error < 0) {
		return error;
	}
	return unlink(path) < 0 ? -errno : 0;
}

static int serve(int listener, const struct seccomp_notif *request)
{
	switch (request->data.nr) {
	case SYS_openat:
		return serve_openat(listener, request);
	case SYS_socket:
		return serve_socket(listener, request);
	case SYS_connect:
		return serve_connect(request);
	case SYS_newfstatat:
		return serve_stat(request);
	case SYS_unlink:
		return serve_unlink(request);
	default:
		return -ENOSYS;
	}
}

/* A call may have been withdrawn; but where no program is left, SIGCHLD is on its way. */
static void wait_for_end(int listener)
{
	struct pollfd state = {.fd = listener, .events = POLLIN};

	if (poll(&state, 1, 0) > 0 && (state.revents & POLLHUP)) {
		pause();
	}
}

static __attribute__((noreturn)) void serve_for_ever(int listener)
{
	for (;;) {
		struct seccomp_notif request = {0};
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0) {
			wait_for_end(listener);
			continue;
		}
		int result = serve(listener, &request);
		struct seccomp_notif_resp response = {.id = request.id};
		response.error = result < 0 ? result : 0;
		response.val = result < 0 ? 0 : result;
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
	}
}

/* RECV does not end with the command on every kernel; this does. */
static void end_with_command(int signal)
{
	int status;

	(void)signal;
	if (wait(&status) > 0 && !WIFSTOPPED(status)) {
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	}
}

static int take_listener(pid_t child, int channel)
{
	cleanup_fd int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	int number;

	if (pidfd < 0 || read(channel, &number, sizeof(number)) != sizeof(number)) {
		die("hand-over");
	}
	int listener = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	if (listener < 0) {
		die("pidfd_getfd");
	}
	/* Without it every call costs a wake-up across processors: slower, not wrong. */
	(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	if (write(channel, "", 1) != 1) {
		die("hand-over");
	}
	return listener;
}

static char **parse_arguments(int argc, char **argv)
{
	static const struct option table[] = {{"notify", required_argument, NULL, 'n'},
		{"deny-path", required_argument, NULL, 'p'},
		{"deny-port", required_argument, NULL, 'P'}, {NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "+", table, NULL)) >= 0) {
		switch (option) {
		case 'n':
			options.notify = optarg;
			break;
		case 'p':
			options.deny_path = optarg;
			break;
		case 'P':
			options.deny_port = htons((uint16_t)strtoul(optarg, NULL, 10));
			break;
		default:
			exit(125);
		}
	}
	if (!argv[optind]) {
		fputs("floor: no command\n", stderr);
		exit(125);
	}
	return argv + optind;
}

int main(int argc, char **argv)
{
	char **command = parse_arguments(argc, argv);
	int channel[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0) {
		die("socketpair");
	}
	struct sigaction action = {.sa_handler = end_with_command};
	sigaction(SIGCHLD, &action, NULL);
	pid_t child = fork();
	if (child < 0) {
		die("fork");
	}
	if (child == 0) {
		signal(SIGCHLD, SIG_DFL);
		close(channel[0]);
		become_command(channel[1], command);
	}
	close(channel[1]);
	serve_for_ever(take_listener(child, channel[0]));
}

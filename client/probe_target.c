/* SPDX-License-Identifier: Apache-2.0 */
#include "client/probe_target.h"

#include <errno.h>
#include <linux/filter.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/fdpass.h"

#define RECEIVE_TIMEOUT_MS 1000

static int load_filter(unsigned int flags)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = array_length(filter), .filter = filter};
	unsigned long filter_flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;

	if (flags & PROBE_TARGET_KILLABLE) {
		filter_flags |= SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		return -errno;
	}
	long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, filter_flags, &program);
	return listener < 0 ? -errno : (int)listener;
}

static __attribute__((noreturn)) void target_main(
	int channel, unsigned int flags, probe_target_body *body)
{
	char taken;
	int listener = -1, error = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!(flags & PROBE_TARGET_PLAIN)) {
		listener = load_filter(flags);
		error = listener < 0 ? listener : 0;
	}
	fdpass_send(channel, &error, sizeof(error), &listener, listener < 0 ? 0 : 1);
	/* The end of the connection is as good: the listener is taken or there is no one left. */
	if (error < 0 || read(channel, &taken, 1) < 0) {
		_exit(1);
	}
	close_fd(&listener);
	_exit(body());
}

/* What the target says of its filter; 0 or a negative errno. */
static int take_listener(struct probe_target *target, int channel)
{
	int fds[FDPASS_MAX], answer = 0;
	size_t fd_count = 0;
	ssize_t size = fdpass_receive(channel, &answer, sizeof(answer), fds, &fd_count);

	if (size != sizeof(answer)) {
		return size < 0 ? (int)size : -ECONNRESET;
	}
	if (fd_count > 1) {
		fdpass_close_all(fds, fd_count);
		return -EPROTO;
	}
	target->listener = fd_count == 1 ? fds[0] : -1;
	return answer;
}

int probe_target_start(struct probe_target *target, unsigned int flags, probe_target_body *body)
{
	int pair[2];

	*target = (struct probe_target){.pid = -1, .listener = -1};
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		return -errno;
	}
	cleanup_fd int ours = pair[0];
	cleanup_fd int theirs = pair[1];
	target->pid = fork();
	if (target->pid == 0) {
		close_fd(&ours);
		target_main(theirs, flags, body);
	}
	if (target->pid < 0) {
		return -errno;
	}
	close_fd(&theirs);
	int error = take_listener(target, ours);
	if (error < 0) {
		probe_target_finish(target);
	}
	return error;
}

int probe_target_finish(struct probe_target *target)
{
	int status;

	close_fd(&target->listener);
	if (waitpid(target->pid, &status, 0) < 0) {
		return -errno;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}

long probe_call(const void *argument)
{
	long value = syscall(SYS_getppid, argument);

	return value < 0 ? -errno : value;
}

/* 0 or a negative errno; -ETIMEDOUT when no notification came. */
static int receive(const struct probe_target *target, struct seccomp_notif *notification)
{
	struct pollfd listener = {.fd = target->listener, .events = POLLIN};

	*notification = (struct seccomp_notif){0};
	if (poll(&listener, 1, RECEIVE_TIMEOUT_MS) <= 0) {
		return -ETIMEDOUT;
	}
	if (!(listener.revents & POLLIN)) {
		return -ENOENT;
	}
	int error = ioctl(target->listener, SECCOMP_IOCTL_NOTIF_RECV, notification);
	return error < 0 ? -errno : 0;
}

static int send_response(const struct probe_target *target, struct seccomp_notif_resp *response)
{
	return ioctl(target->listener, SECCOMP_IOCTL_NOTIF_SEND, response) < 0 ? -errno : 0;
}

int probe_answer(const struct probe_target *target, uint64_t id, int64_t value, int error)
{
	struct seccomp_notif_resp response = {.id = id, .val = value, .error = error};

	return send_response(target, &response);
}

int probe_continue(const struct probe_target *target, uint64_t id)
{
	struct seccomp_notif_resp response = {.id = id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};

	return send_response(target, &response);
}

bool probe_is_pending(const struct probe_target *target, uint64_t id)
{
	return ioctl(target->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

int probe_install(const struct probe_target *target, uint64_t id, int fd, int number)
{
	struct seccomp_notif_addfd add = {
		.id = id, .srcfd = (unsigned int)fd, .newfd_flags = O_CLOEXEC};

	if (number >= 0) {
		add.flags = SECCOMP_ADDFD_FLAG_SETFD;
		add.newfd = (unsigned int)number;
	}
	int installed = ioctl(target->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
	return installed < 0 ? -errno : installed;
}

int probe_set_listener_flags(const struct probe_target *target, uint64_t flags)
{
	return ioctl(target->listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, flags) < 0 ? -errno : 0;
}

double probe_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

bool probe_start(struct probe_result *result, struct probe_target *target, unsigned int flags,
	probe_target_body *body)
{
	int error = probe_target_start(target, flags, body);

	if (error == -EBUSY) {
		probe_report(result, PROBE_MISSING, "not tried, because of the outer listener");
		result->untried = true;
	} else if (error < 0) {
		probe_report(result, PROBE_MISSING, "loading a filter with a listener: %s",
			strerror(-error));
	}
	return error == 0;
}

bool probe_next(struct probe_result *result, const struct probe_target *target,
	struct seccomp_notif *notification)
{
	int error = receive(target, notification);

	if (error < 0) {
		probe_report(result, PROBE_MISSING, "receiving a call: %s", strerror(-error));
	}
	return error == 0;
}

bool probe_finish(
	struct probe_result *result, struct probe_target *target, const char *const *failures)
{
	int status = probe_target_finish(target);

	for (int i = 0; failures[i]; i++) {
		if (status == i + 1) {
			probe_report(result, PROBE_MISSING, "%s", failures[i]);
			return false;
		}
	}
	if (status != 0) {
		probe_report(result, PROBE_MISSING, "the tried program died");
	}
	return status == 0;
}

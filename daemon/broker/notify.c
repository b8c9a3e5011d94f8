/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/missing.h"

int notify_check_sizes(void)
{
	struct seccomp_notif_sizes sizes = {0};

	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0) {
		return -errno;
	}
	return sizes.seccomp_notif <= sizeof(struct seccomp_notif) &&
			       sizes.seccomp_notif_resp <= sizeof(struct seccomp_notif_resp)
		       ? 0
		       : -EOVERFLOW;
}

void notify_prefer_sync_wake_up(int listener)
{
	(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
}

int notify_receive(int listener, struct seccomp_notif *notification)
{
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, notification) < 0 ? -errno : 0;
}

bool notify_is_over(int listener)
{
	struct pollfd state = {.fd = listener, .events = POLLIN};

	return poll(&state, 1, 0) > 0 && (state.revents & POLLHUP);
}

bool notify_is_pending(int listener, uint64_t id)
{
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

/*
 * Both ioctls sleep interruptibly for the listener's lock, and ADDFD for the target. What was
 * interrupted has had no effect, and a call that is not answered would wait for ever.
 */
static int settle(int listener, unsigned long operation, void *argument)
{
	int result;

	do {
		result = ioctl(listener, operation, argument);
	} while (result < 0 && errno == EINTR);
	return result < 0 ? -errno : result;
}

int notify_install_fd(int listener, uint64_t id, int fd, bool cloexec, int replace)
{
	struct seccomp_notif_addfd request = {.id = id,
		.srcfd = (uint32_t)fd,
		.flags = replace >= 0 ? SECCOMP_ADDFD_FLAG_SETFD : 0,
		.newfd = replace >= 0 ? (uint32_t)replace : 0,
		.newfd_flags = cloexec ? O_CLOEXEC : 0};
	return settle(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &request);
}

static int send_response(int listener, struct seccomp_notif_resp *response)
{
	return settle(listener, SECCOMP_IOCTL_NOTIF_SEND, response);
}

int notify_answer(int listener, uint64_t id, int64_t value, int error)
{
	struct seccomp_notif_resp response = {
		.id = id, .val = error ? 0 : value, .error = error ? -error : 0};

	return send_response(listener, &response);
}

int notify_continue(int listener, uint64_t id)
{
	struct seccomp_notif_resp response = {.id = id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};

	return send_response(listener, &response);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "client/network.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client/families.h"
#include "daemon/base/cleanup.h"

/* What a user namespace would add to, and what is restored behind it. */
struct rights {
	struct __user_cap_data_struct capabilities[_LINUX_CAPABILITY_U32S_3];
	uint64_t bounding;
	unsigned int count; /* of the capabilities that this kernel has */
};

static struct __user_cap_header_struct own_header(void)
{
	return (struct __user_cap_header_struct){.version = _LINUX_CAPABILITY_VERSION_3};
}

static int read_rights(struct rights *rights)
{
	struct __user_cap_header_struct header = own_header();
	int is_there;

	*rights = (struct rights){.count = 0};
	while (rights->count < 64 && (is_there = prctl(PR_CAPBSET_READ, rights->count)) >= 0) {
		rights->bounding |= (uint64_t)is_there << rights->count++;
	}
	return syscall(SYS_capget, &header, rights->capabilities) < 0 ? -errno : 0;
}

/* The bounding set first: that takes a right which is among those that go. */
static int restore_rights(const struct rights *rights)
{
	struct __user_cap_header_struct header = own_header();

	for (unsigned int i = 0; i < rights->count; i++) {
		if (!(rights->bounding & (1ull << i)) && prctl(PR_CAPBSET_DROP, i) < 0) {
			return -errno;
		}
	}
	return syscall(SYS_capset, &header, rights->capabilities) < 0 ? -errno : 0;
}

static int write_text(const char *path, const char *text)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0) {
		return -errno;
	}
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* One's own id is itself inside; nobody else has one there. */
static int map_id(const char *path, unsigned int id)
{
	char map[64];

	(void)snprintf(map, sizeof(map), "%u %u 1", id, id);
	return write_text(path, map);
}

static int enter_with_user_namespace(void)
{
	unsigned int uid = geteuid(), gid = getegid();

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
		return -errno;
	}
	/* Whoever may not set groups may not give himself one by a namespace either. */
	int error = write_text("/proc/self/setgroups", "deny");
	if (error == 0) {
		error = map_id("/proc/self/uid_map", uid);
	}
	return error < 0 ? error : map_id("/proc/self/gid_map", gid);
}

static int raise_loopback(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

static int furnish(unsigned int families)
{
	int error = raise_loopback();

	if (error == 0 && families) {
		families_show(families);
	}
	return error;
}

int network_enter(bool leads_out)
{
	struct rights rights;
	unsigned int families = leads_out ? families_find() : 0;
	int error = read_rights(&rights);

	if (error < 0) {
		return error;
	}
	if (unshare(CLONE_NEWNET) == 0) {
		return furnish(families);
	}
	error = errno == EPERM ? enter_with_user_namespace() : -errno;
	if (error == 0) {
		error = furnish(families);
	}
	return error < 0 ? error : restore_rights(&rights);
}

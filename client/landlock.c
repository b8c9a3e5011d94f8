/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layer handles two rights: executing, which the rules grant where they say so, and moving
 * files between directories, which is granted everywhere: a layer that does not speak of the
 * latter denies it.
 */
#include "client/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client/landlock_walk.h"
#include "daemon/base/cleanup.h"

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13) /* Linux 5.19 */
#endif
#define REFER_ABI 2

struct layer {
	int ruleset;
};

static int landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi < 0 ? -errno : (int)abi;
}

static int allow(int ruleset, int fd, unsigned long long access)
{
	const struct landlock_path_beneath_attr rule = {
		.allowed_access = access,
		.parent_fd = fd,
	};

	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0
		       ? -errno
		       : 0;
}

/* What lies on a file system of the kernel's own (EBADFD) is not what programs are started from. */
static int grant(int fd, void *user)
{
	const struct layer *layer = user;
	int error = allow(layer->ruleset, fd, LANDLOCK_ACCESS_FS_EXECUTE);

	return error == -EBADFD ? 0 : error;
}

static int allow_moving(int ruleset)
{
	cleanup_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return root < 0 ? -errno : allow(ruleset, root, LANDLOCK_ACCESS_FS_REFER);
}

int landlock_confine(const char *rules, size_t count, size_t size)
{
	int abi = count > 0 ? landlock_abi() : 0;
	struct landlock_ruleset_attr attributes = {
		.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE |
				     (abi >= REFER_ABI ? LANDLOCK_ACCESS_FS_REFER : 0),
	};

	if (count == 0 || abi < 0) {
		return abi;
	}
	/* An older kernel knows the first field, and no other is set. */
	cleanup_fd int ruleset = (int)syscall(
		SYS_landlock_create_ruleset, &attributes, sizeof(attributes.handled_access_fs), 0);
	if (ruleset < 0) {
		return -errno;
	}
	struct layer layer = {ruleset};
	int error = abi >= REFER_ABI ? allow_moving(ruleset) : 0;
	error = error < 0 ? error : landlock_walk(rules, count, size, grant, &layer);
	if (error < 0) {
		return error;
	}
	return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One layer handles what the rules speak of, and moving files between directories, which is granted
 * everywhere: a layer that does not speak of that denies it.
 */
#include "client/landlock.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client/landlock_walk.h"
#include "daemon/base/cleanup.h"
#include "usher/wire.h"

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13) /* Linux 5.19 */
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14) /* Linux 6.2 */
#endif
#define REFER_ABI 2
#define FILES_ABI 3

#define RIGHTS_MAKE                                                            \
	(LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |          \
		LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |   \
		LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | \
		LANDLOCK_ACCESS_FS_MAKE_SYM)
#define RIGHTS_OF_FILES \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE)

/* What Landlock calls the operations, in the order of WIRE_GRANT_LETTERS. */
static const unsigned long long rights[] = {
	LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
	LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE,
	RIGHTS_MAKE,
	LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR,
};
static_assert(array_length(rights) == sizeof(WIRE_GRANT_LETTERS) - 1, "each letter has its rights");

struct layer {
	int ruleset;
};

static int landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi < 0 ? -errno : (int)abi;
}

bool landlock_knows_files(void)
{
	return landlock_abi() >= FILES_ABI;
}

static unsigned long long rights_of(unsigned int operations)
{
	unsigned long long all = 0;

	for (size_t i = 0; i < array_length(rights); i++) {
		all |= (operations & 1u << i) != 0 ? rights[i] : 0;
	}
	return all;
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
static int allow_executing(int fd, void *user)
{
	const struct layer *layer = user;
	int error = allow(layer->ruleset, fd, LANDLOCK_ACCESS_FS_EXECUTE);

	return error == -EBADFD ? 0 : error;
}

static int allow_operations(int fd, bool is_directory, unsigned int operations, void *user)
{
	const struct layer *layer = user;
	unsigned long long access = rights_of(operations);

	return allow(layer->ruleset, fd, is_directory ? access : access & RIGHTS_OF_FILES);
}

static int allow_moving(int ruleset)
{
	cleanup_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return root < 0 ? -errno : allow(ruleset, root, LANDLOCK_ACCESS_FS_REFER);
}

static int fill(struct layer *layer, const struct landlock_rules *rules, int abi,
	char reason[LANDLOCK_REASON_MAX])
{
	int result = abi >= REFER_ABI ? allow_moving(layer->ruleset) : 0;

	if (result == 0 && rules->execute.count > 0) {
		result = landlock_walk(&rules->execute, allow_executing, layer);
	}
	return result == 0 && rules->operations != 0
		       ? landlock_grants_visit(&rules->grants, allow_operations, layer, reason)
		       : result;
}

int landlock_make(
	const struct landlock_rules *rules, int *rulesetp, char reason[LANDLOCK_REASON_MAX])
{
	bool is_needed = rules->execute.count > 0 || rules->operations != 0;
	int abi = is_needed ? landlock_abi() : 0;
	struct landlock_ruleset_attr attributes = {
		.handled_access_fs = (rules->execute.count > 0 ? LANDLOCK_ACCESS_FS_EXECUTE : 0) |
				     rights_of(rules->operations) |
				     (abi >= REFER_ABI ? LANDLOCK_ACCESS_FS_REFER : 0),
	};

	*rulesetp = -1;
	if (!is_needed || abi < 0) {
		return abi;
	}
	/* An older kernel knows the first field, and no other is set. */
	cleanup_fd int ruleset = (int)syscall(
		SYS_landlock_create_ruleset, &attributes, sizeof(attributes.handled_access_fs), 0);
	if (ruleset < 0) {
		return -errno;
	}
	struct layer layer = {ruleset};
	int result = fill(&layer, rules, abi, reason);
	if (result == LANDLOCK_SUITS) {
		*rulesetp = steal_fd(&ruleset);
	}
	return result;
}

int landlock_lay_on(int ruleset)
{
	return ruleset >= 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}

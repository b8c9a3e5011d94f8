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
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client/landlock_walk.h"
#include "daemon/base/cleanup.h"
#include "daemon/policy/policy.h"
#include "usher/wire.h"

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13) /* Linux 5.19 */
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14) /* Linux 6.2 */
#endif
#define REFER_ABI 2
#define FILES_ABI 3 /* for all but reading */

/* What older ones know, and the signs of rules about executing. */
#define LANDLOCK_OLD_OPERATIONS ((unsigned int)OPERATION_READ)
#define EXECUTE_SIGNS           "+-"

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

static int landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi < 0 ? -errno : (int)abi;
}

bool landlock_is_there(void)
{
	return landlock_abi() > 0;
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
static int allow_executing(int fd, const char *path, bool is_directory, void *user)
{
	const struct landlock_layer *layer = user;
	int error = allow(layer->ruleset, fd, LANDLOCK_ACCESS_FS_EXECUTE);

	(void)path;
	(void)is_directory;

	return error == -EBADFD ? 0 : error;
}

static int allow_operations(int fd, bool is_directory, unsigned int operations, void *user)
{
	const struct landlock_layer *layer = user;
	unsigned long long access = rights_of(operations);

	return allow(layer->ruleset, fd, is_directory ? access : access & RIGHTS_OF_FILES);
}

static int allow_moving(int ruleset)
{
	cleanup_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return root < 0 ? -errno : allow(ruleset, root, LANDLOCK_ACCESS_FS_REFER);
}

static int grant_executing(struct landlock_layer *layer, const struct string_pack *execute)
{
	struct landlock_rule_list rules;
	int error = landlock_rule_list_read(&rules, execute, EXECUTE_SIGNS);

	if (error == 0) {
		error = landlock_walk(&rules, LANDLOCK_WALK_EXECUTING, allow_executing, layer);
		landlock_rule_list_finish(&rules);
	}
	return error;
}

static int fill(struct landlock_layer *layer, const struct landlock_rules *rules, int abi,
	char reason[LANDLOCK_REASON_MAX])
{
	int result = abi >= REFER_ABI ? allow_moving(layer->ruleset) : 0;

	if (result == 0 && rules->execute.count > 0) {
		result = grant_executing(layer, &rules->execute);
	}
	return result == 0 && rules->operations != 0
		       ? landlock_grants_visit(&rules->grants, allow_operations, layer,
				 &layer->shows_processes, reason)
		       : result;
}

static int make(const struct landlock_rules *rules, int abi, struct landlock_layer *layer,
	char reason[LANDLOCK_REASON_MAX])
{
	struct landlock_ruleset_attr attributes = {
		.handled_access_fs = (rules->execute.count > 0 ? LANDLOCK_ACCESS_FS_EXECUTE : 0) |
				     rights_of(rules->operations) |
				     (abi >= REFER_ABI ? LANDLOCK_ACCESS_FS_REFER : 0),
	};
	/* An older kernel knows the first field, and no other is set. */
	cleanup_fd int ruleset = (int)syscall(
		SYS_landlock_create_ruleset, &attributes, sizeof(attributes.handled_access_fs), 0);

	if (ruleset < 0) {
		return -errno;
	}
	layer->ruleset = ruleset;
	int result = fill(layer, rules, abi, reason);
	layer->ruleset = result == LANDLOCK_SUITS ? steal_fd(&ruleset) : -1;
	return result;
}

static bool is_too_old(
	const struct landlock_rules *rules, int abi, char reason[LANDLOCK_REASON_MAX])
{
	bool too_old = (rules->operations & ~LANDLOCK_OLD_OPERATIONS) != 0 && abi < FILES_ABI;

	if (too_old || abi <= 0) {
		(void)snprintf(reason, LANDLOCK_REASON_MAX, "this kernel's Landlock is %s",
			abi <= 0 ? "off, or not there" : "older than Linux 6.2");
	}
	return too_old || abi <= 0;
}

bool landlock_suits(const struct landlock_rules *rules, char reason[LANDLOCK_REASON_MAX])
{
	bool shows_processes;

	return !is_too_old(rules, landlock_abi(), reason) &&
	       landlock_grants_visit(&rules->grants, NULL, NULL, &shows_processes, reason) ==
		       LANDLOCK_SUITS;
}

int landlock_make(const struct landlock_rules *rules, struct landlock_layer *layer,
	char reason[LANDLOCK_REASON_MAX])
{
	bool is_needed = rules->execute.count > 0 || rules->operations != 0;
	int abi = is_needed ? landlock_abi() : 0;

	*layer = (struct landlock_layer){.ruleset = -1};
	if (!is_needed || abi < 0) {
		return abi;
	}
	return is_too_old(rules, abi, reason) ? LANDLOCK_UNSUITED : make(rules, abi, layer, reason);
}

int landlock_lay_on(int ruleset)
{
	return ruleset >= 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}

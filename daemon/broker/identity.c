/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/identity.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/target.h"

/* The fourth number of "Uid:\t r e s fs". */
static unsigned int fourth_number(const char *text)
{
	unsigned int numbers[4] = {0};

	return sscanf(text, "%u %u %u %u", &numbers[0], &numbers[1], &numbers[2], &numbers[3]) == 4
		       ? numbers[3]
		       : 0;
}

static int read_groups(struct identity *identity, const char *text)
{
	char *end;

	identity->group_count = 0;
	for (;;) {
		unsigned long group = strtoul(text, &end, 10);
		if (end == text || memchr(text, '\n', (size_t)(end - text))) {
			return 0;
		}
		if (identity->group_count == IDENTITY_GROUPS_MAX) {
			return -E2BIG;
		}
		identity->groups[identity->group_count++] = (gid_t)group;
		text = end;
	}
}

int identity_read(struct identity *identity, pid_t tid)
{
	char status[TARGET_STATUS_ROOM];
	int error = target_read_status(tid, status);

	if (error < 0) {
		return error;
	}
	const char *uid = target_status_field(status, "Uid");
	const char *gid = target_status_field(status, "Gid");
	const char *groups = target_status_field(status, "Groups");
	const char *capabilities = target_status_field(status, "CapEff");
	const char *umask_text = target_status_field(status, "Umask");
	if (!uid || !gid || !groups || !capabilities || !umask_text) {
		return -ESRCH;
	}
	identity->uid = fourth_number(uid);
	identity->gid = fourth_number(gid);
	/* What a thread may in a namespace of its own it may not in ours. */
	identity->capabilities =
		target_is_in_other_user_namespace(tid) ? 0 : strtoull(capabilities, NULL, 16);
	identity->umask = (mode_t)strtoul(umask_text, NULL, 8);
	return read_groups(identity, groups);
}

bool identity_is_same(const struct identity *a, const struct identity *b)
{
	return a->uid == b->uid && a->gid == b->gid && a->capabilities == b->capabilities &&
	       a->group_count == b->group_count &&
	       memcmp(a->groups, b->groups, a->group_count * sizeof(a->groups[0])) == 0;
}

static int set_effective_capabilities(uint64_t wanted)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0) {
		return -errno;
	}
	data[0].effective = (uint32_t)wanted & data[0].permitted;
	data[1].effective = (uint32_t)(wanted >> 32) & data[1].permitted;
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

/* setfsuid(2) tells no error: what is in force afterwards does. */
static int set_filesystem_ids(uid_t uid, gid_t gid)
{
	(void)setfsgid(gid);
	(void)setfsuid(uid);
	return (uid_t)setfsuid((uid_t)-1) == uid && (gid_t)setfsgid((gid_t)-1) == gid ? 0 : -EPERM;
}

int identity_assume(const struct identity *wanted, const struct identity *current)
{
	uint64_t both = wanted->capabilities | current->capabilities;
	int error = set_effective_capabilities(both | (1ull << CAP_SETUID) | (1ull << CAP_SETGID));

	if (error == 0 &&
		(wanted->group_count != current->group_count ||
			memcmp(wanted->groups, current->groups,
				wanted->group_count * sizeof(gid_t)) != 0) &&
		syscall(SYS_setgroups, wanted->group_count, wanted->groups) < 0) {
		error = -errno;
	}
	if (error == 0) {
		error = set_filesystem_ids(wanted->uid, wanted->gid);
	}
	/* Last: it lowers what the calls before it needed, and setfsuid(2) changes it by itself. */
	return error < 0 ? error : set_effective_capabilities(wanted->capabilities);
}

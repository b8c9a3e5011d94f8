/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/identity.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/target.h"
#include "daemon/broker/target_fd.h"

/* Of "Uid:\t real effective saved filesystem". */
static int read_ids(
	const char *text, unsigned int *real, unsigned int *effective, unsigned int *filesystem)
{
	return sscanf(text, "%u %u %*u %u", real, effective, filesystem) == 3 ? 0 : -ESRCH;
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
	int error = target_read_caller_status(tid, status);

	if (error < 0) {
		return error;
	}
	const char *uid = target_status_field(status, "Uid");
	const char *gid = target_status_field(status, "Gid");
	const char *groups = target_status_field(status, "Groups");
	const char *capabilities = target_status_field(status, "CapEff");
	const char *permitted = target_status_field(status, "CapPrm");
	if (!uid || !gid || !groups || !capabilities || !permitted) {
		return -ESRCH;
	}
	if (read_ids(uid, &identity->real_uid, &identity->effective_uid, &identity->uid) < 0 ||
		read_ids(gid, &identity->real_gid, &identity->effective_gid, &identity->gid) < 0) {
		return -ESRCH;
	}
	/* What a thread may in a namespace of its own it may not in ours. */
	identity->capabilities = strtoull(capabilities, NULL, 16) & ~IDENTITY_CAPABILITIES_UNUSED;
	identity->permitted = strtoull(permitted, NULL, 16) & ~IDENTITY_CAPABILITIES_UNUSED;
	identity->is_in_other_namespace = target_is_in_other_user_namespace(tid);
	identity->inside_capabilities = identity->inside_permitted = 0;
	identity->by_real_ids = false;
	if (identity->is_in_other_namespace) {
		identity->inside_capabilities = identity->capabilities;
		identity->inside_permitted = identity->permitted;
		identity->capabilities = identity->permitted = 0;
	}
	return read_groups(identity, groups);
}

/* As access_override_creds() of the kernel's fs/open.c, but for SECBIT_NO_SETUID_FIXUP. */
void identity_use_real_ids(struct identity *identity)
{
	identity->uid = identity->effective_uid = identity->real_uid;
	identity->gid = identity->effective_gid = identity->real_gid;
	identity->capabilities = identity->real_uid == 0 ? identity->permitted : 0;
	identity->inside_capabilities = identity->inside_permitted;
	identity->by_real_ids = true;
}

/* The index of the next group that the ids do not stand for already. */
static size_t next_group(const struct identity *identity, size_t i)
{
	while (i < identity->group_count && identity->groups[i] == identity->gid &&
		identity->groups[i] == identity->effective_gid) {
		i++;
	}
	return i;
}

/* The kernel keeps them in order, and a login lists its own group among them, another does not. */
static bool has_same_groups(const struct identity *a, const struct identity *b)
{
	size_t i = next_group(a, 0), j = next_group(b, 0);

	while (i < a->group_count && j < b->group_count && a->groups[i] == b->groups[j]) {
		i = next_group(a, i + 1);
		j = next_group(b, j + 1);
	}
	return i == a->group_count && j == b->group_count;
}

static bool has_same_ids(const struct identity *a, const struct identity *b)
{
	return a->uid == b->uid && a->gid == b->gid && a->effective_uid == b->effective_uid &&
	       a->effective_gid == b->effective_gid && has_same_groups(a, b);
}

bool identity_is_same(const struct identity *a, const struct identity *b)
{
	return a->capabilities == b->capabilities && has_same_ids(a, b);
}

bool identity_can_assume(const struct identity *own, const struct identity *wanted)
{
	return has_same_groups(own, wanted) || (own->permitted & (1ull << CAP_SETGID));
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

/*
 * Real and saved ids stay ours: by them nobody of the target's may signal or trace us. Each change
 * of the effective uid changes the effective capabilities, which the next step needs again.
 * setfsuid(2) tells no error: what is in force afterwards does.
 */
static int set_ids(const struct identity *wanted, uint64_t capabilities)
{
	if (syscall(SYS_setresgid, -1, wanted->effective_gid, -1) < 0 ||
		syscall(SYS_setresuid, -1, wanted->effective_uid, -1) < 0) {
		return -errno;
	}
	int error = set_effective_capabilities(capabilities);
	(void)setfsgid(wanted->gid);
	(void)setfsuid(wanted->uid);
	if (error < 0) {
		return error;
	}
	return (uid_t)setfsuid((uid_t)-1) == wanted->uid &&
			       (gid_t)setfsgid((gid_t)-1) == wanted->gid
		       ? 0
		       : -EPERM;
}

/* The kernel keeps who we are, in its own terms, and gives all capabilities there are inside. */
int identity_join(const struct identity_inside *inside, int namespace)
{
	if (setns(namespace, CLONE_NEWUSER) == 0) {
		return set_effective_capabilities(inside->capabilities);
	}
	/* The namespace is not the target's, but the broker's own: that of its owner's. */
	if (!inside->has_uids || syscall(SYS_setresuid, -1, inside->ours, -1) < 0 ||
		setns(namespace, CLONE_NEWUSER) < 0 ||
		syscall(SYS_setresuid, -1, inside->effective_uid, -1) < 0) {
		return -EPERM;
	}
	(void)setfsuid(inside->uid);
	return (uid_t)setfsuid((uid_t)-1) == inside->uid
		       ? set_effective_capabilities(inside->capabilities)
		       : -EPERM;
}

int identity_assume(const struct identity *wanted, const struct identity *current)
{
	/* As where a program has fewer capabilities than it was started with, and nothing else. */
	if (has_same_ids(wanted, current)) {
		return set_effective_capabilities(wanted->capabilities);
	}
	uint64_t both = wanted->capabilities | current->capabilities | (1ull << CAP_SETUID) |
			(1ull << CAP_SETGID);
	int error = set_effective_capabilities(both);

	if (error == 0 && !has_same_groups(wanted, current) &&
		syscall(SYS_setgroups, wanted->group_count, wanted->groups) < 0) {
		error = -errno;
	}
	if (error == 0) {
		error = set_ids(wanted, both);
	}
	/* Last: it lowers what the calls before it needed, and the ids change it by themselves. */
	return error < 0 ? error : set_effective_capabilities(wanted->capabilities);
}

void identity_pause(const struct identity *own, const struct identity *assumed)
{
	if (assumed != own && identity_assume(own, assumed) < 0) {
		abort();
	}
}

int identity_resume(const struct identity *own, const struct identity *assumed)
{
	int error = assumed != own ? identity_assume(assumed, own) : 0;

	if (error < 0 && identity_assume(own, assumed) < 0) {
		abort();
	}
	return error;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/become.h"

#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"

static_assert(sizeof(uid_t) == 4 && sizeof(gid_t) == 4, "ids are 32 bits wide");

/* (uid_t)-1 means "leave it as it is" to setresuid(2), so it is no id. */
#define ID_NONE UINT32_MAX

/* One number that ends at `end`, which is skipped. */
static int take_number(const char **cursor, char end, int base, uint64_t limit, uint64_t *number)
{
	char *rest;

	/* strtoull takes blanks and signs; an id has neither. */
	if (!strchr("0123456789abcdef", **cursor) || **cursor == '\0') {
		return -EINVAL;
	}
	errno = 0;
	*number = strtoull(*cursor, &rest, base);
	if (errno != 0 || *rest != end || *number > limit) {
		return -EINVAL;
	}
	*cursor = rest + (end != '\0');
	return 0;
}

static int take_groups(struct become *become, const char **cursor)
{
	const char *end = strchr(*cursor, ':');
	size_t room = 1;

	if (!end) {
		return -EINVAL;
	}
	for (const char *c = *cursor; c < end; c++) {
		room += *c == ',';
	}
	become->groups = calloc(room, sizeof(*become->groups));
	if (!become->groups) {
		return -ENOMEM;
	}
	while (*cursor < end) {
		uint64_t group = 0;
		bool is_last = become->group_count + 1 == room;
		int result = take_number(cursor, is_last ? ':' : ',', 10, ID_NONE - 1, &group);
		if (result < 0) {
			return result;
		}
		become->groups[become->group_count++] = (gid_t)group;
		if (is_last) {
			return 0;
		}
	}
	*cursor = end + 1;
	return room == 1 ? 0 : -EINVAL;
}

int become_parse(struct become *become, const char *spec)
{
	uint64_t uid = 0, gid = 0;

	*become = (struct become){0};
	int result = take_number(&spec, ':', 10, ID_NONE - 1, &uid);
	if (result == 0) {
		result = take_number(&spec, ':', 10, ID_NONE - 1, &gid);
	}
	if (result == 0) {
		result = take_groups(become, &spec);
	}
	if (result == 0) {
		result = take_number(&spec, '\0', 16, UINT64_MAX, &become->capabilities);
	}
	become->uid = (uid_t)uid;
	become->gid = (gid_t)gid;
	if (result < 0) {
		become_finish(become);
	}
	return result;
}

void become_finish(struct become *become)
{
	free(become->groups);
	*become = (struct become){0};
}

/* The raw calls: that is all that is needed of libcap. */
static int permitted_capabilities(uint64_t *permitted)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &header, data) < 0) {
		return -errno;
	}
	*permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
	return 0;
}

static int set_capabilities(uint64_t wanted)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
	uint64_t permitted = 0;
	int result = permitted_capabilities(&permitted);

	if (result < 0) {
		return result;
	}
	for (unsigned int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i].permitted = (uint32_t)((wanted & permitted) >> (32 * i));
		data[i].effective = data[i].permitted;
	}
	/* Nothing inheritable: that empties the ambient set too. */
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

/* An order that cannot be changed: groups need the rights that the uid takes away. */
static int drop_ids(const struct become *become)
{
	if (setgroups(become->group_count, become->groups) < 0 ||
		setresgid(become->gid, become->gid, become->gid) < 0) {
		return -errno;
	}
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 ||
		setresuid(become->uid, become->uid, become->uid) < 0 ||
		prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0) {
		return -errno;
	}
	return 0;
}

/* The calls have said yes; this asks the kernel what is so. */
static int verify(const struct become *become)
{
	uint64_t permitted = 0;
	uid_t real, effective, saved;
	gid_t real_group, effective_group, saved_group;

	if (getresuid(&real, &effective, &saved) < 0 ||
		getresgid(&real_group, &effective_group, &saved_group) < 0) {
		return -errno;
	}
	int result = permitted_capabilities(&permitted);
	if (result < 0) {
		return result;
	}
	bool is_so = real == become->uid && effective == become->uid && saved == become->uid &&
		     real_group == become->gid && effective_group == become->gid &&
		     saved_group == become->gid && (permitted & ~become->capabilities) == 0 &&
		     getgroups(0, NULL) == (int)become->group_count;
	return is_so ? 0 : -EPERM;
}

int become_parse_and_drop(const char *spec)
{
	struct become become;
	int result = become_parse(&become, spec);

	if (result < 0) {
		return result;
	}
	result = drop_ids(&become);
	if (result == 0) {
		result = set_capabilities(become.capabilities);
	}
	if (result == 0) {
		result = verify(&become);
	}
	become_finish(&become);
	return result;
}

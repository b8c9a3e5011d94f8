/* SPDX-License-Identifier: Apache-2.0 */
#include "client/own_rights.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Also if that cannot be told. */
static bool has_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	return syscall(SYS_capget, &header, data) < 0 || data[0].permitted || data[1].permitted;
}

static bool has_many_ids(void)
{
	uid_t uid, effective_uid, saved_uid;
	gid_t gid, effective_gid, saved_gid;

	return getresuid(&uid, &effective_uid, &saved_uid) < 0 ||
	       getresgid(&gid, &effective_gid, &saved_gid) < 0 || uid != effective_uid ||
	       uid != saved_uid || gid != effective_gid || gid != saved_gid;
}

bool own_ids_can_vary(void)
{
	return geteuid() == 0 || has_capabilities() || has_many_ids();
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "client/process_rights.h"

#include <errno.h>
#include <linux/capability.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"

static const unsigned int given_up[] = {
	CAP_SYS_ADMIN, CAP_PERFMON, /* maps, environ and the like of any process */
	CAP_SYS_RAWIO,              /* kcore */
	CAP_SYSLOG,                 /* kallsyms, kmsg */
};

/* Who may not change his bounding set cannot gain by it either: no_new_privs is set. */
static void leave_bounding_set(void)
{
	for (size_t i = 0; i < array_length(given_up); i++) {
		(void)prctl(PR_CAPBSET_DROP, given_up[i], 0, 0, 0);
	}
}

int process_rights_give_up(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	leave_bounding_set();
	if (syscall(SYS_capget, &header, sets) < 0) {
		return -errno;
	}
	for (size_t i = 0; i < array_length(given_up); i++) {
		struct __user_cap_data_struct *set = &sets[CAP_TO_INDEX(given_up[i])];
		uint32_t kept = ~CAP_TO_MASK(given_up[i]);

		set->effective &= kept;
		set->permitted &= kept;
		set->inheritable &= kept;
	}
	return syscall(SYS_capset, &header, sets) < 0 ? -errno : 0;
}

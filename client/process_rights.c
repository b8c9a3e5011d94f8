/* SPDX-License-Identifier: Apache-2.0 */
#include "client/process_rights.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(capability) (UINT64_C(1) << (capability))

/* Who may not change his bounding set cannot gain by it either: no_new_privs is set. */
static void leave_bounding_set(uint64_t capabilities)
{
	for (unsigned int i = 0; i < 64; i++) {
		if (capabilities & BIT(i)) {
			(void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
		}
	}
}

int process_rights_give_up(uint64_t capabilities)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	leave_bounding_set(capabilities);
	if (syscall(SYS_capget, &header, sets) < 0) {
		return -errno;
	}
	for (unsigned int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		uint32_t kept = ~(uint32_t)(capabilities >> (32 * i));

		sets[i].effective &= kept;
		sets[i].permitted &= kept;
		sets[i].inheritable &= kept;
	}
	return syscall(SYS_capset, &header, sets) < 0 ? -errno : 0;
}

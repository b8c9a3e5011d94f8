/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of the arguments that the kernel takes as int or unsigned int. What is not in it is
 * compared with all its 64 bits.
 */
#include "daemon/policy/syscall_widths.h"

#include <seccomp.h>
#include <stddef.h>

#include "daemon/base/cleanup.h"

#define A0 0x01u
#define A1 0x02u
#define A2 0x04u
#define A3 0x08u
#define A4 0x10u
#define A5 0x20u

static const struct {
	int nr;
	unsigned int narrow;
} widths[] = {
	{SCMP_SYS(open), A1},
	{SCMP_SYS(openat), A0 | A2},
	{SCMP_SYS(ioctl), A0 | A1},
	{SCMP_SYS(socket), A0 | A1 | A2},
	{SCMP_SYS(socketpair), A0 | A1 | A2},
	{SCMP_SYS(prctl), A0},
	{SCMP_SYS(clone), A0},
	{SCMP_SYS(seccomp), A0 | A1},
	{SCMP_SYS(sendto), A0 | A3},
	{SCMP_SYS(sendmsg), A0 | A2},
	{SCMP_SYS(sendmmsg), A0 | A2 | A3},
	{SCMP_SYS(fanotify_init), A0 | A1},
};

uint64_t syscall_width(int nr, unsigned int argument)
{
	for (size_t i = 0; i < array_length(widths); i++) {
		if (widths[i].nr == nr && widths[i].narrow & (1u << argument)) {
			return UINT32_MAX;
		}
	}
	return UINT64_MAX;
}

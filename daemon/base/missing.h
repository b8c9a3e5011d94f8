/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What more than one of us uses of the kernel's interface and the headers of Debian 12 do not have.
 * What a single file uses stands in that file.
 */
#pragma once

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

/* Linux 6.6 */
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452 /* the same on all architectures */
#endif

/* Linux 6.9 */
#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/policy/filter_ioctls.h"

#include <errno.h>
#include <linux/fs.h>
#include <linux/fscrypt.h>
#include <linux/fsverity.h>
#include <linux/msdos_fs.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/filter_plan.h"

#define TYPE(type)   ((type) << _IOC_TYPESHIFT)
#define ALL_OF_TYPE  (_IOC_TYPEMASK << _IOC_TYPESHIFT)
#define ANY_SIZE     (ALL_OF_TYPE | _IOC_NRMASK << _IOC_NRSHIFT) /* the type and the number count */
#define COMMAND(nr_) .mask = ANY_SIZE, .value = ((nr_)&ANY_SIZE)

/* Of linux/btrfs.h; the others are in no header of the system: fs/bcachefs/bcachefs_ioctl.h,
 * fs/ocfs2/ocfs2_ioctl.h, fs/xfs/libxfs/xfs_fs.h and fs/ext4/ext4.h of the kernel. */
#define BTRFS_TYPE              0x94
#define BCACHEFS_TYPE           0xbc
#define OCFS2_REFLINK           _IO('o', 4)
#define XFS_OPEN_BY_HANDLE      _IO('X', 107)
#define XFS_READLINK_BY_HANDLE  _IO('X', 108)
#define XFS_ATTRLIST_BY_HANDLE  _IO('X', 122)
#define XFS_ATTRMULTI_BY_HANDLE _IO('X', 123)
#define EXT4_SETVERSION         _IO('f', 4)

static const struct command {
	uint32_t mask, value;
	int error; /* 0: it is let through */
	bool is_metadata;
} commands[] = {
	{COMMAND(FICLONE)},
	{COMMAND(FICLONERANGE)},
	{COMMAND(FIDEDUPERANGE)},
	/* Snapshots give files other names, and entries are made and removed. */
	{ALL_OF_TYPE, TYPE(BTRFS_TYPE), .error = ENOTTY},
	{ALL_OF_TYPE, TYPE(BCACHEFS_TYPE), .error = ENOTTY},
	/* A copy, by the names of both files. */
	{COMMAND(OCFS2_REFLINK), .error = ENOTTY},
	/* What is opened without a name. */
	{COMMAND(XFS_OPEN_BY_HANDLE), .error = EPERM},
	{COMMAND(XFS_READLINK_BY_HANDLE), .error = EPERM},
	{COMMAND(XFS_ATTRLIST_BY_HANDLE), .error = EPERM},
	{COMMAND(XFS_ATTRMULTI_BY_HANDLE), .error = EPERM},
	/* As chattr(1), fsverity(1) and fscrypt(1) do it, and FAT its mode: for all of these a
	 * descriptor that was opened for reading is enough. */
	{COMMAND(FS_IOC_SETFLAGS), .error = ENOTTY, .is_metadata = true},
	{COMMAND(FS_IOC_FSSETXATTR), .error = ENOTTY, .is_metadata = true},
	{COMMAND(FS_IOC_SETVERSION), .error = ENOTTY, .is_metadata = true},
	{COMMAND(EXT4_SETVERSION), .error = ENOTTY, .is_metadata = true},
	{COMMAND(FS_IOC_ENABLE_VERITY), .error = ENOTTY, .is_metadata = true},
	{COMMAND(FS_IOC_SET_ENCRYPTION_POLICY), .error = ENOTTY, .is_metadata = true},
	{COMMAND(FAT_IOCTL_SET_ATTRIBUTES), .error = ENOTTY, .is_metadata = true},
};

static int add(struct plan *plan, const struct command *command)
{
	const struct plan_clause clause = {
		.comparisons = {{.argument = 1,
			.operator= COMPARE_MASKED_EQ,
			.mask = command->mask,
			.value = command->value}},
		.count = 1,
		.answer = {command->error ? FILTER_ERRNO : FILTER_ALLOW, command->error},
	};

	return plan_call_add(plan, SCMP_SYS(ioctl), offsetof(struct plan_call, mediation), &clause);
}

int plan_ioctls(struct plan *plan, bool metadata)
{
	int error = 0;

	for (size_t i = 0; i < array_length(commands) && error == 0; i++) {
		if (metadata || !commands[i].is_metadata) {
			error = add(plan, &commands[i]);
		}
	}
	return error;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls that take a path and do not open it: what they ask for, which of their arguments are
 * names, and whether a link in the last component is followed. One row a system call, its older and
 * newer numbers beside each other.
 */
#pragma once

#include <stdint.h>

enum path_act {
	/* On a directory and a last component. */
	PATH_UNLINK,
	PATH_RMDIR,
	PATH_MKDIR,
	PATH_MKNOD,
	PATH_SYMLINK,
	PATH_LINK,
	PATH_RENAME,
	/* On the object itself. */
	PATH_TRUNCATE,
	PATH_CHMOD,
	PATH_CHOWN,
	PATH_UTIME,
	PATH_UTIMES,
	PATH_UTIMENS,
	PATH_SETXATTR,
	PATH_REMOVEXATTR,
	PATH_STATFS,
	PATH_STAT,
	PATH_STATX,
	PATH_ACCESS,
	PATH_READLINK,
	PATH_GETXATTR,
	PATH_LISTXATTR,
	PATH_WATCH,
	PATH_HANDLE,
	PATH_CHDIR,
	PATH_ACTS
};

enum path_follow {
	FOLLOW_LAST,    /* a link is followed */
	FOLLOW_UNLESS,  /* ... unless AT_SYMLINK_NOFOLLOW is in the flags */
	FOLLOW_IF,      /* ... only if AT_SYMLINK_FOLLOW is */
	FOLLOW_SLASH,   /* the link itself is meant, unless a slash is behind it */
	FOLLOW_NOTHING, /* there is no name: the argument `path` is a descriptor */
	FOLLOW_NEVER,   /* the name is an entry of its directory, with a slash behind it or not */
};

#define NO_ARGUMENT (-1)

struct path_call {
	int nr;
	enum path_act act;
	enum path_follow follow;
	unsigned int operations;        /* enum policy_operation, of the name */
	unsigned int operations_second; /* of the second name, where there is one */
	int8_t dirfd, path; /* numbers of arguments; a dirfd of NO_ARGUMENT is AT_FDCWD */
	int8_t dirfd_second, path_second;
	int8_t flags;             /* the argument with AT_ flags */
	unsigned int flags_known; /* others are EINVAL */
};

/* The row of a system call, or NULL. */
const struct path_call *path_call_find(int nr);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls themselves, old numbers and new.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include <utime.h>

#include "daemon/base/missing.h"
#include "tests/attacks/change.h"

static const struct utimbuf seconds = {1111, 2222};
static const struct timeval micro[2] = {{1111, 0}, {2222, 0}};
static const struct timespec nano[2] = {{1111, 0}, {2222, 0}};
static struct stat status;
static char buffer[4096];

/* A call without dirfd, and one with it. */
#define CALL(function, expression)                        \
	static long function(int dirfd, const char *path) \
	{                                                 \
		(void)dirfd;                              \
		return (expression);                      \
	}
#define CALL_AT(function, expression)                     \
	static long function(int dirfd, const char *path) \
	{                                                 \
		return (expression);                      \
	}

CALL(call_unlink, raw(SYS_unlink, path))
CALL_AT(call_unlinkat, raw(SYS_unlinkat, dirfd, path, 0))
CALL(call_rmdir, raw(SYS_rmdir, path))
CALL_AT(call_removedir, raw(SYS_unlinkat, dirfd, path, AT_REMOVEDIR))
CALL(call_rename_away, raw(SYS_rename, path, "dirM/stolen"))
CALL_AT(call_renameat_away, raw(SYS_renameat, dirfd, path, AT_FDCWD, "dirM/stolen"))
CALL_AT(call_renameat2_away,
	raw(SYS_renameat2, dirfd, path, AT_FDCWD, "dirM/stolen", RENAME_NOREPLACE))
CALL(call_rename_onto, raw(SYS_rename, "dirM/mine", path))
CALL_AT(call_renameat_onto, raw(SYS_renameat, AT_FDCWD, "dirM/mine", dirfd, path))
CALL_AT(call_renameat2_into,
	raw(SYS_renameat2, AT_FDCWD, "dirM/mine", dirfd, path, RENAME_NOREPLACE))
CALL_AT(call_exchange, raw(SYS_renameat2, AT_FDCWD, "dirM/mine", dirfd, path, RENAME_EXCHANGE))
CALL_AT(call_exchange_back, raw(SYS_renameat2, dirfd, path, AT_FDCWD, "dirM/mine", RENAME_EXCHANGE))
CALL(call_rename_directory, raw(SYS_rename, "dirM/tree", path))
CALL(call_link_away, raw(SYS_link, path, "dirM/stolen"))
CALL_AT(call_linkat_away, raw(SYS_linkat, dirfd, path, AT_FDCWD, "dirM/stolen", 0))
CALL_AT(call_linkat_follow,
	raw(SYS_linkat, dirfd, path, AT_FDCWD, "dirM/stolen", AT_SYMLINK_FOLLOW))
CALL(call_link_into, raw(SYS_link, "dirM/mine", path))
CALL_AT(call_linkat_into, raw(SYS_linkat, AT_FDCWD, "dirM/mine", dirfd, path, 0))
CALL(call_symlink, raw(SYS_symlink, "x", path))
CALL_AT(call_symlinkat, raw(SYS_symlinkat, "x", dirfd, path))
CALL(call_mkdir, raw(SYS_mkdir, path, 0700))
CALL_AT(call_mkdirat, raw(SYS_mkdirat, dirfd, path, 0700))
CALL(call_mknod, raw(SYS_mknod, path, S_IFREG | 0600, 0))
CALL_AT(call_mknodat, raw(SYS_mknodat, dirfd, path, S_IFIFO | 0600, 0))
CALL(call_truncate, raw(SYS_truncate, path, 1))
CALL(call_chmod, raw(SYS_chmod, path, 0777))
CALL_AT(call_fchmodat, raw(SYS_fchmodat, dirfd, path, 0777))
CALL_AT(call_fchmodat2, raw(SYS_fchmodat2, dirfd, path, 0777, 0))
CALL_AT(call_fchmodat2_nofollow, raw(SYS_fchmodat2, dirfd, path, 0777, AT_SYMLINK_NOFOLLOW))
CALL(call_chown, raw(SYS_chown, path, getuid(), getgid()))
CALL(call_lchown, raw(SYS_lchown, path, getuid(), getgid()))
CALL_AT(call_fchownat, raw(SYS_fchownat, dirfd, path, getuid(), -1, 0))
CALL(call_utime, raw(SYS_utime, path, &seconds))
CALL(call_utimes, raw(SYS_utimes, path, micro))
CALL_AT(call_futimesat, raw(SYS_futimesat, dirfd, path, micro))
CALL_AT(call_utimensat, raw(SYS_utimensat, dirfd, path, nano, 0))
CALL_AT(call_utimensat_now, raw(SYS_utimensat, dirfd, path, NULL, 0))
CALL_AT(call_utimensat_link, raw(SYS_utimensat, dirfd, path, nano, AT_SYMLINK_NOFOLLOW))
CALL(call_setxattr, raw(SYS_setxattr, path, "user.evil", "x", 1, 0))
CALL(call_lsetxattr, raw(SYS_lsetxattr, path, "user.evil", "x", 1, 0))
CALL(call_removexattr, raw(SYS_removexattr, path, "user.mark"))
CALL(call_lremovexattr, raw(SYS_lremovexattr, path, "user.mark"))
CALL(call_stat, raw(SYS_stat, path, &status))
CALL(call_lstat, raw(SYS_lstat, path, &status))
CALL_AT(call_newfstatat, raw(SYS_newfstatat, dirfd, path, &status, 0))
CALL_AT(call_statx, raw(SYS_statx, dirfd, path, 0, STATX_BASIC_STATS, buffer))
CALL(call_statfs, raw(SYS_statfs, path, buffer))
CALL(call_access, raw(SYS_access, path, F_OK))
CALL_AT(call_faccessat, raw(SYS_faccessat, dirfd, path, R_OK))
CALL_AT(call_faccessat2, raw(SYS_faccessat2, dirfd, path, R_OK, AT_EACCESS))
CALL(call_readlink, raw(SYS_readlink, path, buffer, sizeof(buffer)))
CALL_AT(call_readlinkat, raw(SYS_readlinkat, dirfd, path, buffer, sizeof(buffer)))
CALL(call_getxattr, raw(SYS_getxattr, path, "user.mark", buffer, sizeof(buffer)))
CALL(call_lgetxattr, raw(SYS_lgetxattr, path, "user.mark", buffer, sizeof(buffer)))
CALL(call_listxattr, raw(SYS_listxattr, path, buffer, sizeof(buffer)))
CALL(call_llistxattr, raw(SYS_llistxattr, path, buffer, sizeof(buffer)))
CALL(call_watch, raw(SYS_inotify_add_watch, inotify_init1(0), path, IN_ALL_EVENTS))

static long call_handle(int dirfd, const char *path)
{
	struct file_handle *handle = (void *)buffer;
	int mount;

	handle->handle_bytes = MAX_HANDLE_SZ;
	return raw(SYS_name_to_handle_at, dirfd, path, handle, &mount, 0);
}

static long call_open_path(int dirfd, const char *path)
{
	int fd = raw_openat(dirfd, path, O_PATH | O_CLOEXEC, 0);

	return fd < 0 ? fd : raw_result(close(fd));
}

static long call_chdir(int dirfd, const char *path)
{
	int here = raw_open(".", O_PATH | O_DIRECTORY, 0);
	long result = raw(SYS_chdir, path);

	(void)dirfd;
	prepare(here >= 0 && !fchdir(here) && !close(here));
	return result;
}

/* Name, victim, call, whether it takes a dirfd, whether it follows a link. */
#define CHANGES(X)                                                                        \
	X("unlink", VICTIM_FILE, call_unlink, false, false)                               \
	X("unlinkat", VICTIM_FILE, call_unlinkat, true, false)                            \
	X("rmdir", VICTIM_DIRECTORY, call_rmdir, false, false)                            \
	X("unlinkat-removedir", VICTIM_DIRECTORY, call_removedir, true, false)            \
	X("rename-away", VICTIM_FILE, call_rename_away, false, false)                     \
	X("renameat-away", VICTIM_FILE, call_renameat_away, true, false)                  \
	X("renameat2-away", VICTIM_FILE, call_renameat2_away, true, false)                \
	X("rename-directory-away", VICTIM_DIRECTORY, call_rename_away, false, false)      \
	X("rename-link-away", VICTIM_LINK, call_rename_away, false, false)                \
	X("rename-onto", VICTIM_FILE, call_rename_onto, false, false)                     \
	X("renameat-onto", VICTIM_FILE, call_renameat_onto, true, false)                  \
	X("renameat2-into", VICTIM_NEW, call_renameat2_into, true, false)                 \
	X("rename-into", VICTIM_NEW, call_rename_onto, false, false)                      \
	X("rename-directory-onto", VICTIM_DIRECTORY, call_rename_directory, false, false) \
	X("exchange", VICTIM_FILE, call_exchange, true, false)                            \
	X("exchange-back", VICTIM_FILE, call_exchange_back, true, false)                  \
	X("link-away", VICTIM_FILE, call_link_away, false, false)                         \
	X("linkat-away", VICTIM_FILE, call_linkat_away, true, false)                      \
	X("linkat-follow-away", VICTIM_FILE, call_linkat_follow, true, true)              \
	X("link-into", VICTIM_NEW, call_link_into, false, false)                          \
	X("linkat-into", VICTIM_NEW, call_linkat_into, true, false)                       \
	X("symlink", VICTIM_NEW, call_symlink, false, false)                              \
	X("symlinkat", VICTIM_NEW, call_symlinkat, true, false)                           \
	X("mkdir", VICTIM_NEW, call_mkdir, false, false)                                  \
	X("mkdirat", VICTIM_NEW, call_mkdirat, true, false)                               \
	X("mknod", VICTIM_NEW, call_mknod, false, false)                                  \
	X("mknodat", VICTIM_NEW, call_mknodat, true, false)                               \
	X("truncate", VICTIM_FILE, call_truncate, false, true)                            \
	X("chmod", VICTIM_FILE, call_chmod, false, true)                                  \
	X("fchmodat", VICTIM_FILE, call_fchmodat, true, true)                             \
	X("fchmodat2", VICTIM_FILE, call_fchmodat2, true, true)                           \
	X("fchmodat2-nofollow", VICTIM_FILE, call_fchmodat2_nofollow, true, false)        \
	X("chmod-directory", VICTIM_DIRECTORY, call_chmod, false, true)                   \
	X("chown", VICTIM_FILE, call_chown, false, true)                                  \
	X("lchown", VICTIM_FILE, call_lchown, false, false)                               \
	X("fchownat", VICTIM_FILE, call_fchownat, true, true)                             \
	X("utime", VICTIM_FILE, call_utime, false, true)                                  \
	X("utimes", VICTIM_FILE, call_utimes, false, true)                                \
	X("futimesat", VICTIM_FILE, call_futimesat, true, true)                           \
	X("utimensat", VICTIM_FILE, call_utimensat, true, true)                           \
	X("utimensat-now", VICTIM_FILE, call_utimensat_now, true, true)                   \
	X("utimensat-link", VICTIM_LINK, call_utimensat_link, true, false)                \
	X("setxattr", VICTIM_FILE, call_setxattr, false, true)                            \
	X("lsetxattr", VICTIM_FILE, call_lsetxattr, false, false)                         \
	X("removexattr", VICTIM_FILE, call_removexattr, false, true)                      \
	X("lremovexattr", VICTIM_FILE, call_lremovexattr, false, false)                   \
	X("stat", VICTIM_FILE, call_stat, false, true)                                    \
	X("lstat", VICTIM_FILE, call_lstat, false, false)                                 \
	X("newfstatat", VICTIM_FILE, call_newfstatat, true, true)                         \
	X("statx", VICTIM_FILE, call_statx, true, true)                                   \
	X("statfs", VICTIM_FILE, call_statfs, false, true)                                \
	X("access", VICTIM_FILE, call_access, false, true)                                \
	X("faccessat", VICTIM_FILE, call_faccessat, true, true)                           \
	X("faccessat2", VICTIM_FILE, call_faccessat2, true, true)                         \
	X("readlink", VICTIM_LINK, call_readlink, false, false)                           \
	X("readlinkat", VICTIM_LINK, call_readlinkat, true, false)                        \
	X("getxattr", VICTIM_FILE, call_getxattr, false, true)                            \
	X("lgetxattr", VICTIM_FILE, call_lgetxattr, false, false)                         \
	X("listxattr", VICTIM_FILE, call_listxattr, false, true)                          \
	X("llistxattr", VICTIM_FILE, call_llistxattr, false, false)                       \
	X("inotify_add_watch", VICTIM_FILE, call_watch, false, true)                      \
	X("name_to_handle_at", VICTIM_FILE, call_handle, true, false)                     \
	X("open-path", VICTIM_FILE, call_open_path, true, true)                           \
	X("chdir", VICTIM_DIRECTORY, call_chdir, false, true)

#define AS_CHANGE(name, victim, call, has_dirfd, follows) {name, victim, call, has_dirfd, follows},
#define AS_ATTACK(name, victim, call, has_dirfd, follows) {"change-" name, change_by_every_road},

const struct change changes[] = {CHANGES(AS_CHANGE){NULL, VICTIM_FILE, NULL, false, false}};
const struct attack attacks_change[] = {CHANGES(AS_ATTACK){NULL, NULL}};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * With what mode, owner and ACL a file is born: umask, mode bits, setgid and sticky directories,
 * default ACLs; and what becomes of an existing one.
 */
#include <assert.h>
#include <endian.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/acl.h"
#include "tests/parity/parity.h"
#include "tests/parity/tree.h"

struct mode_case {
	unsigned int umask, mode;
	const char *directory;
	bool with_acl;
	unsigned int extra_flags;
};

static const unsigned int umasks[] = {0, 022, 077, 0777, 0007, 07777};
static const unsigned int modes[] = {
	0, 0400, 0644, 0666, 0777, 01666, 02755, 04755, 07777, 0177777};
static const char *const parents[] = {".", "setgid", "sticky"};

static void run_mode(struct scene *scene)
{
	const struct mode_case *test = scene->data;
	char path[64];

	if (test->with_acl) {
		acl_set_default(scene, test->directory);
	}
	snprintf(path, sizeof(path), "%s/new", test->directory);
	umask(test->umask);
	tell_fd(scene, raw_open(path, O_RDWR | O_CREAT | (int)test->extra_flags, test->mode));
	umask(0);
	acl_tell(scene, path, ACL_ACCESS);
	tree_tell_changes(scene);
}

static void run_temporary(struct scene *scene)
{
	const struct mode_case *test = scene->data;
	char link_name[64];
	int fd;

	if (test->with_acl) {
		acl_set_default(scene, test->directory);
	}
	umask(test->umask);
	fd = raw_open(test->directory, O_RDWR | O_TMPFILE, test->mode);
	umask(0);
	tell_fd(scene, fd);
	snprintf(link_name, sizeof(link_name), "/proc/self/fd/%d", fd);
	tell(scene, " linked ");
	tell_result(
		scene, raw(SYS_linkat, AT_FDCWD, link_name, AT_FDCWD, "new", AT_SYMLINK_FOLLOW));
	acl_tell(scene, "new", ACL_ACCESS);
	tree_tell_changes(scene);
}

static void cross_modes(struct runner *runner)
{
	for (size_t d = 0; d < array_length(parents); d++) {
		for (size_t u = 0; u < array_length(umasks); u++) {
			for (size_t m = 0; m < array_length(modes); m++) {
				struct mode_case test = {umasks[u], modes[m], parents[d], false, 0};

				runner_case(runner, run_mode, &test, "mode/%s/umask=%o/%o",
					parents[d], umasks[u], modes[m]);
			}
		}
	}
}

static void cross_acls(struct runner *runner)
{
	static const unsigned int acl_modes[] = {0, 0600, 0644, 0666, 0777};
	static const unsigned int acl_umasks[] = {022, 077};

	for (size_t u = 0; u < array_length(acl_umasks); u++) {
		for (size_t m = 0; m < array_length(acl_modes); m++) {
			struct mode_case test = {acl_umasks[u], acl_modes[m], "dir", true, 0};

			runner_case(runner, run_mode, &test, "acl/umask=%o/%o", acl_umasks[u],
				acl_modes[m]);
			runner_case(runner, run_temporary, &test, "acl/tmpfile/umask=%o/%o",
				acl_umasks[u], acl_modes[m]);
			test.with_acl = false;
			runner_case(runner, run_temporary, &test, "mode/tmpfile/umask=%o/%o",
				acl_umasks[u], acl_modes[m]);
		}
	}
}

/* Writing takes the ids' bits away; truncating by open does too. */
static void run_setuid_bits(struct scene *scene)
{
	const int *flags = scene->data;
	int fd = raw_open("setuid", *flags, 0);

	tell_fd(scene, fd);
	tell(scene, " write=%ld", raw(SYS_write, fd, "x", 1));
	tell_path(scene, "setuid");
}

/* A directory whose group is another one than the creator's. */
static void run_foreign_group(struct scene *scene)
{
	if (geteuid() == 0) {
		prepare(scene, !chown("setgid", 7, 9) && !chmod("setgid", 02777));
	}
	tell_fd(scene, raw_open("setgid/new", O_RDWR | O_CREAT, 02777));
	tell(scene, " plain ");
	tell_fd(scene, raw_open("setgid/plain", O_RDWR | O_CREAT, 0644));
	tell(scene, " tmpfile ");
	tell_fd(scene, raw_open("setgid", O_RDWR | O_TMPFILE, 02777));
}

/* Root that has put on other ids for files, or has left root for good. */
static void run_fsuid(struct scene *scene)
{
	if (geteuid() == 0) {
		prepare(scene, !chmod(".", 0777));
		setfsgid(12346);
		setfsuid(12345);
	}
	tell_fd(scene, raw_open("new", O_RDWR | O_CREAT, 0666));
	tell(scene, " forbidden ");
	tell_result(scene, raw_open("forbidden", O_RDONLY, 0));
	tell(scene, " closed ");
	tell_result(scene, raw_open("closed/inner", O_RDONLY, 0));
	tree_tell_changes(scene);
}

static void run_dropped(struct scene *scene)
{
	const gid_t groups[] = {4242};

	if (geteuid() == 0) {
		prepare(scene, !chmod(".", 0777) && !chown("forbidden", 0, 4242) &&
				       !chmod("forbidden", 0040));
		prepare(scene, !setgroups(1, groups) && !setresgid(12346, 12346, 12346) &&
				       !setresuid(12345, 12345, 12345));
	}
	tell_fd(scene, raw_open("new", O_RDWR | O_CREAT, 0666));
	tell(scene, " by group ");
	tell_fd(scene, raw_open("forbidden", O_RDONLY, 0));
	tell(scene, " readonly ");
	tell_result(scene, raw_open("readonly", O_RDWR, 0));
	tell(scene, " writeonly ");
	tell_result(scene, raw_open("writeonly", O_RDONLY, 0));
	tell(scene, " noatime ");
	tell_result(scene, raw_open("regular", O_RDONLY | O_NOATIME, 0));
	tell(scene, " shadow ");
	tell_result(scene, raw_open("/etc/shadow", O_RDONLY, 0));
	tree_tell_changes(scene);
}

/* The effective id goes and comes back. */
static void run_seteuid(struct scene *scene)
{
	if (geteuid() == 0) {
		prepare(scene, !seteuid(12345));
	}
	tell_result(scene, raw_open("forbidden", O_RDONLY, 0));
	if (getuid() == 0) {
		prepare(scene, !seteuid(0));
	}
	tell(scene, " back ");
	tell_result(scene, raw_open("forbidden", O_RDONLY, 0));
}

/* Others' files in a sticky directory (fs.protected_regular), and files of the system. */
static void run_protected(struct scene *scene)
{
	prepare(scene, !chmod("sticky", 01777));
	prepare(scene, raw_open("sticky/own", O_RDWR | O_CREAT | O_EXCL, 0666) >= 0);
	if (geteuid() == 0) {
		prepare(scene, !chown("sticky", 7, 7) && !chown("sticky/own", 8, 8));
	}
	tell_result(scene, raw_open("sticky/own", O_RDWR | O_CREAT, 0666));
	tell(scene, " without O_CREAT ");
	tell_result(scene, raw_open("sticky/own", O_RDWR, 0));
	tell(scene, " passwd O_NOATIME ");
	tell_result(scene, raw_open("/etc/passwd", O_RDONLY | O_NOATIME, 0));
	tell(scene, " shadow ");
	tell_result(scene, raw_open("/etc/shadow", O_RDONLY, 0));
	tell(scene, " new in /proc ");
	tell_result(scene, raw_open("/proc/new", O_RDWR | O_CREAT, 0666));
}

void cases_mode(struct runner *runner)
{
	static const int setuid_flags[] = {O_WRONLY, O_WRONLY | O_TRUNC, O_RDWR | O_APPEND};

	cross_modes(runner);
	cross_acls(runner);
	for (size_t i = 0; i < array_length(setuid_flags); i++) {
		runner_case(runner, run_setuid_bits, &setuid_flags[i], "setuid/%o",
			(unsigned int)setuid_flags[i]);
	}
	runner_case(runner, run_foreign_group, NULL, "owner/foreign-group");
	runner_case(runner, run_fsuid, NULL, "owner/fsuid");
	runner_case(runner, run_dropped, NULL, "owner/dropped");
	runner_case(runner, run_seteuid, NULL, "owner/seteuid");
	runner_case(runner, run_protected, NULL, "owner/protected");
}

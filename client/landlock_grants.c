/* SPDX-License-Identifier: Apache-2.0 */
#include "client/landlock_grants.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client/landlock_reading.h"
#include "client/procfs_mounts.h"
#include "daemon/base/cleanup.h"
#include "daemon/base/mount_table.h"
#include "daemon/base/path_text.h"
#include "usher/wire.h"

/* One string, taken apart. */
struct grant {
	unsigned int operations;
	bool is_tree;
	char path[PATH_MAX]; /* without the slash at its end, but for the root's */
};

struct visit {
	landlock_allow *allow;
	void *user;
	struct mount_table mounts;
	struct procfs_mounts procfs;
	char *reason;
};

__attribute__((format(printf, 2, 3))) static int unsuited(
	struct visit *visit, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(visit->reason, LANDLOCK_REASON_MAX, format, arguments);
	va_end(arguments);
	return LANDLOCK_UNSUITED;
}

static int read_grant(struct grant *grant, const char *text)
{
	size_t letters = strspn(text, WIRE_GRANT_LETTERS);
	const char *path = text + letters;
	size_t length = strlen(path);

	if (letters == 0 || *path != '/' || length >= sizeof(grant->path)) {
		return -EPROTO;
	}
	grant->operations = 0;
	for (size_t i = 0; i < letters; i++) {
		grant->operations |= 1u
				     << (strchr(WIRE_GRANT_LETTERS, text[i]) - WIRE_GRANT_LETTERS);
	}
	grant->is_tree = path[length - 1] == '/';
	memcpy(grant->path, path, length + 1);
	if (grant->is_tree && length > 1) {
		grant->path[length - 1] = '\0';
	}
	return 0;
}

/* Is the object, called `path` here, also to be found by way of another mount? */
static int look_for_other_mounts(struct visit *visit, int fd, const char *path)
{
	const struct mount_table *table = &visit->mounts;
	char inner[PATH_MAX * 2];
	struct statx st;
	const struct mount *own = statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) == 0
					  ? mount_table_find(table, st.stx_mnt_id)
					  : NULL;
	const char *rest = own ? name_rest(path, own->point) : NULL;

	if (!rest || name_join(inner, sizeof(inner), own->root, rest) < 0) {
		return unsuited(visit, "%s lies in a mount that is not known", path);
	}
	for (size_t i = 0; i < table->count; i++) {
		const struct mount *other = &table->mounts[i];

		if (other != own && other->device == own->device && name_rest(inner, other->root)) {
			return unsuited(visit, "%s is also to be found by the mount at %s", path,
				other->point);
		}
	}
	return LANDLOCK_SUITS;
}

static int look_for_procfs(struct visit *visit, const struct grant *grant)
{
	const char *point = procfs_mounts_near(&visit->procfs, grant->path);

	if (point && name_rest(grant->path, point)) {
		return unsuited(visit, "%s lies in a procfs", grant->path);
	}
	return point && grant->is_tree
		       ? unsuited(visit, "%s has a procfs in it, %s", grant->path, point)
		       : LANDLOCK_SUITS;
}

static int look_at_kind(struct visit *visit, const struct grant *grant, const struct stat *st)
{
	if (S_ISDIR(st->st_mode) != grant->is_tree) {
		return unsuited(visit, "%s is %s", grant->path,
			grant->is_tree ? "no directory" : "a directory");
	}
	if (!grant->is_tree && st->st_nlink != 1) {
		return unsuited(visit, "%s is a file that has other names, too", grant->path);
	}
	return LANDLOCK_SUITS;
}

static int visit_grant(struct visit *visit, const struct grant *grant)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
	cleanup_fd int fd = (int)syscall(SYS_openat2, AT_FDCWD, grant->path, &how, sizeof(how));
	struct stat st;

	if (fd < 0 && errno == ELOOP) {
		return LANDLOCK_SUITS;
	}
	if (fd < 0 || fstat(fd, &st) < 0) {
		return unsuited(visit,
			errno == ENOENT ? "%s: %s, and Landlock knows only what is there"
					: "%s cannot be looked at: %s",
			grant->path, strerror(errno));
	}
	int result = look_at_kind(visit, grant, &st);
	if (result == LANDLOCK_SUITS) {
		result = look_for_procfs(visit, grant);
	}
	if (result == LANDLOCK_SUITS) {
		result = look_for_other_mounts(visit, fd, grant->path);
	}
	if (result == LANDLOCK_SUITS && visit->allow) {
		result = visit->allow(fd, grant->is_tree, grant->operations, visit->user);
	}
	return result;
}

/* Those about single operations, up to the rules about reading, where they are left off. */
static int visit_grants(
	struct visit *visit, const struct string_pack *grants, struct string_pack *rest)
{
	int result = LANDLOCK_SUITS;

	*rest = *grants;
	while (rest->count > 0 && result == LANDLOCK_SUITS && rest->size > 0 &&
		!strchr(WIRE_READING_SIGNS, rest->text[0])) {
		struct grant grant;
		size_t size = strlen(rest->text) + 1;

		result = read_grant(&grant, rest->text);
		if (result == 0) {
			result = visit_grant(visit, &grant);
		}
		*rest = (struct string_pack){rest->text + size, rest->size - size, rest->count - 1};
	}
	return result == LANDLOCK_SUITS && rest->count > 0 && rest->size == 0 ? -EPROTO : result;
}

static int visit_reading(
	struct visit *visit, const struct string_pack *rules, bool *shows_processes)
{
	struct landlock_reading reading = {.procfs = &visit->procfs,
		.allow = visit->allow,
		.user = visit->user,
		.reason = visit->reason};
	int result = rules->count > 0 ? landlock_reading_visit(&reading, rules) : LANDLOCK_SUITS;

	*shows_processes = reading.shows_processes;
	return result;
}

int landlock_grants_visit(const struct string_pack *grants, landlock_allow *allow, void *user,
	bool *shows_processes, char reason[LANDLOCK_REASON_MAX])
{
	struct visit visit = {.allow = allow, .user = user, .reason = reason};
	struct string_pack reading;
	int result = mount_table_read_of(&visit.mounts, getpid());

	*shows_processes = false;
	if (result < 0) {
		return unsuited(&visit, "the mounts cannot be read: %s", strerror(-result));
	}
	result = procfs_mounts_find(&visit.procfs, &visit.mounts);
	if (result == 0) {
		result = visit_grants(&visit, grants, &reading);
	}
	if (result == LANDLOCK_SUITS) {
		result = visit_reading(&visit, &reading, shows_processes);
	}
	procfs_mounts_finish(&visit.procfs);
	mount_table_finish(&visit.mounts);
	return result;
}

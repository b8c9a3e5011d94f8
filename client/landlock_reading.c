/* SPDX-License-Identifier: Apache-2.0 */
#include "client/landlock_reading.h"

#include <dirent.h>
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

#include "client/landlock_walk.h"
#include "client/procfs_mounts.h"
#include "daemon/base/cleanup.h"
#include "daemon/policy/pattern.h"
#include "daemon/policy/policy.h"
#include "usher/wire.h"

#define MADE_MODE 0700

struct visit {
	struct landlock_reading *reading;
	struct landlock_rule_list rules;
};

__attribute__((format(printf, 2, 3))) static int unsuited(
	const struct visit *visit, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(visit->reading->reason, LANDLOCK_REASON_MAX, format, arguments);
	va_end(arguments);
	return LANDLOCK_UNSUITED;
}

/* ---- what must not be there ---- */

/* Is it another's, and closed to this user by its mode? Then the kernel denies it as well. */
static bool is_closed(const char *path, const struct stat *st)
{
	if (st->st_uid == geteuid() ||
		faccessat(AT_FDCWD, path, R_OK, AT_EACCESS | AT_SYMLINK_NOFOLLOW) == 0) {
		return false;
	}
	return !S_ISDIR(st->st_mode) ||
	       faccessat(AT_FDCWD, path, X_OK, AT_EACCESS | AT_SYMLINK_NOFOLLOW) < 0;
}

/* Who has closed a directory of his own can open it again, while the program runs. */
static int look_failed(const struct visit *visit, const char *path)
{
	return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
		       ? LANDLOCK_SUITS
		       : unsuited(visit, "%s cannot be looked at: %s", path, strerror(errno));
}

static int look_below(
	struct visit *visit, const struct landlock_rule *rule, char *path, const struct stat *st);

/* A name that the rule is about is there. */
static int judge(struct visit *visit, const struct landlock_rule *rule, const char *path,
	const struct stat *st)
{
	bool decides = landlock_rule_list_find(&visit->rules, path, strlen(path)) == rule;

	return decides && !is_closed(path, st)
		       ? unsuited(visit, "%s is there, which only the broker can deny so", path)
		       : LANDLOCK_SUITS;
}

/*
 * At a name, and at all below it if the rule may lead there. Of a directory as large as /tmp most
 * names have nothing to do with the rule; whether these are there is not even asked.
 */
static int look_at(struct visit *visit, const struct landlock_rule *rule, char *path)
{
	size_t length = strlen(path);
	bool is_meant = pattern_matches(rule->pattern, path, length);
	struct stat st;

	if (!is_meant && pattern_reach_below(rule->pattern, path, length) == PATTERN_NOTHING) {
		return LANDLOCK_SUITS;
	}
	if (lstat(path, &st) < 0) {
		return look_failed(visit, path);
	}
	if (S_ISLNK(st.st_mode)) {
		return LANDLOCK_SUITS;
	}
	if (is_meant) {
		return judge(visit, rule, path, &st);
	}
	return S_ISDIR(st.st_mode) ? look_below(visit, rule, path, &st) : LANDLOCK_SUITS;
}

static int look_at_entry(
	struct visit *visit, const struct landlock_rule *rule, char *path, const char *name)
{
	size_t length = strlen(path), end = length > 1 ? length : 0;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		end + 1 + strlen(name) >= PATH_MAX) {
		return LANDLOCK_SUITS;
	}
	path[end] = '/';
	strcpy(path + end + 1, name);
	int result = look_at(visit, rule, path);
	path[length] = '\0';
	return result;
}

static int look_below(
	struct visit *visit, const struct landlock_rule *rule, char *path, const struct stat *st)
{
	DIR *stream = opendir(path);
	const struct dirent *entry;
	int result = LANDLOCK_SUITS;

	if (!stream) {
		return is_closed(path, st) ? LANDLOCK_SUITS : look_failed(visit, path);
	}
	while (result == LANDLOCK_SUITS && (entry = readdir(stream))) {
		result = look_at_entry(visit, rule, path, entry->d_name);
	}
	closedir(stream);
	return result;
}

/* At the rule's literal beginning; what a link leads to has another name. */
static int look_from(struct visit *visit, const struct landlock_rule *rule, char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
	cleanup_fd int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	return fd >= 0 ? look_at(visit, rule, path) : look_failed(visit, path);
}

static int look_for_absent(struct visit *visit)
{
	int result = LANDLOCK_SUITS;

	for (size_t i = 0; i < visit->rules.count && result == LANDLOCK_SUITS; i++) {
		const struct landlock_rule *rule = &visit->rules.rules[i];
		char path[PATH_MAX] = "/";
		size_t length;
		const char *beginning = pattern_prefix(rule->pattern, &length);

		if (rule->sign != WIRE_READING_ABSENT && rule->sign != WIRE_READING_ABSENT_DENY) {
			continue;
		}
		if (length >= sizeof(path)) {
			continue; /* no name is as long */
		}
		if (length > 0) {
			memcpy(path, beginning, length);
			path[length] = '\0';
		}
		result = look_from(visit, rule, path);
	}
	return result;
}

/* ---- what is granted ---- */

/* What cannot be made here the program could not make either. */
static void make_directories(const struct visit *visit)
{
	for (size_t i = 0; i < visit->rules.count; i++) {
		const struct landlock_rule *rule = &visit->rules.rules[i];
		char path[PATH_MAX];
		size_t length;
		const char *beginning = pattern_prefix(rule->pattern, &length);

		if (rule->sign == WIRE_READING_MAKE && length < sizeof(path)) {
			memcpy(path, beginning, length);
			path[length] = '\0';
			(void)mkdir(path, MADE_MODE);
		}
	}
}

static int grant(int fd, const char *path, bool is_directory, void *user)
{
	struct visit *visit = user;
	const char *procfs = is_directory ? procfs_mounts_near(visit->reading->procfs, path) : NULL;

	if (procfs && strcmp(path, "/proc") != 0) {
		return unsuited(visit, "%s has a procfs in it, %s", path, procfs);
	}
	visit->reading->shows_processes |= procfs != NULL;
	return visit->reading->allow ? visit->reading->allow(fd, is_directory, OPERATION_READ,
					       visit->reading->user)
				     : 0;
}

static int visit_rules(struct visit *visit)
{
	int result = look_for_absent(visit);

	if (result != LANDLOCK_SUITS) {
		return result;
	}
	if (visit->reading->allow) {
		make_directories(visit);
	}
	return landlock_walk(&visit->rules, LANDLOCK_WALK_READING, grant, visit);
}

int landlock_reading_visit(struct landlock_reading *reading, const struct string_pack *rules)
{
	struct visit visit = {.reading = reading};
	int result = landlock_rule_list_read(&visit.rules, rules, WIRE_READING_SIGNS);

	reading->shows_processes = false;
	if (result == 0) {
		result = visit_rules(&visit);
		landlock_rule_list_finish(&visit.rules);
	}
	return result;
}

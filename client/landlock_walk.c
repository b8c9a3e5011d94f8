/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A walk over the tree of names from the root, no further than the rules tell names apart. At each
 * name one rule about all below covers it; if an earlier one, of the other kind, leads strictly
 * below, the directory is taken apart: into its entries where it is allowed, into those that rules
 * lead to where it is denied.
 */
#include "client/landlock_walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/pattern.h"
#include "usher/wire.h"

struct rule {
	const struct pattern *pattern;
	const char *beginning; /* literal */
	size_t beginning_length;
	bool allows;
};

struct walk {
	const struct rule *rules; /* that may be about the name, in their order */
	size_t count;
	struct rule *room; /* for those about an entry of the directory that is taken apart */
	enum landlock_walk_for purpose;
	landlock_grant *grant;
	void *user;
	size_t length;       /* of the name that is looked at */
	char path[PATH_MAX]; /* and it itself */
};

/*
 * Is one the beginning of the other? Most rules are about something else altogether, and of those
 * about the same directory the ends differ.
 */
static bool is_near(const struct walk *walk, const struct rule *rule)
{
	size_t length =
		walk->length < rule->beginning_length ? walk->length : rule->beginning_length;

	return length == 0 || (walk->path[length - 1] == rule->beginning[length - 1] &&
				      memcmp(walk->path, rule->beginning, length) == 0);
}

static enum pattern_reach reach_below(const struct walk *walk, const struct rule *rule)
{
	return is_near(walk, rule) ? pattern_reach_below(rule->pattern, walk->path, walk->length)
				   : PATTERN_NOTHING;
}

static bool matches(const struct walk *walk, const struct rule *rule)
{
	return is_near(walk, rule) && pattern_matches(rule->pattern, walk->path, walk->length);
}

/* The first rule about all below the name, and the name itself; `count` if there is none. */
static size_t find_cover(const struct walk *walk)
{
	size_t i = 0;

	while (i < walk->count && (reach_below(walk, &walk->rules[i]) != PATTERN_EVERYTHING ||
					  !matches(walk, &walk->rules[i]))) {
		i++;
	}
	return i;
}

/* What no rule is about is denied. */
static bool is_allowed_by(const struct walk *walk, size_t index)
{
	return index < walk->count && walk->rules[index].allows;
}

/* Whether something below, or the listing of it, is answered otherwise than by the cover. */
static bool is_mixed(const struct walk *walk, size_t cover)
{
	bool allows = is_allowed_by(walk, cover);

	for (size_t i = 0; i < cover; i++) {
		const struct rule *rule = &walk->rules[i];

		if (rule->allows != allows && (reach_below(walk, rule) != PATTERN_NOTHING ||
						      (walk->purpose == LANDLOCK_WALK_READING &&
							      allows && matches(walk, rule)))) {
			return true;
		}
	}
	return false;
}

static bool allows_file(const struct walk *walk)
{
	size_t i = 0;

	while (i < walk->count && !matches(walk, &walk->rules[i])) {
		i++;
	}
	return is_allowed_by(walk, i);
}

static int walk_name(struct walk *walk, int directory);

/* By the rules that are near the name: those that are not are near nothing below it either. */
static int walk_near(struct walk *walk, int directory)
{
	const struct rule *all = walk->rules;
	size_t count = walk->count, near = 0;

	for (size_t i = 0; i < count; i++) {
		if (is_near(walk, &all[i])) {
			walk->room[near++] = all[i];
		}
	}
	walk->rules = walk->room;
	walk->count = near;
	int result = walk_name(walk, directory);
	walk->rules = all;
	walk->count = count;
	return result;
}

/* Goes down to an entry of the directory at walk->path. */
static int walk_entry(struct walk *walk, int directory, const char *name, size_t name_length)
{
	size_t length = walk->length, end = length > 1 ? length : 0;

	if (end + 1 + name_length >= sizeof(walk->path)) {
		return 0;
	}
	walk->path[end] = '/';
	memcpy(walk->path + end + 1, name, name_length);
	walk->length = end + 1 + name_length;
	walk->path[walk->length] = '\0';
	int result = walk_near(walk, directory);
	walk->length = length;
	walk->path[length] = '\0';
	return result;
}

/* A link is granted for no purpose, and need not be opened to know it. */
static bool is_passed_over(const struct dirent *entry)
{
	return entry->d_type == DT_LNK || strcmp(entry->d_name, ".") == 0 ||
	       strcmp(entry->d_name, "..") == 0;
}

static int walk_all_entries(struct walk *walk, int directory)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int result = 0;

	if (!stream) {
		close_fd(&fd);
		return 0;
	}
	while (result == 0 && (entry = readdir(stream))) {
		if (!is_passed_over(entry)) {
			result = walk_entry(walk, directory, entry->d_name, strlen(entry->d_name));
		}
	}
	closedir(stream);
	return result;
}

/* Of a rule that leads below: the next component, if it is literal; else NULL. */
static const char *next_name(const struct walk *walk, const struct rule *rule, size_t *name_lengthp)
{
	size_t end = walk->length > 1 ? walk->length : 0;

	if (rule->beginning_length <= end + 1) {
		return NULL;
	}
	const char *name = rule->beginning + end + 1;
	size_t rest = rule->beginning_length - end - 1;
	const char *slash = memchr(name, '/', rest);

	*name_lengthp = slash ? (size_t)(slash - name) : rest;
	return name;
}

static bool leads_below(const struct walk *walk, const struct rule *rule)
{
	return rule->allows && reach_below(walk, rule) != PATTERN_NOTHING;
}

/* Whether a rule before this one leads to the same entry. */
static bool is_repeated(const struct walk *walk, size_t index, const char *name, size_t name_length)
{
	for (size_t i = 0; i < index; i++) {
		size_t other_length;
		const char *other = leads_below(walk, &walk->rules[i])
					    ? next_name(walk, &walk->rules[i], &other_length)
					    : NULL;

		if (other && other_length == name_length && !memcmp(other, name, name_length)) {
			return true;
		}
	}
	return false;
}

static bool leads_to_any(const struct walk *walk, size_t cover)
{
	size_t length;

	for (size_t i = 0; i < cover; i++) {
		if (leads_below(walk, &walk->rules[i]) &&
			!next_name(walk, &walk->rules[i], &length)) {
			return true;
		}
	}
	return false;
}

static int walk_named_entries(struct walk *walk, int directory, size_t cover)
{
	int result = 0;

	for (size_t i = 0; i < cover && result == 0; i++) {
		size_t name_length;
		const char *name = leads_below(walk, &walk->rules[i])
					   ? next_name(walk, &walk->rules[i], &name_length)
					   : NULL;

		if (name && !is_repeated(walk, i, name, name_length)) {
			result = walk_entry(walk, directory, name, name_length);
		}
	}
	return result;
}

static int walk_entries(struct walk *walk, int fd)
{
	size_t cover = find_cover(walk);

	return is_allowed_by(walk, cover) || leads_to_any(walk, cover)
		       ? walk_all_entries(walk, fd)
		       : walk_named_entries(walk, fd, cover);
}

static int take_apart(struct walk *walk, int fd)
{
	struct rule *outer = walk->room;
	cleanup_free struct rule *room = reallocarray(NULL, walk->count + 1, sizeof(*room));

	if (!room) {
		return -ENOMEM;
	}
	walk->room = room;
	int result = walk_entries(walk, fd);
	walk->room = outer;
	return result;
}

static int walk_directory(struct walk *walk, int fd)
{
	size_t cover = find_cover(walk);

	if (is_mixed(walk, cover)) {
		return take_apart(walk, fd);
	}
	return is_allowed_by(walk, cover) ? walk->grant(fd, walk->path, true, walk->user) : 0;
}

static bool is_wanted(const struct walk *walk, const struct stat *st)
{
	return S_ISREG(st->st_mode) ||
	       (walk->purpose == LANDLOCK_WALK_READING && !S_ISLNK(st->st_mode));
}

/* The name is walk->path's last component, in `directory`. */
static int walk_name(struct walk *walk, int directory)
{
	const char *name = walk->length > 1 ? strrchr(walk->path, '/') + 1 : "/";
	cleanup_fd int fd = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		return 0;
	}
	if (S_ISDIR(st.st_mode)) {
		return walk_directory(walk, fd);
	}
	return is_wanted(walk, &st) && allows_file(walk)
		       ? walk->grant(fd, walk->path, false, walk->user)
		       : 0;
}

static void take_rules(struct walk *walk, struct rule *list, const struct landlock_rule_list *rules)
{
	walk->rules = list;
	for (size_t i = 0; i < rules->count; i++) {
		const struct landlock_rule *from = &rules->rules[i];
		struct rule *rule = &list[walk->count];

		*rule = (struct rule){.pattern = from->pattern,
			.allows = from->sign == WIRE_READING_ALLOW ||
				  from->sign == WIRE_READING_MAKE};
		rule->beginning = pattern_prefix(from->pattern, &rule->beginning_length);
		walk->count += from->sign != WIRE_READING_ABSENT;
	}
}

int landlock_walk(const struct landlock_rule_list *rules, enum landlock_walk_for purpose,
	landlock_grant *grant, void *user)
{
	cleanup_free struct walk *walk = calloc(1, sizeof(*walk));
	cleanup_free struct rule *list = calloc(rules->count + 1, sizeof(*list));

	if (!walk || !list) {
		return -ENOMEM;
	}
	walk->purpose = purpose;
	walk->grant = grant;
	walk->user = user;
	walk->length = 1;
	walk->path[0] = '/';
	take_rules(walk, list, rules);
	return walk_name(walk, AT_FDCWD);
}

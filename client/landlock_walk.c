/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A walk over the tree of names from the root, no further than the rules tell names apart. At each
 * name one rule about a whole directory covers it; if an earlier one, of the other kind, lies
 * strictly below, the directory is taken apart: into its entries where it is allowed, into those
 * that rules lead to where it is denied.
 */
#include "client/landlock_walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"

struct rule {
	const char *path; /* not ended; of the root empty */
	size_t length;
	bool allows, is_tree;
};

struct walk {
	struct rule *rules;
	size_t count;
	landlock_grant *grant;
	void *user;
	char path[PATH_MAX]; /* of the name that is looked at; of the root empty */
};

static int read_rule(struct rule *rule, const char *text)
{
	size_t length = strlen(text);

	if (length < 2 || (text[0] != '+' && text[0] != '-') || text[1] != '/') {
		return -EPROTO;
	}
	rule->allows = text[0] == '+';
	rule->is_tree = text[length - 1] == '/';
	rule->path = text + 1;
	rule->length = length - 1 - rule->is_tree;
	return 0;
}

/* The strings' NULs are counted by wire_check. The last rule is about everything. */
static int read_rules(struct walk *walk, const struct string_pack *rules)
{
	const char *text = rules->text, *end = rules->text + rules->size;

	for (size_t i = 0; i < walk->count; i++) {
		if (text >= end || read_rule(&walk->rules[i], text) < 0) {
			return -EPROTO;
		}
		text += strlen(text) + 1;
	}
	const struct rule *last = &walk->rules[walk->count - 1];
	return text == end && last->is_tree && last->length == 0 ? 0 : -EPROTO;
}

static bool is_at_or_below(const char *path, size_t length, const char *above, size_t above_length)
{
	return length >= above_length && memcmp(path, above, above_length) == 0 &&
	       (length == above_length || path[above_length] == '/');
}

/* The first rule about a whole directory in which the path is. */
static size_t find_cover(const struct walk *walk, size_t length)
{
	size_t i = 0;

	while (!walk->rules[i].is_tree ||
		!is_at_or_below(walk->path, length, walk->rules[i].path, walk->rules[i].length)) {
		i++;
	}
	return i;
}

static bool lies_below(const struct walk *walk, const struct rule *rule, size_t length)
{
	return rule->length > length &&
	       is_at_or_below(rule->path, rule->length, walk->path, length);
}

/* Whether something below is answered otherwise than by the cover. */
static bool is_mixed(const struct walk *walk, size_t cover, size_t length)
{
	for (size_t i = 0; i < cover; i++) {
		if (walk->rules[i].allows != walk->rules[cover].allows &&
			lies_below(walk, &walk->rules[i], length)) {
			return true;
		}
	}
	return false;
}

static bool allows_file(const struct walk *walk, size_t cover, size_t length)
{
	for (size_t i = 0; i < cover; i++) {
		const struct rule *rule = &walk->rules[i];

		if (!rule->is_tree && rule->length == length &&
			memcmp(rule->path, walk->path, length) == 0) {
			return rule->allows;
		}
	}
	return walk->rules[cover].allows;
}

static int walk_name(struct walk *walk, int directory, size_t length);

/* Goes down to an entry of the directory at walk->path, `length` long. */
static int walk_entry(
	struct walk *walk, int directory, size_t length, const char *name, size_t name_length)
{
	int error;

	if (length + 1 + name_length >= sizeof(walk->path)) {
		return 0;
	}
	walk->path[length] = '/';
	memcpy(walk->path + length + 1, name, name_length);
	walk->path[length + 1 + name_length] = '\0';
	error = walk_name(walk, directory, length + 1 + name_length);
	walk->path[length] = '\0';
	return error;
}

static int walk_all_entries(struct walk *walk, int directory, size_t length)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int error = 0;

	if (!stream) {
		close_fd(&fd);
		return 0;
	}
	while (error == 0 && (entry = readdir(stream))) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
			error = walk_entry(
				walk, directory, length, entry->d_name, strlen(entry->d_name));
		}
	}
	closedir(stream);
	return error;
}

/* The next component of a rule below the path. */
static const char *next_name(const struct rule *rule, size_t length, size_t *name_lengthp)
{
	const char *name = rule->path + length + 1;
	const char *slash = memchr(name, '/', rule->length - length - 1);

	*name_lengthp = slash ? (size_t)(slash - name) : rule->length - length - 1;
	return name;
}

/* Whether a rule before this one leads to the same entry. */
static bool is_repeated(
	const struct walk *walk, size_t index, size_t length, const char *name, size_t name_length)
{
	for (size_t i = 0; i < index; i++) {
		const struct rule *rule = &walk->rules[i];
		size_t other_length;
		const char *other;

		if (!rule->allows || !lies_below(walk, rule, length)) {
			continue;
		}
		other = next_name(rule, length, &other_length);
		if (other_length == name_length && !memcmp(other, name, name_length)) {
			return true;
		}
	}
	return false;
}

static int walk_named_entries(struct walk *walk, int directory, size_t cover, size_t length)
{
	int error = 0;

	for (size_t i = 0; i < cover && error == 0; i++) {
		const struct rule *rule = &walk->rules[i];
		size_t name_length;
		const char *name;

		if (!rule->allows || !lies_below(walk, rule, length)) {
			continue;
		}
		name = next_name(rule, length, &name_length);
		if (!is_repeated(walk, i, length, name, name_length)) {
			error = walk_entry(walk, directory, length, name, name_length);
		}
	}
	return error;
}

/* The name is walk->path's last component, in `directory`. */
static int walk_name(struct walk *walk, int directory, size_t length)
{
	size_t cover = find_cover(walk, length);
	const char *name = length > 0 ? strrchr(walk->path, '/') + 1 : "/";
	cleanup_fd int fd = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		return 0;
	}
	if (S_ISREG(st.st_mode)) {
		return allows_file(walk, cover, length) ? walk->grant(fd, walk->user) : 0;
	}
	if (!S_ISDIR(st.st_mode)) {
		return 0;
	}
	if (!is_mixed(walk, cover, length)) {
		return walk->rules[cover].allows ? walk->grant(fd, walk->user) : 0;
	}
	return walk->rules[cover].allows ? walk_all_entries(walk, fd, length)
					 : walk_named_entries(walk, fd, cover, length);
}

int landlock_walk(const struct string_pack *rules, landlock_grant *grant, void *user)
{
	cleanup_free struct walk *walk = calloc(1, sizeof(*walk));
	cleanup_free struct rule *list = calloc(rules->count + 1, sizeof(*list));
	int error;

	if (!walk || !list) {
		return -ENOMEM;
	}
	if (rules->count == 0) {
		return -EPROTO;
	}
	walk->rules = list;
	walk->count = rules->count;
	walk->grant = grant;
	walk->user = user;
	error = read_rules(walk, rules);
	return error < 0 ? error : walk_name(walk, AT_FDCWD, 0);
}

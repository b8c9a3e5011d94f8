/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/base/mount_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"

#define FIRST_ROOM 8192u
#define ROOM_MAX   (64u << 20) /* a hundred thousand mounts, as many as the kernel has by default */

/* All of the file, with a NUL behind it. */
static int read_all(int fd, char **textp)
{
	size_t room = FIRST_ROOM, used = 0;
	cleanup_free char *text = malloc(room);

	while (text) {
		ssize_t got = pread(fd, text + used, room - used - 1, (off_t)used);
		if (got < 0) {
			return -EIO;
		}
		if (got == 0) {
			text[used] = '\0';
			*textp = steal_pointer(&text);
			return 0;
		}
		used += (size_t)got;
		if (used + 1 == room) {
			char *more = room < ROOM_MAX ? realloc(text, room * 2) : NULL;
			if (!more) {
				break;
			}
			text = more;
			room *= 2;
		}
	}
	return -ENOMEM;
}

static bool is_octal(const char *text)
{
	for (int i = 0; i < 3; i++) {
		if (text[i] < '0' || text[i] > '7') {
			return false;
		}
	}
	return true;
}

/* Blanks in names are written as "\040" (mangle_path() of the kernel). */
static void unescape(char *name)
{
	char *out = name;

	for (const char *in = name; *in; out++) {
		if (*in == '\\' && is_octal(in + 1)) {
			*out = (char)((in[1] - '0') << 6 | (in[2] - '0') << 3 | (in[3] - '0'));
			in += 4;
		} else {
			*out = *in++;
		}
	}
	*out = '\0';
}

/* The number behind `tag`, if the word begins with that. */
static void read_tag(unsigned int *number, const char *word, const char *tag)
{
	size_t length = strlen(tag);

	if (strncmp(word, tag, length) == 0) {
		*number = (unsigned int)strtoul(word + length, NULL, 10);
	}
}

/* "ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [shared:N] [master:N] ... - TYPE SOURCE OPTIONS" */
static int parse_line(struct mount *mount, char *line)
{
	enum { ID, PARENT, MAJOR, MINOR, NUMBERS };
	static const char ends[NUMBERS] = {' ', ' ', ':', ' '};
	unsigned long numbers[NUMBERS];
	char *rest = line, *root, *point;

	for (unsigned int i = 0; i < NUMBERS; i++) {
		char *begin = rest;

		numbers[i] = strtoul(begin, &rest, 10);
		if (rest == begin || *rest++ != ends[i]) {
			return -EPROTO;
		}
	}
	root = strsep(&rest, " ");
	point = strsep(&rest, " ");
	if (!root || !point || !rest) {
		return -EPROTO;
	}
	*mount = (struct mount){.id = numbers[ID],
		.device = makedev((unsigned int)numbers[MAJOR], (unsigned int)numbers[MINOR]),
		.root = root,
		.point = point};
	unescape(root);
	unescape(point);
	for (char *word = strsep(&rest, " "); word && strcmp(word, "-") != 0;
		word = strsep(&rest, " ")) {
		read_tag(&mount->peers, word, "shared:");
		read_tag(&mount->master, word, "master:");
	}
	mount->type = strsep(&rest, " ");
	return mount->type ? 0 : -EPROTO;
}

static size_t count_lines(const char *text)
{
	size_t count = 0;

	for (const char *at = strchr(text, '\n'); at; at = strchr(at + 1, '\n')) {
		count++;
	}
	return count;
}

int mount_table_read(struct mount_table *table, int fd)
{
	*table = (struct mount_table){0};
	int error = read_all(fd, &table->text);

	if (error < 0) {
		return error;
	}
	size_t count = count_lines(table->text);
	table->mounts = calloc(count + 1, sizeof(*table->mounts));
	error = table->mounts ? 0 : -ENOMEM;
	char *rest = table->text;
	while (error == 0 && table->count < count) {
		error = parse_line(&table->mounts[table->count++], strsep(&rest, "\n"));
	}
	if (error < 0) {
		mount_table_finish(table);
	}
	return error;
}

static int read_at(struct mount_table *table, int directory, const char *path)
{
	*table = (struct mount_table){0};
	cleanup_fd int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : mount_table_read(table, fd);
}

int mount_table_read_of(struct mount_table *table, pid_t tid)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/mountinfo", tid);
	return read_at(table, AT_FDCWD, path);
}

int mount_table_read_of_process(struct mount_table *table, int process)
{
	return read_at(table, process, "mountinfo");
}

void mount_table_finish(struct mount_table *table)
{
	free(table->text);
	free(table->mounts);
	*table = (struct mount_table){0};
}

const struct mount *mount_table_find(const struct mount_table *table, uint64_t id)
{
	for (size_t i = 0; i < table->count; i++) {
		if (table->mounts[i].id == id) {
			return &table->mounts[i];
		}
	}
	return NULL;
}

bool mount_table_propagates_to(const struct mount_table *table, const struct mount_table *other)
{
	for (size_t i = 0; i < table->count; i++) {
		unsigned int peers = table->mounts[i].peers;
		for (size_t k = 0; peers && k < other->count; k++) {
			if (other->mounts[k].peers == peers || other->mounts[k].master == peers) {
				return true;
			}
		}
	}
	return false;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/procfs_descriptor.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/assume.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/procfs_number.h"
#include "daemon/broker/request.h"
#include "daemon/broker/target.h"
#include "daemon/broker/target_fd.h"

/* "/PID/fd/N" or "/PID/task/TID/fd/N", of which PID may be "self". */
struct entry {
	char owner[16]; /* the last of those before "fd" */
	bool is_thread;
	int number;
};

/* The last component of the first `*length` bytes, which become those before it. */
static const char *cut_last(const char *path, size_t *length, size_t *size)
{
	size_t end = *length;

	while (*length > 0 && path[*length - 1] != '/') {
		(*length)--;
	}
	const char *last = path + *length;
	*size = end - *length;
	*length -= *length > 0;
	return last;
}

static bool is_word(const char *text, size_t size, const char *word)
{
	return strlen(word) == size && memcmp(text, word, size) == 0;
}

static bool read_entry(struct entry *entry, const char *path)
{
	size_t length = strlen(path), size;
	const char *number = cut_last(path, &length, &size);
	const char *word;

	if (!isdigit((unsigned char)number[0])) {
		return false;
	}
	entry->number = (int)strtol(number, NULL, 10);
	word = cut_last(path, &length, &size);
	if (!is_word(word, size, "fd")) {
		return false;
	}
	word = cut_last(path, &length, &size);
	if (size == 0 || size >= sizeof(entry->owner)) {
		return false;
	}
	memcpy(entry->owner, word, size);
	entry->owner[size] = '\0';
	word = cut_last(path, &length, &size);
	entry->is_thread = is_word(word, size, "task");
	return true;
}

bool procfs_descriptor_is_nameless(const struct broker *broker, const char *path, int object)
{
	char link[32], first;
	struct entry entry;
	struct stat st;

	if (!read_entry(&entry, path)) {
		return false;
	}
	/* A directory is empty once it has no name. */
	(void)snprintf(link, sizeof(link), "%d", object);
	return fstat(object, &st) < 0 || (st.st_nlink == 0 && !S_ISDIR(st.st_mode)) ||
	       readlinkat(broker->proc_fds, link, &first, 1) != 1 || first != '/';
}

/* As we number threads; 0 if that cannot be told. */
static pid_t owner_of(
	const struct broker *broker, struct request *request, int root, const struct entry *entry)
{
	struct procfs_caller caller = procfs_find_caller(broker, request, root);
	pid_t number = (pid_t)strtol(entry->owner, NULL, 10); /* 0 of "self" */

	if (number == 0 || (!entry->is_thread && number == caller.tgid)) {
		pid_t tgid = target_tgid(request->tid);
		return tgid > 0 ? tgid : 0;
	}
	if (entry->is_thread && number == caller.tid) {
		return request->tid;
	}
	return caller.is_ours ? number : 0;
}

/* The owner's number may have become another's: what that one holds is not this. */
static bool is_same(int a, int b)
{
	struct statx x, y;
	const unsigned int mask = STATX_INO | STATX_MNT_ID;

	return statx(a, "", AT_EMPTY_PATH, mask, &x) == 0 &&
	       statx(b, "", AT_EMPTY_PATH, mask, &y) == 0 && x.stx_ino == y.stx_ino &&
	       x.stx_mnt_id == y.stx_mnt_id && x.stx_dev_major == y.stx_dev_major &&
	       x.stx_dev_minor == y.stx_dev_minor;
}

int procfs_descriptor_take(const struct broker *broker, struct request *request, int root,
	const char *path, int object)
{
	struct entry entry;
	pid_t owner = read_entry(&entry, path) ? owner_of(broker, request, root, &entry) : 0;

	assume_broker(broker, request);
	cleanup_fd int held = owner ? target_take_fd(owner, entry.number) : -EACCES;
	assume_target(broker, request);
	return held >= 0 && is_same(object, held) && !(fcntl(held, F_GETFL) & O_PATH)
		       ? steal_fd(&held)
		       : -EACCES;
}

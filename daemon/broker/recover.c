/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/recover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/request.h"
#include "daemon/broker/target_fd.h"

#define MARKS      31 /* real-time signals: nobody else has set one on a file just opened */
#define FIRST_MARK 34
#define NANO       1000000000LL

/* The clock that filesystems take times of birth from. */
static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_REALTIME_COARSE, &time);
	return time.tv_sec * NANO + time.tv_nsec;
}

void recover_note(struct request *request)
{
	if (request->slot->began == 0) {
		request->slot->began = now();
	}
	recover_set_state(request->slot, SLOT_ACTING);
}

bool recover_is_repeated(const struct request *request)
{
	return request->resumed;
}

bool recover_is_new(const struct request *request, int directory, const char *name)
{
	struct statx st;

	return statx(directory, name, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &st) == 0 &&
	       (st.stx_mask & STATX_BTIME) &&
	       st.stx_btime.tv_sec * NANO + st.stx_btime.tv_nsec >= request->slot->began;
}

static int mark_of(const struct broker *broker, const struct request *request)
{
	return FIRST_MARK + (int)((request->slot - broker->memory->slots) % MARKS);
}

/* F_SETSIG is a property of the open file that the copy in the target shares and that means nothing
 * yet. */
void recover_mark(const struct broker *broker, struct request *request, int fd)
{
	(void)fcntl(fd, F_SETSIG, mark_of(broker, request));
	recover_set_state(request->slot, SLOT_INSTALLING);
}

void recover_unmark(int fd)
{
	(void)fcntl(fd, F_SETSIG, 0);
}

static bool is_marked(pid_t tid, int number, int mark)
{
	cleanup_fd int fd = target_take_fd(tid, number);

	if (fd < 0 || fcntl(fd, F_GETSIG) != mark) {
		return false;
	}
	recover_unmark(fd);
	return true;
}

int recover_find(const struct broker *broker, const struct request *request)
{
	char path[64];
	int found = -ENOENT;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", request->tid);
	DIR *numbers = opendir(path);
	if (!numbers) {
		return -errno;
	}
	for (struct dirent *entry = readdir(numbers); entry && found < 0;
		entry = readdir(numbers)) {
		int number = (int)strtol(entry->d_name, NULL, 10);
		if (entry->d_name[0] != '.' &&
			is_marked(request->tid, number, mark_of(broker, request))) {
			found = number;
		}
	}
	closedir(numbers);
	return found;
}

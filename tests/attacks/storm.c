/* SPDX-License-Identifier: Apache-2.0 */
/*
 * storm [OPENS [THREADS]]: opens of every kind by several threads, each of which knows what it must
 * get. Prints "opens N wrong N interrupted N leaked N" and the first wrong ones. Interrupted are
 * exclusive creations that failed with EINTR; leaked are descriptors that are open at the end and
 * that nobody was told of. kill.py kills brokers meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/common/descriptors.h"
#include "tests/common/observe.h"
#include "tests/common/raw.h"

#define THREADS_MAX 64
#define COMPLAINTS  10
#define NAME_SIZE   64

struct step {
	const char *what;
	/* What came, if it is not what must come: a negative errno, or 1 for another file. */
	int (*make)(const char *own);
};

static _Atomic unsigned int wrong, interrupted;
static unsigned int opens_per_thread;

/* 0 if `fd` is a file that begins so. Consumes it. */
static int holds(int fd, const char *content)
{
	char data[16] = "";
	ssize_t got;

	if (fd < 0) {
		return fd;
	}
	got = pread(fd, data, sizeof(data) - 1, 0);
	close(fd);
	return got < 0 || strncmp(data, content, strlen(content)) != 0;
}

static int fails(int fd, int error)
{
	if (fd >= 0) {
		close(fd);
		return 1;
	}
	return fd == -error ? 0 : fd;
}

static int existing(const char *own)
{
	(void)own;
	return holds(raw_open("dirA/file", O_RDONLY | O_CLOEXEC, 0), "allowed");
}

static int roundabout(const char *own)
{
	(void)own;
	return holds(raw_open("./dirA/../dirA//file", O_RDONLY | O_CLOEXEC, 0), "allowed");
}

static int existing_openat2(const char *own)
{
	(void)own;
	return holds(raw_openat2(AT_FDCWD, "dirA/file", O_RDONLY | O_CLOEXEC, 0, 0), "allowed");
}

static int missing(const char *own)
{
	(void)own;
	return fails(raw_open("dirA/missing", O_RDONLY, 0), ENOENT);
}

static int denied(const char *own)
{
	(void)own;
	return fails(raw_open("dirS/file", O_RDONLY, 0), EACCES);
}

static int exclusive(const char *own)
{
	struct stat st;
	int fd, result = 0;

	while ((fd = raw_open(own, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640)) == -EINTR) {
		interrupted++;
		unlink(own);
	}
	if (fd < 0) {
		unlink(own);
		return fd;
	}
	if (fstat(fd, &st) || st.st_size || (st.st_mode & 0777) != 0640 ||
		write(fd, "own", 3) != 3) {
		result = 1;
	}
	close(fd);
	return result;
}

/* What `exclusive` has just made. */
static int exclusive_again(const char *own)
{
	return fails(raw_open(own, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640), EEXIST);
}

static int truncated(const char *own)
{
	int fd = raw_open(own, O_RDWR | O_TRUNC | O_CLOEXEC, 0);
	struct stat st;
	int result = fd < 0 ? fd : fstat(fd, &st) || st.st_size;

	if (fd >= 0) {
		close(fd);
	}
	unlink(own);
	return result;
}

/* `exclusive`, `exclusive_again` and `truncated` are about one file, in this order. */
static const struct step steps[] = {
	{"existing", existing},
	{"exclusive", exclusive},
	{"exclusive again", exclusive_again},
	{"truncated", truncated},
	{"missing", missing},
	{"denied", denied},
	{"existing by openat2", existing_openat2},
	{"roundabout", roundabout},
};

static void complain(const char *what, int result)
{
	if (wrong++ < COMPLAINTS) {
		printf("# %s: %s\n", what, result > 0 ? "another file" : observe_errno(-result));
	}
}

static void *storm(void *pointer)
{
	char own[NAME_SIZE];

	snprintf(own, sizeof(own), "dirA/own-%d", (int)(intptr_t)pointer);
	for (unsigned int i = 0; i < opens_per_thread; i++) {
		const struct step *step = &steps[i % array_length(steps)];
		int result = step->make(own);

		if (result) {
			complain(step->what, result);
		}
	}
	return NULL;
}

/* How many descriptors are open, that of the directory itself not counted. */
int main(int argc, char **argv)
{
	unsigned int opens = argc > 1 ? (unsigned int)atoi(argv[1]) : 100000;
	unsigned int threads = argc > 2 ? (unsigned int)atoi(argv[2]) : 4;
	unsigned int before = descriptors_open();
	pthread_t ids[THREADS_MAX];

	if (!threads || threads > THREADS_MAX) {
		fprintf(stderr, "usage: storm [OPENS [THREADS]]\n");
		return 2;
	}
	umask(0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("started\n");
	opens_per_thread = opens / threads;
	for (unsigned int i = 0; i < threads; i++) {
		if (pthread_create(&ids[i], NULL, storm, (void *)(intptr_t)i)) {
			return 2;
		}
	}
	for (unsigned int i = 0; i < threads; i++) {
		pthread_join(ids[i], NULL);
	}
	printf("opens %u wrong %u interrupted %u leaked %d\n", opens_per_thread * threads, wrong,
		interrupted, (int)(descriptors_open() - before));
	return wrong != 0;
}

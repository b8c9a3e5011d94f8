/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads: directories, descriptors and ids of a thread's own, many at once, and both ends of a
 * FIFO, of which one waits for the other.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/parity.h"
#include "tests/parity/settle.h"
#include "tests/parity/tree.h"

#define THREADS 8
#define ROUNDS  300

#define FIFOS_MAX 300

static void in_thread(struct scene *scene, void *(*function)(void *))
{
	pthread_t thread;

	prepare(scene, !pthread_create(&thread, NULL, function, scene));
	pthread_join(thread, NULL);
}

/* A thread that has left the shared directory sees its own; the first one still the old. */
static void *own_directory(void *pointer)
{
	struct scene *scene = pointer;

	prepare(scene, !unshare(CLONE_FS) && !chdir("dir"));
	umask(077);
	tell(scene, "thread inner ");
	tell_fd(scene, raw_open("inner", O_RDONLY, 0));
	tell(scene, " regular ");
	tell_fd(scene, raw_open("regular", O_RDONLY, 0));
	tell(scene, " cwd ");
	tell_fd(scene, raw_open("/proc/thread-self/cwd/inner", O_RDONLY, 0));
	tell(scene, " group's cwd ");
	tell_fd(scene, raw_open("/proc/self/cwd/inner", O_RDONLY, 0));
	tell(scene, " create ");
	tell_fd(scene, raw_open("new", O_RDWR | O_CREAT, 0666));
	return NULL;
}

static void run_own_directory(struct scene *scene)
{
	in_thread(scene, own_directory);
	tell(scene, " first inner ");
	tell_fd(scene, raw_open("inner", O_RDONLY, 0));
	tell(scene, " create ");
	tell_fd(scene, raw_open("new", O_RDWR | O_CREAT, 0666));
	tree_tell_changes(scene);
}

static void *own_table(void *pointer)
{
	struct scene *scene = pointer;

	prepare(scene, !unshare(CLONE_FILES) && !close(0));
	tell(scene, "thread ");
	tell_fd(scene, raw_open("regular", O_RDONLY, 0));
	tell(scene, " dirfd ");
	prepare(scene, raw_open("dir", O_RDONLY, 0) >= 0);
	tell_fd(scene, raw_openat(3, "inner", O_RDONLY, 0));
	tell(scene, " own fd ");
	tell_fd(scene, raw_open("/proc/thread-self/fd/0", O_RDONLY, 0));
	return NULL;
}

static void run_own_table(struct scene *scene)
{
	in_thread(scene, own_table);
	tell(scene, " first ");
	tell_fd(scene, raw_open("regular", O_RDONLY, 0));
	tell(scene, " dirfd ");
	tell_fd(scene, raw_openat(4, "inner", O_RDONLY, 0));
}

/* The thread's own ids: libc sets them for all threads, the kernel for one. */
static void *own_ids(void *pointer)
{
	struct scene *scene = pointer;

	if (geteuid() == 0) {
		prepare(scene, !raw(SYS_setresuid, 12345, 12345, 12345));
	}
	tell(scene, "thread ");
	tell_result(scene, raw_open("forbidden", O_RDONLY, 0));
	return NULL;
}

static void run_own_ids(struct scene *scene)
{
	in_thread(scene, own_ids);
	tell(scene, " first ");
	tell_result(scene, raw_open("forbidden", O_RDONLY, 0));
}

struct crowd {
	_Atomic unsigned int wrong;
	_Atomic unsigned int created;
};

static struct crowd crowd;

static void *crowd_member(void *pointer)
{
	int number = (int)(intptr_t)pointer;
	char name[32];

	for (int i = 0; i < ROUNDS; i++) {
		int fd = raw_open("regular", O_RDONLY | O_CLOEXEC, 0);
		char data[8] = "";

		crowd.wrong += fd < 0 || read(fd, data, 7) != 6 || strcmp(data, "hello\n") != 0 ||
			       close(fd);
		crowd.wrong += raw_open("missing", O_RDONLY, 0) != -ENOENT;
		snprintf(name, sizeof(name), "dir/%d-%d", number, i);
		fd = raw_open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
		crowd.wrong += fd < 0 || close(fd);
		snprintf(name, sizeof(name), "sticky/%d", i);
		fd = raw_open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
		crowd.created += fd >= 0;
		crowd.wrong += fd < 0 ? fd != -EEXIST : close(fd);
	}
	return NULL;
}

static void run_crowd(struct scene *scene)
{
	pthread_t threads[THREADS];

	for (intptr_t i = 0; i < THREADS; i++) {
		prepare(scene, !pthread_create(&threads[i], NULL, crowd_member, (void *)i));
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
	}
	tell(scene, "wrong=%u exclusively created=%u of %d", crowd.wrong, crowd.created, ROUNDS);
}

static void run_fifo_processes(struct scene *scene)
{
	char data[8] = "";
	pid_t pid = fork();
	int fd;

	if (pid == 0) {
		fd = raw_open("fifo", O_WRONLY, 0);
		_exit(fd < 0 || write(fd, "through", 7) != 7);
	}
	fd = raw_open("fifo", O_RDONLY, 0);
	tell_fd(scene, fd);
	tell(scene, " read=%ld %s", raw(SYS_read, fd, data, 7), data);
	waitpid(pid, NULL, 0);
	tell(scene, " end=%ld", raw(SYS_read, fd, data, 7));
}

static void *fifo_writer(void *pointer)
{
	const char *path = pointer;

	return (void *)(intptr_t)raw_open(path, O_WRONLY, 0);
}

/* Many FIFOs are waited for at once; others go on meanwhile. */
static void run_fifo_many(struct scene *scene)
{
	static char paths[FIFOS_MAX][16];
	static pthread_t threads[FIFOS_MAX];
	int count = *(const int *)scene->data;
	int met = 0;

	for (int i = 0; i < count; i++) {
		snprintf(paths[i], sizeof(paths[i]), "fifo%d", i);
		prepare(scene, !mkfifo(paths[i], 0600));
		prepare(scene, !pthread_create(&threads[i], NULL, fifo_writer, paths[i]));
	}
	tell(scene, "another=%d", raw_open("regular", O_RDONLY, 0) >= 0);
	for (int i = 0; i < count; i++) {
		void *fd;
		int reader = raw_open(paths[i], O_RDONLY, 0);

		pthread_join(threads[i], &fd);
		met += reader >= 0 && (intptr_t)fd >= 0;
	}
	tell(scene, " met=%d of %d", met, count);
}

static _Atomic bool swapping;

static void *swapper(void *pointer)
{
	(void)pointer;
	while (swapping) {
		raw(SYS_renameat2, AT_FDCWD, "dir/swapped", AT_FDCWD, "dir/other", RENAME_EXCHANGE);
	}
	return NULL;
}

/*
 * What looks like a file turns out to be a FIFO for which nobody comes: whoever opens it waits, all
 * others go on.
 */
static void run_fifo_swapped(struct scene *scene)
{
	pthread_t thread;
	pid_t waiting;
	int good = 0;

	prepare(scene, !mkfifo("dir/other", 0600) && !link("regular", "dir/swapped"));
	swapping = true;
	prepare(scene, !pthread_create(&thread, NULL, swapper, NULL));
	for (int i = 0; i < 20; i++) {
		waiting = fork();
		if (waiting == 0) {
			for (int k = 0; k < 1000; k++) {
				close(raw_open("dir/swapped", O_RDONLY, 0));
			}
			_exit(0);
		}
	}
	for (int i = 0; i < 500; i++) {
		int fd = raw_open("regular", O_RDONLY, 0);

		good += fd >= 0 && !close(fd);
		usleep(500);
	}
	swapping = false;
	pthread_join(thread, NULL);
	tell(scene, "good=%d", good);
}

static void run_fifo_alone(struct scene *scene)
{
	tell_fd(scene, raw_open("fifo", O_RDONLY | O_NONBLOCK, 0));
	tell(scene, " write ");
	close(3);
	tell_result(scene, raw_open("fifo", O_WRONLY | O_NONBLOCK, 0));
	tell(scene, " both ");
	tell_fd(scene, raw_open("fifo", O_RDWR, 0));
}

/* Whoever waits in an open and is killed leaves nothing behind that another could meet. */
static void run_fifo_killed(struct scene *scene)
{
	pid_t pid = fork();

	if (pid == 0) {
		raw_open("fifo", O_RDONLY, 0);
		_exit(0);
	}
	settle_asleep(pid);
	settle();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	settle();
	tell_result(scene, raw_open("fifo", O_WRONLY | O_NONBLOCK, 0));
}

struct thread_case {
	const char *name;
	case_function *function;
	int data;
};

static const struct thread_case threads_cases[] = {
	{"thread/own-directory", run_own_directory},
	{"thread/own-descriptors", run_own_table},
	{"thread/own-ids", run_own_ids},
	{"thread/crowd", run_crowd},
	{"fifo/two-processes", run_fifo_processes},
	{"fifo/forty", run_fifo_many, 40},
	{"fifo/three-hundred", run_fifo_many, FIFOS_MAX},
	{"fifo/swapped", run_fifo_swapped, 0},
	{"fifo/alone", run_fifo_alone},
	{"fifo/killed", run_fifo_killed},
};

void cases_thread(struct runner *runner)
{
	for (size_t i = 0; i < array_length(threads_cases); i++) {
		runner_case(runner, threads_cases[i].function, &threads_cases[i].data, "%s",
			threads_cases[i].name);
	}
}

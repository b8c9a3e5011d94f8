/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/helper.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "daemon/base/clone.h"

#define STACK_BYTES (512u << 10) /* as deep as a worker's; only what is touched is there */

struct work {
	void (*function)(void *);
	void *argument;
};

ON_OTHER_STACK static int enter(void *argument)
{
	const struct work *work = argument;

	work->function(work->argument);
	return 0;
}

/* Its end is told to nobody (no signal), so only we reap it. */
static int run(const struct work *work, char *stack)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	pid_t pid = clone_sharing(
		enter, stack + STACK_BYTES, CLONE_VM | CLONE_VFORK | CLONE_FILES, (void *)work);
	int error = pid < 0 ? -errno : 0;
	while (pid > 0 && waitpid(pid, NULL, __WALL) < 0 && errno == EINTR) {
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

int helper_run(void (*function)(void *), void *argument)
{
	const struct work work = {function, argument};
	void *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);

	if (stack == MAP_FAILED) {
		return -errno;
	}
	int error = run(&work, stack);
	munmap(stack, STACK_BYTES);
	return error;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "sleeper.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE 3000 /* looks, 10 ms each */

struct sleeper_told *sleeper_told;

int sleeper_set_up(void **state)
{
	(void)state;
	sleeper_told = mmap(NULL, sizeof(*sleeper_told), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return sleeper_told == MAP_FAILED;
}

static void handle(int signal)
{
	(void)signal;
}

void sleeper_wait(int count)
{
	for (int i = 0; i < PATIENCE && atomic_load(&sleeper_told->ready) < count; i++) {
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
	assert_int_equal(atomic_load(&sleeper_told->ready), count);
}

static bool is_asleep(pid_t tid)
{
	char path[64], state = 'R';

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	FILE *file = fopen(path, "re");
	if (file && fscanf(file, "%*d (%*[^)]) %c", &state) != 1) {
		state = 'R';
	}
	if (file) {
		(void)fclose(file);
	}
	return state != 'R';
}

static void wait_until_asleep(pid_t tid)
{
	for (int i = 0; i < PATIENCE && !is_asleep(tid); i++) {
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
	assert_true(is_asleep(tid));
}

void sleeper_tell(int index)
{
	atomic_store(&sleeper_told->numbers[index], gettid());
	atomic_fetch_add(&sleeper_told->ready, 1);
}

/*
 * Where a signal pends and is not blocked the thread must not notice it: it sleeps as one does who
 * waits for the broker, in a vfork(2), from which only death wakes it.
 */
static void sleep_like_a_notified_call(void)
{
	if (syscall(SYS_vfork) == 0) {
		for (;;) {
			(void)syscall(SYS_pause);
		}
	}
}

static void *sleep_in_thread(void *argument)
{
	sigset_t blocked;

	sigemptyset(&blocked);
	if (argument) {
		sigaddset(&blocked, SIGUSR1);
	}
	pthread_sigmask(SIG_SETMASK, &blocked, NULL);
	sleeper_tell(1);
	/* It must not take what is meant for the other: its own sleep is as deaf. */
	sleep_like_a_notified_call();
	return NULL;
}

_Noreturn static void play(const struct sleeper *sleeper)
{
	struct sigaction action = {.sa_handler = sleeper->ignores ? SIG_IGN : handle};
	sigset_t blocked;
	pthread_t thread;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(SIGUSR1, &action, NULL);
	sigemptyset(&blocked);
	if (sleeper->blocks) {
		sigaddset(&blocked, SIGUSR1);
	}
	sigprocmask(SIG_SETMASK, &blocked, NULL);
	if (sleeper->has_thread) {
		(void)pthread_create(&thread, NULL, sleep_in_thread,
			sleeper->thread_blocks ? sleeper_told : NULL);
		while (atomic_load(&sleeper_told->ready) < 1) {
			sched_yield();
		}
	}
	sleeper_tell(0);
	sleep_like_a_notified_call();
	_exit(1);
}

pid_t sleeper_start(const struct sleeper *sleeper)
{
	memset(sleeper_told, 0, sizeof(*sleeper_told));
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)setpgid(0, 0);
		play(sleeper);
	}
	(void)setpgid(pid, pid);
	sleeper_wait(sleeper->has_thread ? 2 : 1);
	/* "Ready" is said a moment before it sleeps. */
	for (int i = 0; i < atomic_load(&sleeper_told->ready); i++) {
		wait_until_asleep(atomic_load(&sleeper_told->numbers[i]));
	}
	return pid;
}

void sleeper_stop(pid_t pid)
{
	kill(-pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

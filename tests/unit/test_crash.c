/* SPDX-License-Identifier: Apache-2.0 */
/* Over which call a broker died, and what its successor counts. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#include "daemon/base/session_memory.h"
#include "daemon/broker/crash.h"

#define GUILTY   3
#define INNOCENT 5
#define ANSWERED 7

static struct session_memory *memory_in_use(void)
{
	struct session_memory *memory = NULL;
	int fd = session_memory_create(1, &memory);

	assert_true(fd >= 0);
	close(fd);
	for (unsigned int i = GUILTY; i <= ANSWERED; i += 2) {
		memory->slots[i].notification.id = i;
	}
	atomic_store(&memory->slots[ANSWERED].state, SLOT_ANSWERED);
	return memory;
}

static void *fault(void *slot)
{
	crash_blame(slot);
	__builtin_trap();
	return NULL;
}

static void *fail_assertion(void *slot)
{
	crash_blame(slot);
	abort();
}

static void *wait_for_end(void *slot)
{
	crash_blame(slot);
	for (;;) {
		pause();
	}
	return NULL;
}

/* A broker whose threads do this; returns the signal that it died of. */
static int signal_of_broker(struct session_memory *memory, void *(*of_guilty)(void *), int sent)
{
	const struct rlimit no_core = {0};
	pthread_t threads[2];
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		for (int fault = SIGILL; fault <= SIGSEGV; fault++) {
			(void)signal(fault, SIG_DFL); /* cmocka's */
		}
		crash_watch();
		pthread_create(&threads[0], NULL, wait_for_end, &memory->slots[INNOCENT]);
		pthread_create(&threads[1], NULL, of_guilty, &memory->slots[GUILTY]);
		if (sent) {
			kill(getpid(), sent);
		}
		pthread_join(threads[0], NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	return WTERMSIG(status);
}

static void assert_counted(
	const struct session_memory *memory, unsigned int guilty, unsigned int innocent)
{
	assert_int_equal(memory->slots[GUILTY].crashes, guilty);
	assert_int_equal(memory->slots[INNOCENT].crashes, innocent);
	assert_int_equal(memory->slots[ANSWERED].crashes, 0);
	assert_int_equal(memory->slots[0].crashes, 0);
}

/* A fault counts against the call that the faulting thread served, and against no other. */
static void test_fault(void **state)
{
	cleanup_session_memory struct session_memory *memory = memory_in_use();

	(void)state;
	assert_int_equal(signal_of_broker(memory, fault, 0), SIGILL);
	crash_count(memory);
	assert_counted(memory, 1, 0);
	assert_int_equal(signal_of_broker(memory, fail_assertion, 0), SIGABRT);
	crash_count(memory);
	assert_counted(memory, 2, 0);
}

/* A signal that was sent counts against all that were served: nobody knows whose fault it is. */
static void test_sent(void **state)
{
	cleanup_session_memory struct session_memory *memory = memory_in_use();

	(void)state;
	assert_int_equal(signal_of_broker(memory, wait_for_end, SIGSEGV), SIGSEGV);
	crash_count(memory);
	assert_counted(memory, 1, 1);
	session_memory_forgive(memory);
	assert_counted(memory, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fault),
		cmocka_unit_test(test_sent),
	};

	return cmocka_run_group_tests_name("crash", tests, NULL, NULL);
}

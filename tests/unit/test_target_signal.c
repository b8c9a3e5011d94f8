/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a signal would end the wait of a blocked thread: its own, or one of its process. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/broker/target.h"
#include "sleeper.h"

static void send_to_thread(pid_t pid, pid_t tid)
{
	assert_int_equal(syscall(SYS_tgkill, pid, tid, SIGUSR1), 0);
}

static void without_a_signal_there_is_none(void **state)
{
	pid_t pid = sleeper_start(&(struct sleeper){0});

	(void)state;
	assert_false(target_has_signal(pid));
	sleeper_stop(pid);
}

static void a_signal_of_its_own_is_noticed(void **state)
{
	pid_t pid = sleeper_start(&(struct sleeper){.has_thread = true});

	(void)state;
	send_to_thread(pid, sleeper_told->numbers[1]);
	assert_true(target_has_signal(sleeper_told->numbers[1]));
	assert_false(target_has_signal(pid));
	send_to_thread(pid, pid);
	assert_true(target_has_signal(pid));
	sleeper_stop(pid);
}

static void a_shared_signal_is_the_main_threads(void **state)
{
	pid_t pid = sleeper_start(&(struct sleeper){.has_thread = true});

	(void)state;
	assert_int_equal(kill(pid, SIGUSR1), 0);
	assert_true(target_has_signal(pid));
	/* Nobody knows that it will be this one. */
	assert_false(target_has_signal(sleeper_told->numbers[1]));
	sleeper_stop(pid);
}

static void a_shared_signal_that_others_block_is_its_own(void **state)
{
	pid_t pid = sleeper_start(&(struct sleeper){.blocks = true, .has_thread = true});

	(void)state;
	assert_int_equal(kill(pid, SIGUSR1), 0);
	assert_false(target_has_signal(pid));
	assert_true(target_has_signal(sleeper_told->numbers[1]));
	sleeper_stop(pid);
}

static void what_is_blocked_waits(void **state)
{
	pid_t pid = sleeper_start(
		&(struct sleeper){.blocks = true, .has_thread = true, .thread_blocks = true});

	(void)state;
	send_to_thread(pid, pid);
	send_to_thread(pid, sleeper_told->numbers[1]);
	assert_int_equal(kill(pid, SIGUSR1), 0);
	assert_false(target_has_signal(pid));
	assert_false(target_has_signal(sleeper_told->numbers[1]));
	sleeper_stop(pid);
}

static void what_is_ignored_never_comes(void **state)
{
	pid_t pid = sleeper_start(&(struct sleeper){.ignores = true});

	(void)state;
	send_to_thread(pid, pid);
	assert_int_equal(kill(pid, SIGUSR1), 0);
	assert_false(target_has_signal(pid));
	sleeper_stop(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_signal_there_is_none),
		cmocka_unit_test(a_signal_of_its_own_is_noticed),
		cmocka_unit_test(a_shared_signal_is_the_main_threads),
		cmocka_unit_test(a_shared_signal_that_others_block_is_its_own),
		cmocka_unit_test(what_is_blocked_waits),
		cmocka_unit_test(what_is_ignored_never_comes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, sleeper_set_up, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding: arguments lie in the memory of another process, and are what a hostile or careless
 * program may pass. The memory is shared with the target, so that a test can fill it afterwards.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker_target.h"
#include "daemon/base/cleanup.h"
#include "daemon/broker/decode.h"
#include "usher/wire.h"

#define PAGES     3u /* and behind them one that is not there */
#define LARGEFILE 0100000u

static char *memory; /* at the same address here and in the target */

enum target_fd { FD_FILE = 100, FD_TCP };

static void open_descriptors(void *argument)
{
	(void)argument;
	stage_renumber(open("/dev/null", O_RDWR), FD_FILE);
	stage_renumber(socket(AF_INET, SOCK_STREAM, 0), FD_TCP);
}

static int set_up(void **state)
{
	memory = stage_memory(PAGES);
	return stage_start(state, open_descriptors);
}

static int decode_openat(struct stage *stage, const char *path, unsigned int flags, mode_t mode)
{
	stage_call(stage, SYS_openat, (uint64_t)AT_FDCWD, stage_at(path), flags, mode);
	return stage_decode(stage);
}

static void a_path_is_copied_from_wherever_it_lies(void **state)
{
	struct stage *stage = *state;
	static const size_t offsets[] = {
		0, 1, STAGE_PAGE - 1, STAGE_PAGE - 4, 2 * STAGE_PAGE - 3, PAGES * STAGE_PAGE - 5};

	for (size_t i = 0; i < array_length(offsets); i++) {
		char *path = memory + offsets[i];
		memcpy(path, "/abc", 5);
		assert_int_equal(decode_openat(stage, path, O_RDONLY, 0), 0);
		assert_int_equal(stage->request->call, CALL_OPEN);
		assert_string_equal(stage->request->open.path, "/abc");
	}
}

static void a_path_in_no_memory_is_a_fault(void **state)
{
	struct stage *stage = *state;
	char *end = memory + PAGES * STAGE_PAGE;

	assert_int_equal(decode_openat(stage, NULL, O_RDONLY, 0), -EFAULT);
	assert_int_equal(decode_openat(stage, end, O_RDONLY, 0), -EFAULT);
	assert_int_equal(decode_openat(stage, (char *)-1, O_RDONLY, 0), -EFAULT);
	/* No NUL before the memory ends. */
	memset(end - 10, 'a', 10);
	assert_int_equal(decode_openat(stage, end - 10, O_RDONLY, 0), -EFAULT);
	assert_string_equal(stage->request->open.path, "");
}

static void a_path_has_a_length(void **state)
{
	struct stage *stage = *state;

	memset(memory, 'a', PAGES * STAGE_PAGE);
	memory[PATH_MAX - 1] = '\0';
	assert_int_equal(decode_openat(stage, memory, O_RDONLY, 0), 0);
	assert_int_equal(strlen(stage->request->open.path), PATH_MAX - 1);
	memory[PATH_MAX - 1] = 'a';
	memory[PATH_MAX] = '\0';
	assert_int_equal(decode_openat(stage, memory, O_RDONLY, 0), -ENAMETOOLONG);
	/* What was copied has no NUL, and the audit will read it. */
	assert_string_equal(stage->request->open.path, "");
	memory[0] = '\0';
	assert_int_equal(decode_openat(stage, memory, O_RDONLY, 0), -ENOENT);
}

static void flags_ask_for_operations(void **state)
{
	struct stage *stage = *state;
	static const struct {
		unsigned int flags, operations;
	} cases[] = {
		{O_RDONLY, OPERATION_READ},
		{O_WRONLY, OPERATION_WRITE},
		{O_RDWR, OPERATION_READ | OPERATION_WRITE},
		{O_ACCMODE, OPERATION_READ | OPERATION_WRITE},
		{O_RDONLY | O_TRUNC, OPERATION_READ | OPERATION_WRITE},
		{O_RDONLY | O_CREAT, OPERATION_READ | OPERATION_CREATE},
		{O_WRONLY | O_CREAT, OPERATION_WRITE | OPERATION_CREATE},
		{O_WRONLY | O_TMPFILE, OPERATION_WRITE | OPERATION_CREATE},
		{O_RDONLY | O_DIRECTORY, OPERATION_READ},
	};

	strcpy(memory, "/abc");
	for (size_t i = 0; i < array_length(cases); i++) {
		assert_int_equal(decode_openat(stage, memory, cases[i].flags, 0600), 0);
		assert_int_equal(stage->request->open.operations, cases[i].operations);
	}
}

static void the_older_calls_become_an_open_how(void **state)
{
	struct stage *stage = *state;
	const struct open_how *how = &stage->request->open.how;

	strcpy(memory, "/abc");
	/* Unknown flags are dropped; a mode is one only where something is made. */
	assert_int_equal(decode_openat(stage, memory, O_RDONLY | 1u << 30, 0777), 0);
	assert_int_equal(how->flags, O_RDONLY | LARGEFILE);
	assert_int_equal(how->mode, 0);
	assert_int_equal(how->resolve, 0);
	assert_int_equal(decode_openat(stage, memory, O_WRONLY | O_CREAT, 0177777), 0);
	assert_int_equal(how->mode, 07777);
#ifdef SYS_open
	stage_call(stage, SYS_creat, stage_at(memory), 0640, 0, 0);
	assert_int_equal(stage_decode(stage), 0);
	assert_int_equal(how->flags, O_CREAT | O_WRONLY | O_TRUNC | LARGEFILE);
	assert_int_equal(how->mode, 0640);
	stage_call(stage, SYS_open, stage_at(memory), O_RDWR | O_CLOEXEC, 0, 0);
	assert_int_equal(stage_decode(stage), 0);
	assert_int_equal(how->flags, O_RDWR | O_CLOEXEC | LARGEFILE);
#endif
}

static void flags_that_make_no_sense_come_first(void **state)
{
	struct stage *stage = *state;

	/* O_TMPFILE without write access, and the path is not even memory. */
	assert_int_equal(decode_openat(stage, NULL, O_RDONLY | O_TMPFILE, 0600), -EINVAL);
}

static int decode_openat2(struct stage *stage, const char *path, const void *how, uint64_t size)
{
	stage_call(stage, SYS_openat2, (uint64_t)AT_FDCWD, stage_at(path), stage_at(how), size);
	return stage_decode(stage);
}

static void openat2_has_a_size_that_grows(void **state)
{
	struct stage *stage = *state;
	char *path = memory + STAGE_PAGE;
	struct open_how how = {.flags = O_RDONLY};
	char *end = memory + PAGES * STAGE_PAGE;

	strcpy(path, "/abc");
	memset(memory, 0, STAGE_PAGE);
	memcpy(memory, &how, sizeof(how));
	assert_int_equal(decode_openat2(stage, path, memory, sizeof(how)), 0);
	assert_int_equal(decode_openat2(stage, path, memory, sizeof(how) + 8), 0);
	assert_int_equal(decode_openat2(stage, path, memory, STAGE_PAGE), 0);
	assert_int_equal(decode_openat2(stage, path, memory, STAGE_PAGE + 1), -E2BIG);
	assert_int_equal(decode_openat2(stage, path, memory, UINT64_MAX), -E2BIG);
	assert_int_equal(decode_openat2(stage, path, memory, sizeof(how) - 1), -EINVAL);
	assert_int_equal(decode_openat2(stage, path, memory, 0), -EINVAL);
	assert_string_equal(stage->request->open.path, "");
	memory[STAGE_PAGE - 1] = 1;
	assert_int_equal(decode_openat2(stage, path, memory, STAGE_PAGE), -E2BIG);
	assert_int_equal(decode_openat2(stage, path, memory, STAGE_PAGE - 1), 0);
	assert_int_equal(decode_openat2(stage, path, NULL, sizeof(how)), -EFAULT);
	memcpy(end - sizeof(how), &how, sizeof(how));
	assert_int_equal(decode_openat2(stage, path, end - sizeof(how), sizeof(how)), 0);
	assert_int_equal(decode_openat2(stage, path, end - sizeof(how), sizeof(how) + 8), -EFAULT);
	assert_int_equal(decode_openat2(stage, path, end - 8, sizeof(how)), -EFAULT);
}

static void openat2_is_judged_by_the_kernel(void **state)
{
	struct stage *stage = *state;
	char *path = memory + STAGE_PAGE;
	static const struct {
		struct open_how how;
		int result;
	} cases[] = {
		{{.flags = 1ull << 40}, -EINVAL},
		{{.flags = O_RDONLY, .mode = 0600}, -EINVAL},
		{{.flags = O_CREAT, .mode = 0200000}, -EINVAL},
		{{.flags = O_RDONLY, .resolve = 1ull << 40}, -EINVAL},
		{{.flags = O_RDONLY, .resolve = RESOLVE_BENEATH | RESOLVE_IN_ROOT}, -EINVAL},
		{{.flags = O_PATH | O_CREAT, .mode = 0600}, -EINVAL},
		{{.flags = O_PATH}, -ENOSYS},
		{{.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC}, -ENOSYS},
		{{.flags = O_RDWR | O_CREAT, .mode = 0600, .resolve = RESOLVE_NO_XDEV}, 0},
		{{.flags = O_RDONLY, .resolve = RESOLVE_BENEATH}, 0},
	};

	strcpy(path, "abc");
	for (size_t i = 0; i < array_length(cases); i++) {
		memcpy(memory, &cases[i].how, sizeof(cases[i].how));
		assert_int_equal(decode_openat2(stage, path, memory, sizeof(struct open_how)),
			cases[i].result);
	}
}

static void names_begin_where_they_say(void **state)
{
	struct stage *stage = *state;
	struct place *place = &stage->request->place;

	strcpy(memory, "/abc");
	stage_call(stage, SYS_openat, 4711, stage_at(memory), O_RDONLY, 0);
	assert_int_equal(decode(&stage->broker, stage->request), 0);
	assert_int_equal(place->start, -1); /* an absolute name asks for no descriptor */
	decode_release(stage->request);
	strcpy(memory, "abc");
	stage_call(stage, SYS_openat, 4711, stage_at(memory), O_RDONLY, 0);
	assert_int_equal(stage_decode(stage), -EBADF);
	stage_call(stage, SYS_openat, (uint64_t)-5, stage_at(memory), O_RDONLY, 0);
	assert_int_equal(stage_decode(stage), -EBADF);
	stage_call(stage, SYS_openat, FD_FILE, stage_at(memory), O_RDONLY, 0);
	assert_int_equal(decode(&stage->broker, stage->request), 0);
	assert_true(place->start >= 0);
	assert_int_equal(place->root, -1);
	decode_release(stage->request);
	assert_int_equal(place->start, -1);
}

static void calls_are_known_by_their_number(void **state)
{
	struct stage *stage = *state;
	static const struct {
		int nr;
		uint64_t argument;
		enum call call;
		int result;
	} cases[] = {
		{SYS_socket, AF_INET, CALL_SOCKET, 0},
		{SYS_socketpair, AF_UNIX, CALL_SOCKET, 0},
		{SYS_ptrace, 0, CALL_REACH, 0},
		{SYS_process_vm_writev, 0, CALL_REACH, 0},
		{SYS_chroot, 0, CALL_FORGET, 0},
		{SYS_setuid, 0, CALL_FORGET, 0},
		{SYS_seccomp, WIRE_PROBE_OPERATION, CALL_PROBE, 0},
		{SYS_seccomp, 0, CALL_PROBE, -EINVAL},
		{SYS_read, 0, CALL_UNKNOWN, -ENOSYS},
		{-1, 0, CALL_UNKNOWN, -ENOSYS},
	};

	for (size_t i = 0; i < array_length(cases); i++) {
		stage_call(stage, cases[i].nr, cases[i].argument, 1, 2, 0);
		assert_int_equal(stage_decode(stage), cases[i].result);
		assert_int_equal(stage->request->call, cases[i].call);
	}
}

static void nothing_stays_open(void **state)
{
	int before = dup(0), after;

	close(before);
	names_begin_where_they_say(state);
	after = dup(0);
	close(after);
	assert_int_equal(after, before);
}

static void a_target_that_is_gone_has_nothing(void **state)
{
	struct stage *stage = *state;

	kill(stage->target, SIGKILL);
	/* It is a zombie until tear_down: there is a process, but no memory. */
	while (recv(stage->channel, memory, 1, 0) > 0) {
	}
	strcpy(memory, "abc");
	assert_true(decode_openat(stage, memory, O_RDONLY, 0) < 0);
	stage_call(stage, SYS_connect, FD_TCP, stage_at(memory), 16, 0);
	assert_true(stage_decode(stage) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_is_copied_from_wherever_it_lies),
		cmocka_unit_test(a_path_in_no_memory_is_a_fault),
		cmocka_unit_test(a_path_has_a_length),
		cmocka_unit_test(flags_ask_for_operations),
		cmocka_unit_test(the_older_calls_become_an_open_how),
		cmocka_unit_test(flags_that_make_no_sense_come_first),
		cmocka_unit_test(openat2_has_a_size_that_grows),
		cmocka_unit_test(openat2_is_judged_by_the_kernel),
		cmocka_unit_test(names_begin_where_they_say),
		cmocka_unit_test(calls_are_known_by_their_number),
		cmocka_unit_test(nothing_stays_open),
		cmocka_unit_test(a_target_that_is_gone_has_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, stage_tear_down);
}

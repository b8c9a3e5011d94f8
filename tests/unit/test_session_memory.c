/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of a session: what is made can be mapped, and nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/session_memory.h"

static void what_one_writes_another_reads(void **state)
{
	cleanup_session_memory struct session_memory *ours = NULL, *theirs = NULL;
	cleanup_fd int fd = session_memory_create(42, &ours);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(session_memory_map(fd, &theirs), 0);
	assert_int_equal(theirs->session, 42);
	assert_int_equal(theirs->slot_count, SESSION_SLOTS);
	ours->counters.allowed = 7;
	ours->slots[SESSION_SLOTS - 1].result = -3;
	assert_int_equal(theirs->counters.allowed, 7);
	assert_int_equal(theirs->slots[SESSION_SLOTS - 1].result, -3);
}

static void slots_are_idle_at_first(void **state)
{
	cleanup_session_memory struct session_memory *memory = NULL;
	cleanup_fd int fd = session_memory_create(1, &memory);

	(void)state;
	assert_true(fd >= 0);
	for (size_t i = 0; i < SESSION_SLOTS; i++) {
		assert_int_equal(memory->slots[i].notification.id, 0);
		assert_int_equal(memory->slots[i].state, SLOT_RECEIVED);
	}
}

static void its_size_cannot_change(void **state)
{
	cleanup_session_memory struct session_memory *memory = NULL;
	cleanup_fd int fd = session_memory_create(1, &memory);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, 2 * sizeof(*memory)), -1);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

/* A memfd of this size with these seals, and what session_memory_create writes at its begin. */
static int make_memfd(size_t size, int seals)
{
	struct session_memory head = {.magic = SESSION_MAGIC,
		.version = SESSION_VERSION,
		.size = sizeof(head),
		.slot_count = SESSION_SLOTS};
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &head, sizeof(head), 0), sizeof(head));
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void refuses(int fd, int error)
{
	struct session_memory *memory = NULL;

	assert_int_equal(session_memory_map(fd, &memory), error);
	assert_null(memory);
	close(fd);
}

static void what_is_not_one_is_refused(void **state)
{
	const int sealed = F_SEAL_SHRINK | F_SEAL_GROW;
	const size_t size = sizeof(struct session_memory);
	cleanup_session_memory struct session_memory *memory = NULL;

	(void)state;
	cleanup_fd int right = make_memfd(size, sealed);
	assert_int_equal(session_memory_map(right, &memory), 0);
	refuses(make_memfd(size, 0), -EBADMSG);
	refuses(make_memfd(size, F_SEAL_GROW), -EBADMSG);
	refuses(make_memfd(size, F_SEAL_SHRINK), -EBADMSG);
	refuses(make_memfd(size - 1, sealed), -EBADMSG);
	refuses(make_memfd(size + 1, sealed), -EBADMSG);
	refuses(make_memfd(0, sealed), -EBADMSG);
	refuses(open("/dev/zero", O_RDWR | O_CLOEXEC), -EBADMSG);
	refuses(-1, -EBADF);
}

static void another_layout_is_refused(void **state)
{
	static const struct {
		size_t offset;
		int error;
	} fields[] = {
		{offsetof(struct session_memory, magic), -EBADMSG},
		{offsetof(struct session_memory, version), -EPROTONOSUPPORT},
		{offsetof(struct session_memory, size), -EBADMSG},
		{offsetof(struct session_memory, slot_count), -EBADMSG},
	};
	uint32_t other = 99;

	(void)state;
	for (size_t i = 0; i < array_length(fields); i++) {
		int fd = make_memfd(sizeof(struct session_memory), F_SEAL_SHRINK | F_SEAL_GROW);
		assert_int_equal(
			pwrite(fd, &other, sizeof(other), (off_t)fields[i].offset), sizeof(other));
		refuses(fd, fields[i].error);
	}
	/* Another version may have another size. */
	int fd = make_memfd(2 * sizeof(struct session_memory), F_SEAL_SHRINK | F_SEAL_GROW);
	assert_int_equal(pwrite(fd, &other, sizeof(other), sizeof(uint32_t)), sizeof(other));
	refuses(fd, -EPROTONOSUPPORT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_one_writes_another_reads),
		cmocka_unit_test(slots_are_idle_at_first),
		cmocka_unit_test(its_size_cannot_change),
		cmocka_unit_test(what_is_not_one_is_refused),
		cmocka_unit_test(another_layout_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

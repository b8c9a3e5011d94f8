/* SPDX-License-Identifier: Apache-2.0 */
/* Taking on the rights of others, in one thread alone, and coming back. Needs root. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/identity.h"

static const struct identity nobody = {.uid = 65534,
	.gid = 65533,
	.effective_uid = 65534,
	.effective_gid = 65533,
	.group_count = 2,
	.groups = {1000, 2000}};

static void needs_root(void)
{
	if (geteuid() != 0) {
		skip();
	}
}

static void own(struct identity *identity)
{
	assert_int_equal(identity_read(identity, gettid()), 0);
}

static void its_own_is_what_the_kernel_says(void **state)
{
	struct identity identity;
	gid_t groups[IDENTITY_GROUPS_MAX];

	(void)state;
	own(&identity);
	assert_int_equal(identity.uid, geteuid());
	assert_int_equal(identity.gid, getegid());
	assert_int_equal(identity.effective_uid, geteuid());
	assert_int_equal(identity.effective_gid, getegid());
	assert_int_equal(identity.group_count, getgroups(IDENTITY_GROUPS_MAX, groups));
	assert_true(identity_is_same(&identity, &identity));
	assert_int_equal(identity_read(&identity, 0), -ENOENT);
}

static void each_part_tells_two_apart(void **state)
{
	struct identity other;

	(void)state;
#define DIFFERS(field, value)                                    \
	do {                                                     \
		other = nobody;                                  \
		other.field = (value);                           \
		assert_false(identity_is_same(&nobody, &other)); \
	} while (0)
	DIFFERS(uid, 1);
	DIFFERS(gid, 1);
	DIFFERS(effective_uid, 1);
	DIFFERS(effective_gid, 1);
	DIFFERS(capabilities, 1);
	DIFFERS(group_count, 1);
	DIFFERS(groups[1], 1);
#undef DIFFERS
	other = nobody;
	other.groups[2] = 5; /* not counted */
	assert_true(identity_is_same(&nobody, &other));
}

static void ones_own_group_need_not_be_listed(void **state)
{
	struct identity one = {.gid = 7, .effective_gid = 7, .group_count = 2, .groups = {4, 9}};
	struct identity other = {
		.gid = 7, .effective_gid = 7, .group_count = 3, .groups = {4, 7, 9}};
	struct identity third = {.gid = 7, .effective_gid = 7, .group_count = 1, .groups = {4}};

	(void)state;
	assert_true(identity_is_same(&one, &other));
	assert_true(identity_is_same(&other, &one));
	assert_false(identity_is_same(&third, &other));
	assert_false(identity_is_same(&other, &third));
	assert_true(identity_can_assume(&one, &other));
	/* Whose list is another cannot be become without the right to it. */
	assert_false(identity_can_assume(&one, &third));
	one.permitted = 1u << CAP_SETGID;
	assert_true(identity_can_assume(&one, &third));
	/* Where the ids are not one, each counts. */
	one.effective_gid = other.effective_gid = 8;
	assert_false(identity_is_same(&one, &other));
}

static void another_has_other_rights_and_comes_back(void **state)
{
	char path[] = "/tmp/identity-XXXXXX";
	struct identity before, during, after;

	(void)state;
	needs_root();
	cleanup_fd int fd = mkstemp(path);
	assert_true(fd >= 0);
	own(&before);
	assert_int_equal(identity_assume(&nobody, &before), 0);
	own(&during);
	assert_true(identity_is_same(&during, &nobody));
	assert_int_equal(open(path, O_RDONLY | O_CLOEXEC), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(identity_assume(&before, &nobody), 0);
	own(&after);
	assert_true(identity_is_same(&before, &after));
	cleanup_fd int again = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(again >= 0);
	unlink(path);
}

static void capabilities_alone_can_differ(void **state)
{
	char path[] = "/tmp/identity-XXXXXX";
	struct identity before, weak;

	(void)state;
	needs_root();
	cleanup_fd int fd = mkstemp(path);
	assert_int_equal(fchown(fd, 65534, 65534), 0);
	assert_int_equal(fchmod(fd, 0600), 0);
	own(&before);
	weak = before;
	weak.capabilities &= ~((1ull << CAP_DAC_OVERRIDE) | (1ull << CAP_DAC_READ_SEARCH));
	assert_int_equal(identity_assume(&weak, &before), 0);
	int opened = open(path, O_RDONLY | O_CLOEXEC);
	int error = errno;
	assert_int_equal(identity_assume(&before, &weak), 0);
	assert_int_equal(opened, -1);
	assert_int_equal(error, EACCES);
	cleanup_fd int again = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(again >= 0);
	unlink(path);
}

static void filesystem_ids_may_be_others(void **state)
{
	struct identity before, odd, during;

	(void)state;
	needs_root();
	own(&before);
	odd = nobody;
	odd.effective_uid = 4711;
	odd.effective_gid = 4712;
	assert_int_equal(identity_assume(&odd, &before), 0);
	own(&during);
	assert_int_equal(identity_assume(&before, &odd), 0);
	assert_true(identity_is_same(&during, &odd));
}

static void *look_from_beside(void *argument)
{
	own(argument);
	return NULL;
}

static void others_threads_are_not_touched(void **state)
{
	struct identity before, beside;
	pthread_t thread;

	(void)state;
	needs_root();
	own(&before);
	struct identity *main_thread = calloc(1, sizeof(*main_thread));
	assert_int_equal(identity_assume(&nobody, &before), 0);
	/* A thread that is started now inherits; who was there before does not. */
	assert_int_equal(identity_read(main_thread, getpid()), 0);
	assert_int_equal(pthread_create(&thread, NULL, look_from_beside, &beside), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(identity_assume(&before, &nobody), 0);
	assert_true(identity_is_same(&beside, &nobody));
	assert_true(identity_is_same(main_thread, &nobody));
	free(main_thread);
}

struct helper {
	struct identity before;
	struct identity seen_from_main;
	int result;
};

static void *assume_in_thread(void *argument)
{
	struct helper *helper = argument;
	struct identity before;

	helper->result = identity_read(&before, gettid());
	if (helper->result == 0) {
		helper->result = identity_assume(&nobody, &before);
	}
	if (helper->result == 0) {
		helper->result = identity_read(&helper->seen_from_main, getpid());
	}
	return NULL; /* and ends as it is */
}

static void the_main_thread_stays_who_it_is(void **state)
{
	static struct helper helper;
	struct identity after;
	pthread_t thread;

	(void)state;
	needs_root();
	own(&helper.before);
	assert_int_equal(pthread_create(&thread, NULL, assume_in_thread, &helper), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(helper.result, 0);
	assert_true(identity_is_same(&helper.before, &helper.seen_from_main));
	own(&after);
	assert_true(identity_is_same(&helper.before, &after));
}

/* The other end of a unix socket is told who connects: it must not be told that it was us. */
static void a_peer_sees_whom_we_act_for(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct identity before;
	struct ucred peer = {0};
	socklen_t size = sizeof(peer);

	(void)state;
	needs_root();
	(void)snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "identity-%d", getpid());
	cleanup_fd int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cleanup_fd int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listening, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listening, 1), 0);
	own(&before);
	assert_int_equal(identity_assume(&nobody, &before), 0);
	int connected = connect(client, (struct sockaddr *)&address, sizeof(address));
	assert_int_equal(identity_assume(&before, &nobody), 0);
	assert_int_equal(connected, 0);
	cleanup_fd int accepted = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	assert_int_equal(getsockopt(accepted, SOL_SOCKET, SO_PEERCRED, &peer, &size), 0);
	assert_int_equal(peer.uid, 65534);
	assert_int_equal(peer.gid, 65533);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_own_is_what_the_kernel_says),
		cmocka_unit_test(each_part_tells_two_apart),
		cmocka_unit_test(ones_own_group_need_not_be_listed),
		cmocka_unit_test(another_has_other_rights_and_comes_back),
		cmocka_unit_test(capabilities_alone_can_differ),
		cmocka_unit_test(filesystem_ids_may_be_others),
		cmocka_unit_test(others_threads_are_not_touched),
		cmocka_unit_test(the_main_thread_stays_who_it_is),
		cmocka_unit_test(a_peer_sees_whom_we_act_for),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

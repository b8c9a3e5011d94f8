/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small parts of usherd that decide: tallies, authorisation, who a peer is, and the identity
 * that a broker is told to take.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/authorise.h"
#include "daemon/base/cleanup.h"
#include "daemon/base/control_path.h"
#include "daemon/broker/become.h"
#include "daemon/config.h"
#include "daemon/peer.h"
#include "daemon/tally.h"

static void a_tally_holds_both_limits(void **state)
{
	struct tally_limits limits = {.per_user = 2, .total = 3};
	struct tally tally = {0};

	(void)state;
	assert_int_equal(tally_enter(&tally, 1, limits), 0);
	assert_int_equal(tally_enter(&tally, 1, limits), 0);
	assert_int_equal(tally_enter(&tally, 1, limits), -EUSERS);
	assert_int_equal(tally_enter(&tally, 2, limits), 0);
	assert_int_equal(tally_enter(&tally, 2, limits), -ENOSPC);
	tally_leave(&tally, 1);
	assert_int_equal(tally_enter(&tally, 2, limits), 0);
	assert_int_equal(tally.total, 3);
	tally_finish(&tally);
}

static void a_tally_forgets_who_has_left(void **state)
{
	struct tally_limits limits = {.per_user = 1, .total = 1000};
	struct tally tally = {0};

	(void)state;
	for (uid_t uid = 0; uid < 100; uid++) {
		assert_int_equal(tally_enter(&tally, uid, limits), 0);
	}
	for (uid_t uid = 0; uid < 100; uid += 2) {
		tally_leave(&tally, uid);
	}
	assert_int_equal(tally.user_count, 50);
	assert_int_equal(tally_enter(&tally, 50, limits), 0);
	assert_int_equal(tally_enter(&tally, 51, limits), -EUSERS);
	tally_finish(&tally);
}

static gid_t groups[] = {20, 30};
static uid_t alice[] = {1000};
static gid_t staff[] = {30};
static char *of_alice[] = {"default", "web-*"}, *of_staff[] = {"build"}, *of_all[] = {"offline"};
static struct grant grants[] = {
	{.name = "alice", .users = alice, .user_count = 1, .policies = of_alice, .policy_count = 2},
	{.name = "staff",
		.groups = staff,
		.group_count = 1,
		.policies = of_staff,
		.policy_count = 1},
};
static struct grant everybody = {
	.name = "all", .any_user = true, .policies = of_all, .policy_count = 1};
static const struct peer daemon_of_root = {.uid = 0};

static void grants_give_what_they_say(void **state)
{
	const struct config config = {.grants = grants, .grant_count = 2};
	const struct peer alone = {.uid = 1000, .gid = 1000};
	const struct peer in_group = {.uid = 2000, .gid = 2000, .groups = groups, .group_count = 2};
	const struct peer by_gid = {.uid = 2000, .gid = 30};
	const struct peer stranger = {.uid = 3000, .gid = 3000, .groups = groups, .group_count = 1};
	const struct peer root = {.uid = 0};

	(void)state;
	assert_null(authorise(&config, &daemon_of_root, &alone, "default"));
	assert_null(authorise(&config, &daemon_of_root, &alone, "web-80"));
	assert_non_null(authorise(&config, &daemon_of_root, &alone, "build"));
	assert_null(authorise(&config, &daemon_of_root, &in_group, "build"));
	assert_null(authorise(&config, &daemon_of_root, &by_gid, "build"));
	assert_non_null(authorise(&config, &daemon_of_root, &in_group, "default"));
	assert_non_null(authorise(&config, &daemon_of_root, &stranger, "default"));
	assert_null(authorise(&config, &daemon_of_root, &root, "default"));
}

static void without_a_grant_there_is_root_alone(void **state)
{
	const struct config none = {.grants = NULL};
	const struct config all = {.grants = &everybody, .grant_count = 1};
	const struct peer user = {.uid = 1000, .gid = 1000}, root = {.uid = 0};

	(void)state;
	assert_non_null(authorise(&none, &daemon_of_root, &user, "offline"));
	assert_null(authorise(&none, &daemon_of_root, &root, "offline"));
	assert_null(authorise(&all, &daemon_of_root, &user, "offline"));
	assert_non_null(authorise(&all, &daemon_of_root, &user, "default"));
}

static void a_users_daemon_serves_its_like_alone(void **state)
{
	const struct config config = {.grants = NULL};
	const struct peer self = {.uid = 1000, .gid = 1000, .groups = groups, .group_count = 2};
	struct peer peer = self;

	(void)state;
	assert_null(authorise(&config, &self, &peer, "anything"));
	peer.uid = 0;
	assert_non_null(authorise(&config, &self, &peer, "anything"));
	peer.uid = 1001;
	assert_non_null(authorise(&config, &self, &peer, "anything"));
	peer = self;
	peer.gid = 20; /* after newgrp(1) */
	assert_non_null(authorise(&config, &self, &peer, "anything"));
	peer = self;
	peer.group_count = 1;
	assert_non_null(authorise(&config, &self, &peer, "anything"));
}

static void names_of_policies_are_not_paths(void **state)
{
	char too_long[200];

	(void)state;
	memset(too_long, 'x', sizeof(too_long));
	too_long[sizeof(too_long) - 1] = '\0';
	assert_true(authorise_is_policy_name("default"));
	assert_true(authorise_is_policy_name("web.1"));
	assert_false(authorise_is_policy_name(""));
	assert_false(authorise_is_policy_name("."));
	assert_false(authorise_is_policy_name(".."));
	assert_false(authorise_is_policy_name(".hidden"));
	assert_false(authorise_is_policy_name("../etc/x"));
	assert_false(authorise_is_policy_name("a/b"));
	assert_false(authorise_is_policy_name("/a"));
	assert_false(authorise_is_policy_name(too_long));
}

static void a_peer_is_who_it_is(void **state)
{
	int pair[2];
	struct peer peer;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(peer_init(&peer, pair[0]), 0);
	assert_int_equal(peer.pid, getpid());
	assert_int_equal(peer.uid, geteuid());
	assert_int_equal(peer.gid, getegid());
	assert_int_equal(peer.group_count, getgroups(0, NULL));
	assert_true(peer_is_running(&peer));
	assert_int_equal(peer_thread(&peer, (pid_t)syscall(SYS_gettid)), syscall(SYS_gettid));
	assert_int_equal(peer_thread(&peer, 1), -ESRCH);
	assert_int_equal(peer_thread(&peer, 0), -ESRCH);
	assert_int_equal(peer_thread(&peer, -1), -ESRCH);
	cleanup_free char *directory = peer_working_directory(&peer);
	cleanup_free char *expected = getcwd(NULL, 0);
	assert_string_equal(directory, expected);
	peer_finish(&peer);
	close(pair[0]);
	close(pair[1]);
}

static void the_broker_understands_who_to_become(void **state)
{
	struct peer peer = {.pidfd = -1,
		.uid = 1000,
		.gid = 4294967294u,
		.groups = groups,
		.group_count = 2,
		.capabilities = 0x1fffeffffffull};
	struct become become;

	(void)state;
	cleanup_free char *text = peer_become(&peer);
	assert_string_equal(text, "1000:4294967294:20,30:1fffeffffff");
	assert_int_equal(become_parse(&become, text), 0);
	assert_int_equal(become.uid, 1000);
	assert_int_equal(become.gid, 4294967294u);
	assert_int_equal(become.group_count, 2);
	assert_memory_equal(become.groups, groups, sizeof(groups));
	assert_int_equal(become.capabilities, 0x1fffeffffffull);
	become_finish(&become);
}

static void a_malformed_identity_is_refused(void **state)
{
	static const char *const wrong[] = {"", "1", "1:2", "1:2:3", "1:2:3,4", "1:2:3,:0",
		"1:2:,3:0", "1:2::", "1:2::-1", "1:2:: 1", "-1:2::0", "+1:2::0", "1: 2::0",
		"4294967295:0::0", "0:4294967295::0", "0:0:4294967295:0",
		"99999999999999999999:0::0", "root:0::0", "1:2::0:0", "1:2::g",
		"1:2::1ffffffffffffffff"};
	struct become become;

	(void)state;
	for (size_t i = 0; i < array_length(wrong); i++) {
		assert_int_equal(become_parse(&become, wrong[i]), -EINVAL);
		assert_null(become.groups);
	}
	assert_int_equal(become_parse(&become, "1:2::0"), 0);
	assert_int_equal(become.group_count, 0);
	become_finish(&become);
}

static void the_control_socket_lies_beside(void **state)
{
	cleanup_free char *usual = control_path("/run/usher/usherd.sock");
	cleanup_free char *other = control_path("/tmp/mine");

	(void)state;
	assert_string_equal(usual, "/run/usher/usherd.control");
	assert_string_equal(other, "/tmp/mine.control");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tally_holds_both_limits),
		cmocka_unit_test(a_tally_forgets_who_has_left),
		cmocka_unit_test(grants_give_what_they_say),
		cmocka_unit_test(without_a_grant_there_is_root_alone),
		cmocka_unit_test(a_users_daemon_serves_its_like_alone),
		cmocka_unit_test(names_of_policies_are_not_paths),
		cmocka_unit_test(a_peer_is_who_it_is),
		cmocka_unit_test(the_broker_understands_who_to_become),
		cmocka_unit_test(a_malformed_identity_is_refused),
		cmocka_unit_test(the_control_socket_lies_beside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

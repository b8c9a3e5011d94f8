/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session in words (daemon/record.h): what is written is read again, what another build has
 * written is read as far as it is of the same version, and of what is none nothing is believed and
 * no descriptor lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/base/cleanup.h"
#include "daemon/parcel.h"
#include "daemon/record.h"
#include "daemon/session.h"
#include "usher/wire.h"

#define FDS_MAX 8u

/* As the first build wrote it that kept sessions, whatever has come to it since. */
#define FIRST_RECORD                                                                           \
	"{\"version\":1,\"id\":7,\"tid\":40,\"started\":1700000000,\"pid\":41,\"uid\":1000,"   \
	"\"gid\":100,\"capabilities\":3,\"process_started\":99,\"policy\":\"build\","          \
	"\"command\":\"make all\",\"groups\":[4,24],\"descriptors\":[\"listener\",\"memory\"," \
	"\"snapshot\",\"verbose\"]}"

struct reading {
	struct session session;
	int fds[FDS_MAX];
	size_t count;
};

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static int read_record(struct reading *reading, const char *text, size_t count)
{
	*reading = (struct reading){.count = count};
	for (size_t i = 0; i < count; i++) {
		reading->fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
		assert_true(reading->fds[i] >= 0);
	}
	return record_read(&reading->session, text, reading->fds, count);
}

/* As adopt.c does it: who read closes what it was not given, and what it was. */
static void finish(struct reading *reading)
{
	struct session *session = &reading->session;
	int *taken[] = {&session->listener, &session->memory_fd, &session->snapshot,
		&session->first_snapshot, &session->log, &session->verbose, &session->audit};

	for (size_t i = 0; i < array_length(taken); i++) {
		close_fd(taken[i]);
	}
	for (size_t i = 0; i < reading->count; i++) {
		close_fd(&reading->fds[i]);
	}
	for (size_t i = 0; i < array_length(session->given); i++) {
		close_fd(&session->given[i]);
	}
	peer_finish(&session->peer);
	free(session->policy);
	free(session->command);
	free(session->user);
}

static void the_first_builds_record_is_read(void **state)
{
	struct reading reading;
	const struct session *session = &reading.session;

	(void)state;
	assert_int_equal(read_record(&reading, FIRST_RECORD, 4), 0);
	assert_int_equal(session->id, 7);
	assert_int_equal(session->tid, 40);
	assert_int_equal(session->started, 1700000000);
	assert_int_equal(session->peer.pid, 41);
	assert_int_equal(session->peer.uid, 1000);
	assert_int_equal(session->peer.gid, 100);
	assert_int_equal(session->peer.capabilities, 3);
	assert_int_equal(session->peer.started, 99);
	assert_int_equal(session->policy_number, 0);
	assert_string_equal(session->policy, "build");
	assert_string_equal(session->command, "make all");
	assert_null(session->user);
	assert_int_equal(session->peer.group_count, 2);
	assert_int_equal(session->peer.groups[1], 24);
	assert_true(is_open(session->listener) && is_open(session->memory_fd) &&
		    is_open(session->snapshot) && is_open(session->verbose));
	assert_int_equal(session->log, -1);
	cleanup_fd int verbose = -1;
	assert_int_equal(parcel_unwrap(session->verbose, &verbose), 0);
	assert_true(is_open(verbose));
	assert_int_equal(session->first_snapshot, -1);
	finish(&reading);
}

static void what_is_written_is_read(void **state)
{
	struct reading first, second;
	int fds[FDS_MAX];

	(void)state;
	assert_int_equal(read_record(&first, FIRST_RECORD, 4), 0);
	first.session.policy_number = 12;
	first.session.user = strdup("somebody");
	first.session.first_snapshot = open("/dev/null", O_RDWR | O_CLOEXEC);
	cleanup_free char *text = record_write(&first.session);
	size_t count = record_descriptors(&first.session, fds);
	assert_int_equal(count, 5);
	assert_int_equal(read_record(&second, text, count), 0);
	cleanup_free char *again = record_write(&second.session);
	assert_string_equal(text, again);
	assert_int_equal(second.session.policy_number, 12);
	assert_string_equal(second.session.user, "somebody");
	assert_true(is_open(second.session.first_snapshot));
	finish(&first);
	finish(&second);
}

static void what_a_later_build_adds_does_no_harm(void **state)
{
	static const char text[] =
		"{\"version\":1,\"id\":7,\"later\":{\"a\":[1]},\"policy\":\"p\",\"command\":\"c\","
		"\"groups\":[],\"descriptors\":[\"listener\",\"later\",\"memory\",\"snapshot\"]}";
	struct reading reading;

	(void)state;
	assert_int_equal(read_record(&reading, text, 4), 0);
	assert_true(is_open(reading.fds[1])); /* still the caller's */
	finish(&reading);
}

static void what_is_none_is_refused(void **state)
{
#define DESCRIPTORS "\"descriptors\":[\"listener\",\"memory\",\"snapshot\"]"
#define STRINGS     "\"policy\":\"p\",\"command\":\"c\""
	static const struct {
		const char *text;
		int error;
	} cases[] = {
		{"", -EBADMSG},
		{"nonsense", -EBADMSG},
		{"[]", -EBADMSG},
		{"{}", -EBADMSG},
		{"{\"version\":1}", -EBADMSG},
		{"{\"version\":2}", -EPROTONOSUPPORT},
		{"{\"version\":null}", -EPROTONOSUPPORT},
		{"{\"version\":1," STRINGS ",\"groups\":[]}", -EBADMSG},
		{"{\"version\":1," STRINGS ",\"groups\":{}," DESCRIPTORS "}", -EBADMSG},
		{"{\"version\":1," STRINGS ",\"groups\":null," DESCRIPTORS "}", -EBADMSG},
		{"{\"version\":1,\"policy\":null,\"command\":\"c\",\"groups\":[]," DESCRIPTORS "}",
			-EBADMSG},
		{"{\"version\":1,\"policy\":[1],\"command\":\"c\",\"groups\":[]," DESCRIPTORS "}",
			-EBADMSG},
		{"{\"version\":1,\"command\":\"c\",\"groups\":[]," DESCRIPTORS "}", -EBADMSG},
		{"{\"version\":1,\"id\":\"7\"," STRINGS ",\"groups\":[]," DESCRIPTORS "}",
			-EBADMSG},
		{"{\"version\":1,\"id\":null," STRINGS ",\"groups\":[]," DESCRIPTORS "}", -EBADMSG},
		{"{\"version\":1," STRINGS ",\"groups\":[],\"descriptors\":[\"listener\"]}",
			-EBADMSG},
		{"{\"version\":1," STRINGS
		 ",\"groups\":[],\"descriptors\":[\"listener\",\"listener\",\"listener\"]}",
			-EBADMSG},
		{"{\"version\":1," STRINGS ",\"groups\":[],\"descriptors\":[null,{},7]}", -EBADMSG},
	};
#undef DESCRIPTORS
#undef STRINGS

	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		struct reading reading;
		int free_before = open("/dev/null", O_RDONLY | O_CLOEXEC);
		close(free_before);
		assert_int_equal(read_record(&reading, cases[i].text, 3), cases[i].error);
		finish(&reading);
		/* Whoever had them, all are closed. */
		int free_after = open("/dev/null", O_RDONLY | O_CLOEXEC);
		assert_int_equal(free_after, free_before);
		for (int fd = free_before + 1; fd < free_before + 4; fd++) {
			assert_false(is_open(fd));
		}
		close(free_after);
	}
}

static void a_broker_is_known_by_its_number(void **state)
{
	cleanup_free char *text = record_write_broker(123);
	char wrong[64];
	pid_t pid = 0;

	(void)state;
	assert_int_equal(record_read_broker(text, &pid), 0);
	assert_int_equal(pid, 123);
	(void)snprintf(wrong, sizeof(wrong), "{\"version\":1,\"wire\":%u}", WIRE_VERSION);
	assert_int_equal(record_read_broker(wrong, &pid), -EBADMSG);
	(void)snprintf(
		wrong, sizeof(wrong), "{\"version\":1,\"pid\":-1,\"wire\":%u}", WIRE_VERSION);
	assert_int_equal(record_read_broker(wrong, &pid), -EBADMSG);
	/* The first ones did not tell how they speak: in another way than we do. */
	assert_int_equal(record_read_broker("{\"version\":1,\"pid\":1}", &pid), -EPROTONOSUPPORT);
	assert_int_equal(record_read_broker("{\"version\":9,\"pid\":1}", &pid), -EPROTONOSUPPORT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_builds_record_is_read),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(what_a_later_build_adds_does_no_harm),
		cmocka_unit_test(what_is_none_is_refused),
		cmocka_unit_test(a_broker_is_known_by_its_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

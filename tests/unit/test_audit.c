/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit: nothing is lost without a count, only decisions are logged, and all are counted. What
 * a line says is for test_audit_line.c.
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "audited.h"
#include "daemon/base/cleanup.h"
#include "daemon/base/fdpass.h"
#include "daemon/base/wire.h"
#include "daemon/broker/audit.h"
#include "daemon/broker/programs.h"
#include "daemon/broker/statistics.h"

#define PATIENCE_MS 900 /* a little less than the audit has */
#define TRIES       10
#define DRAINS      60

/* The log as text; to be freed. */
static char *read_log(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char *text = calloc(1, (size_t)size + 1);

	assert_non_null(text);
	assert_int_equal(pread(fd, text, (size_t)size, 0), size);
	return text;
}

static unsigned int count_lines(int fd, uint64_t *dropped)
{
	cleanup_free char *text = read_log(fd);
	unsigned int lines = 0;

	*dropped = 0;
	for (char *line = text; *line; lines++) {
		char *end = strchr(line, '\n');
		assert_non_null(end);
		*end = '\0';
		struct json_object *object = json_tokener_parse(line);
		assert_non_null(object);
		const char *left_out = audited_text(object, "dropped");
		*dropped += left_out ? strtoull(left_out, NULL, 10) : 0;
		json_object_put(object);
		line = end + 1;
	}
	return lines;
}

/*
 * How many lines were written or left out, once that is all of them: draining gives up where its
 * writer gets no processor for a second.
 */
static uint64_t drain_all(
	struct audit *log, const struct stage *stage, int fd, uint64_t all, uint64_t *dropped)
{
	uint64_t count = 0;

	for (int i = 0; i < DRAINS && count < all; i++) {
		audit_drain(log);
		count = count_lines(fd, dropped) + stage->broker.memory->counters.audit_dropped;
	}
	return count;
}

static int new_audit(struct stage *stage, struct audit **audit)
{
	int log = memfd_create("log", MFD_CLOEXEC);
	int kept = fcntl(log, F_DUPFD_CLOEXEC, 0);
	const struct audit_outputs outputs = {.log = log, .verbose = -1, .supervisor = -1};

	stage->broker.memory->counters = (struct session_counters){0};
	memset(&stage->broker.memory->statistics, 0, sizeof(struct session_statistics));
	assert_int_equal(audit_new(audit, stage->broker.memory, &outputs), 0);
	return kept;
}

/* How often the call was counted with this verdict. */
static uint64_t counted(const struct stage *stage, int call, enum session_verdict verdict)
{
	const struct session_statistics *statistics = &stage->broker.memory->statistics;

	for (size_t i = 0; i < SESSION_CALLS; i++) {
		if (statistics->calls[i].number == (uint32_t)call + 1) {
			return statistics->calls[i].counts[verdict];
		}
	}
	return 0;
}

static void no_line_is_lost_below_the_limit(void **state)
{
	struct stage *stage = *state;
	struct audit *log = NULL;
	uint64_t dropped;
	cleanup_fd int fd = new_audit(stage, &log);

	for (int i = 0; i < 900; i++) {
		audit_expect(log, audited_open(stage, "/a", "/a"));
		audit(log, audited_open(stage, "/a", "/a"), ACT_DONE);
	}
	assert_int_equal(drain_all(log, stage, fd, 900, &dropped), 900);
	assert_int_equal(dropped, 0);
	assert_int_equal(stage->broker.memory->counters.audit_dropped, 0);
	assert_int_equal(stage->broker.memory->counters.denied, 900);
}

static void what_is_left_out_is_counted(void **state)
{
	struct stage *stage = *state;
	struct audit *log = NULL;
	uint64_t dropped;
	cleanup_fd int fd = new_audit(stage, &log);
	struct request *request = audited_open(stage, "/a", "/a");
	const unsigned int count = 30000;

	for (unsigned int i = 0; i < count; i++) {
		audit_expect(log, request);
		audit(log, request, ACT_DONE);
	}
	assert_int_equal(drain_all(log, stage, fd, count, &dropped), count);
	uint64_t lost = stage->broker.memory->counters.audit_dropped;
	assert_true(lost > 0);
	assert_int_equal(stage->broker.memory->counters.denied, count);
	/* After a pause there is room again, and the next line tells of all that went before. */
	usleep(100000);
	audit_expect(log, request);
	audit(log, request, ACT_DONE);
	assert_int_equal(drain_all(log, stage, fd, count + 1, &dropped), count + 1);
	assert_int_equal(dropped, lost);
}

static void a_program_that_has_ended_has_its_name(void **state)
{
	struct programs *programs = programs_new();
	struct program program;
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		pause();
		_exit(0);
	}
	programs_note(programs, child, 1);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_false(programs_ask(child, &program));
	/* The second look, within a second, does not replace what is known by nothing. */
	programs_note(programs, child, 2);
	assert_true(programs_recall(programs, child, &program));
	assert_string_equal(program.name, "test_audit");
	assert_int_equal(program.pid, child);
	assert_false(programs_recall(programs, child + 1, &program));
	assert_false(programs_recall(NULL, child, &program));
	free(programs);
}

static void *decide_later(void *argument)
{
	struct stage *stage = argument;

	usleep(50000);
	audit(stage->broker.audit, audited_open(stage, "/a", "/a"), ACT_DONE);
	return NULL;
}

/* Whether draining has waited for the one decision that was to come, and not until its patience
 * ended. */
static bool drains_when_decided(struct stage *stage)
{
	struct audit *log = NULL;
	pthread_t thread;
	uint64_t dropped;
	cleanup_fd int fd = new_audit(stage, &log);

	stage->broker.audit = log;
	audit_expect(log, audited_open(stage, "/a", "/a"));
	assert_int_equal(pthread_create(&thread, NULL, decide_later, stage), 0);
	uint64_t begin = clock_ns(CLOCK_MONOTONIC);
	audit_drain(log);
	uint64_t took = (clock_ns(CLOCK_MONOTONIC) - begin) / 1000000;
	unsigned int lines = count_lines(fd, &dropped);
	pthread_join(thread, NULL);
	return lines == 1 && took < PATIENCE_MS;
}

/* Where a busy machine lets the one who decides wait for so long, once more. */
static void draining_ends_with_what_was_expected(void **state)
{
	bool drained = false;

	for (int i = 0; i < TRIES && !drained; i++) {
		drained = drains_when_decided(*state);
	}
	assert_true(drained);
}

static void only_decisions_are_logged_and_counted(void **state)
{
	struct stage *stage = *state;
	struct session_counters *counters = &stage->broker.memory->counters;
	static struct audit *log; /* nothing is written, so no thread keeps it */
	uint64_t dropped;
	cleanup_fd int fd = new_audit(stage, &log);
	struct request *request = audited_open(stage, "/a", "/a");

	audit_expect(log, request);
	audit(log, request, ACT_GONE);
	audit_expect(log, request);
	audit(log, request, ACT_GIVE_BACK);
	request->verdict = (struct policy_verdict){.action = POLICY_ALLOW};
	audit_expect(log, request);
	audit(log, request, ACT_DONE);
	request->verdict.action = POLICY_INJECT;
	audit_expect(log, request);
	audit(log, request, ACT_DONE);
	request->verdict.action = POLICY_ALLOW;
	request->call = CALL_FORGET;
	audit_expect(log, request);
	audit(log, request, ACT_CONTINUE);
	audit_drain(log);
	assert_int_equal(count_lines(fd, &dropped), 0); /* no verdict said `log` */
	assert_int_equal(counters->allowed, 1);
	assert_int_equal(counters->injected, 1);
	assert_int_equal(counters->denied, 0);
	/* The statistics count each answer, whatever it was about. */
	assert_int_equal(counted(stage, SYS_openat, SESSION_ALLOWED), 2);
	assert_int_equal(counted(stage, SYS_openat, SESSION_INJECTED), 1);
}

static void calls_are_counted_apart_as_long_as_there_is_room(void **state)
{
	struct session_statistics statistics = {.nanoseconds = 0};
	uint64_t now = clock_ns(CLOCK_BOOTTIME);
	uint64_t delays = 0;

	(void)state;
	for (int call = 0; call < (int)SESSION_CALLS + 5; call++) {
		statistics_count(&statistics, 3 * call, SESSION_DENIED, now);
		statistics_count(&statistics, 3 * call, SESSION_ALLOWED, now);
	}
	for (size_t i = 0; i < SESSION_CALLS; i++) {
		assert_int_equal((statistics.calls[i].number - 1) % 3, 0);
		assert_int_equal(statistics.calls[i].counts[SESSION_DENIED], 1);
		assert_int_equal(statistics.calls[i].counts[SESSION_ALLOWED], 1);
	}
	assert_int_equal(statistics.other.counts[SESSION_DENIED], 5);
	for (size_t i = 0; i < SESSION_DELAYS; i++) {
		delays += statistics.delays[i];
	}
	assert_int_equal(delays, 2 * (SESSION_CALLS + 5));
}

static void delays_are_sorted_by_powers_of_two(void **state)
{
	(void)state;
	assert_int_equal(statistics_bucket(0), 0);
	assert_int_equal(statistics_bucket(999), 0);
	assert_int_equal(statistics_bucket(1000), 1);
	assert_int_equal(statistics_bucket(1999), 1);
	assert_int_equal(statistics_bucket(2000), 2);
	assert_int_equal(statistics_bucket(15999), 4);
	assert_int_equal(statistics_bucket(UINT64_MAX), SESSION_DELAYS - 1);
}

/* The records that have come, or -EAGAIN. */
static int receive_decision(int socket, char *text, size_t size)
{
	union {
		struct wire_decision decision;
		char room[WIRE_PACKET_MAX];
	} packet;
	int fds[FDPASS_MAX];
	size_t fd_count;
	ssize_t length = fdpass_receive(socket, &packet, sizeof(packet), fds, &fd_count);

	if (length > 0) {
		assert_int_equal(
			wire_check(WIRE_PHASE_SERVING, &packet, (size_t)length, fd_count), 0);
		assert_int_equal(wire_type_of(&packet), WIRE_DECISION);
		assert_in_range(packet.decision.text_size, 1, size);
		memcpy(text, packet.room + sizeof(packet.decision), packet.decision.text_size);
	}
	return (int)length;
}

static void who_watches_sees_what_no_log_has(void **state)
{
	struct stage *stage = *state;
	struct session_memory *memory = stage->broker.memory;
	struct audit *log = NULL;
	char text[WIRE_RECORD_MAX];
	int pair[2];
	uint64_t seen = 0;

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	const struct audit_outputs outputs = {.log = -1, .verbose = -1, .supervisor = pair[0]};
	memory->counters = (struct session_counters){0};
	memset(&memory->statistics, 0, sizeof(memory->statistics));
	assert_int_equal(audit_new(&log, memory, &outputs), 0);
	struct request *request = audited_open(stage, "/a", "/a");
	request->verdict.action = POLICY_ALLOW;
	request->result = 5;

	audit_expect(log, request);
	audit(log, request, ACT_DONE);
	audit_drain(log);
	assert_int_equal(receive_decision(pair[1], text, sizeof(text)), -EAGAIN);
	memory->watched = 1u << SESSION_ALLOWED;
	for (unsigned int i = 0; i < 20000; i++) {
		audit_expect(log, request);
		audit(log, request, ACT_DONE);
	}
	audit_drain(log);
	while (receive_decision(pair[1], text, sizeof(text)) > 0) {
		struct json_object *object = json_tokener_parse(text);
		assert_string_equal(audited_text(object, "verdict"), "allow");
		assert_string_equal(audited_text(object, "asked"), "/a");
		json_object_put(object);
		seen++;
	}
	/* What the socket or the rate had no room for is counted, and is no loss of the log's. */
	assert_true(seen > 0);
	assert_int_equal(seen + memory->statistics.untold, 20000);
	assert_int_equal(memory->counters.audit_dropped, 0);
	memory->watched = 0;
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_line_is_lost_below_the_limit),
		cmocka_unit_test(what_is_left_out_is_counted),
		cmocka_unit_test(a_program_that_has_ended_has_its_name),
		cmocka_unit_test(draining_ends_with_what_was_expected),
		cmocka_unit_test(only_decisions_are_logged_and_counted),
		cmocka_unit_test(calls_are_counted_apart_as_long_as_there_is_room),
		cmocka_unit_test(delays_are_sorted_by_powers_of_two),
		cmocka_unit_test(who_watches_sees_what_no_log_has),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, stage_set_up, stage_tear_down);
}

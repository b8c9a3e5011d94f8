/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire_check against a second account of include/usher/wire.h: each type in each phase, with each
 * size around the right one and each number of descriptors; then the strings of HELLO.
 */
#include <errno.h>
#include <linux/filter.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/wire.h"

#define FDS_TRIED 6

/* A right packet of each type, and the phases in which it is legal. */
struct sample {
	enum wire_type type;
	size_t size, fds;
	bool legal[WIRE_PHASES];
	uint32_t flags;
};

static const struct sample samples[] = {
	{WIRE_HELLO, sizeof(struct wire_hello) + 5, 0,
		{[WIRE_PHASE_HELLO] = true, [WIRE_PHASE_LISTENER] = true}, 0},
	{WIRE_HELLO, sizeof(struct wire_hello) + 5, 1,
		{[WIRE_PHASE_HELLO] = true, [WIRE_PHASE_LISTENER] = true}, WIRE_HELLO_LOG},
	{WIRE_HELLO, sizeof(struct wire_hello) + 5, 1,
		{[WIRE_PHASE_HELLO] = true, [WIRE_PHASE_LISTENER] = true}, WIRE_HELLO_VERBOSE},
	{WIRE_HELLO, sizeof(struct wire_hello) + 5, 2,
		{[WIRE_PHASE_HELLO] = true, [WIRE_PHASE_LISTENER] = true},
		WIRE_HELLO_LOG | WIRE_HELLO_VERBOSE},
	{WIRE_FILTER, sizeof(struct wire_filter) + 3 * sizeof(struct sock_filter), 0,
		{[WIRE_PHASE_FILTER] = true}, 0},
	{WIRE_LISTENER, sizeof(struct wire_listener), 1, {[WIRE_PHASE_LISTENER] = true}, 0},
	{WIRE_READY, sizeof(struct wire_ready), 0,
		{[WIRE_PHASE_READY] = true, [WIRE_PHASE_SERVING] = true}, 0},
	{WIRE_REFUSED, sizeof(struct wire_refused) + 4, 0,
		{[WIRE_PHASE_FILTER] = true,
			[WIRE_PHASE_READY] = true,
			[WIRE_PHASE_LISTENER] = true,
			[WIRE_PHASE_SERVING] = true},
		0},
	{WIRE_START, sizeof(struct wire_start), 3, {[WIRE_PHASE_START] = true}, 0},
	{WIRE_START, sizeof(struct wire_start), 5, {[WIRE_PHASE_START] = true},
		WIRE_START_LOG | WIRE_START_VERBOSE | WIRE_START_RESUME},
	{WIRE_CHILD, sizeof(struct wire_child), 0,
		{[WIRE_PHASE_READY] = true, [WIRE_PHASE_SERVING] = true}, 0},
	{WIRE_DECISION, sizeof(struct wire_decision) + 4, 0, {[WIRE_PHASE_SERVING] = true}, 0},
	{WIRE_POLICY, sizeof(struct wire_policy), 1, {[WIRE_PHASE_SERVED] = true}, 0},
	{WIRE_TAKEN, sizeof(struct wire_taken), 0, {[WIRE_PHASE_SERVING] = true}, 0},
	{WIRE_SIGNAL, sizeof(struct wire_signal), 0, {[WIRE_PHASE_SERVED] = true}, 0},
	{WIRE_HELLO, sizeof(struct wire_hello) + 5, 0,
		{[WIRE_PHASE_HELLO] = true, [WIRE_PHASE_LISTENER] = true}, WIRE_HELLO_LANDLOCK},
	/* A policy that names sockets: one, and two of them brought. */
	{WIRE_FILTER, sizeof(struct wire_filter) + 3 * sizeof(struct sock_filter) + 4, 0,
		{[WIRE_PHASE_FILTER] = true}, 1},
	{WIRE_LISTENER, sizeof(struct wire_listener), 3, {[WIRE_PHASE_LISTENER] = true}, 2},
};
#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

union packet {
	struct wire_header header;
	struct wire_hello hello;
	struct wire_filter filter;
	struct wire_listener listener;
	struct wire_refused refused;
	struct wire_start start;
	struct wire_decision decision;
	char bytes[256];
};

static union packet make(const struct sample *sample)
{
	union packet packet = {.header = wire_header_make(sample->type, sample->size)};

	switch (sample->type) {
	case WIRE_HELLO:
		packet.hello.flags = sample->flags;
		packet.hello.tail_size = 5;
		memcpy(packet.bytes + sizeof(packet.hello), "p\0ls", 5);
		break;
	case WIRE_FILTER:
		packet.filter.count = 3;
		packet.filter.given_count = (uint16_t)sample->flags;
		packet.filter.given_size = (uint16_t)(4 * sample->flags);
		memcpy(packet.bytes + sizeof(packet.filter) + 3 * sizeof(struct sock_filter), "web",
			packet.filter.given_size);
		break;
	case WIRE_LISTENER:
		packet.listener.given_count = sample->flags;
		break;
	case WIRE_REFUSED:
		packet.refused.text_size = 4;
		memcpy(packet.bytes + sizeof(packet.refused), "why", 4);
		break;
	case WIRE_DECISION:
		packet.decision.text_size = 4;
		memcpy(packet.bytes + sizeof(packet.decision), "{ }", 4);
		break;
	case WIRE_START:
		packet.start.flags = sample->flags;
		break;
	default:
		break;
	}
	return packet;
}

static void passes_in_its_phases_only(void **state)
{
	(void)state;
	for (size_t i = 0; i < SAMPLES; i++) {
		union packet packet = make(&samples[i]);
		for (enum wire_phase phase = 0; phase < WIRE_PHASES; phase++) {
			int expected = samples[i].legal[phase] ? 0 : -EPROTO;
			assert_int_equal(
				wire_check(phase, &packet, samples[i].size, samples[i].fds),
				expected);
		}
		assert_int_equal(wire_type_of(&packet), samples[i].type);
	}
}

static void each_type_is_tried(void **state)
{
	bool seen[WIRE_TYPES] = {false};

	(void)state;
	for (size_t i = 0; i < SAMPLES; i++) {
		seen[samples[i].type] = true;
	}
	for (size_t type = WIRE_HELLO; type < WIRE_TYPES; type++) {
		assert_true(seen[type]);
	}
}

static void passes_with_its_descriptors_only(void **state)
{
	(void)state;
	for (size_t i = 0; i < SAMPLES; i++) {
		union packet packet = make(&samples[i]);
		for (enum wire_phase phase = 0; phase < WIRE_PHASES; phase++) {
			for (size_t fds = 0; fds < FDS_TRIED; fds++) {
				bool right = samples[i].legal[phase] && fds == samples[i].fds;
				assert_int_equal(wire_check(phase, &packet, samples[i].size, fds),
					right ? 0 : -EPROTO);
			}
		}
	}
}

/* Received with another size than it states, and stating another than its type has. */
static void passes_with_its_size_only(void **state)
{
	(void)state;
	for (size_t i = 0; i < SAMPLES; i++) {
		for (enum wire_phase phase = 0; phase < WIRE_PHASES; phase++) {
			for (size_t size = 0; size < sizeof(union packet); size++) {
				union packet packet = make(&samples[i]);
				bool right = samples[i].legal[phase] && size == samples[i].size;
				int expected = right ? 0 : -EPROTO;

				assert_int_equal(
					wire_check(phase, &packet, size, samples[i].fds), expected);
				packet.header.size = (uint32_t)size;
				assert_int_equal(
					wire_check(phase, &packet, size, samples[i].fds), expected);
			}
		}
	}
}

static int check_first(const union packet *packet)
{
	return wire_check(WIRE_PHASE_HELLO, packet, samples[0].size, 0);
}

static void refuses_a_wrong_header(void **state)
{
	union packet packet = make(&samples[0]);

	(void)state;
	assert_int_equal(check_first(&packet), 0);
	packet.header.magic++;
	assert_int_equal(check_first(&packet), -EPROTO);
	packet = make(&samples[0]);
	packet.header.reserved = 1;
	assert_int_equal(check_first(&packet), -EPROTO);
	for (unsigned int type = 0; type <= UINT16_MAX; type++) {
		packet = make(&samples[0]);
		packet.header.type = (uint16_t)type;
		assert_int_equal(check_first(&packet), type == WIRE_HELLO ? 0 : -EPROTO);
	}
}

static void tells_another_version(void **state)
{
	(void)state;
	for (size_t i = 0; i < SAMPLES; i++) {
		union packet packet = make(&samples[i]);
		packet.header.version++;
		assert_int_equal(
			wire_check(WIRE_PHASE_HELLO, &packet, samples[i].size, samples[i].fds),
			-EPROTONOSUPPORT);
	}
}

static void refuses_texts_without_an_end(void **state)
{
	union packet hello = make(&samples[0]);
	const struct sample *refused_sample = &samples[7];
	union packet refused = make(refused_sample);

	(void)state;
	hello.bytes[samples[0].size - 1] = 'x';
	assert_int_equal(check_first(&hello), -EPROTO);
	refused.bytes[refused_sample->size - 1] = 'x';
	assert_int_equal(wire_check(WIRE_PHASE_READY, &refused, refused_sample->size, 0), -EPROTO);
}

static void refuses_names_that_are_not_whole(void **state)
{
	const struct sample *sample = &samples[SAMPLES - 2];
	union packet packet = make(sample);

	(void)state;
	assert_int_equal(wire_check(WIRE_PHASE_FILTER, &packet, sample->size, 0), 0);
	packet.filter.given_count = 2;
	assert_int_equal(wire_check(WIRE_PHASE_FILTER, &packet, sample->size, 0), -EPROTO);
	packet = make(sample);
	packet.bytes[sample->size - 1] = 'x';
	assert_int_equal(wire_check(WIRE_PHASE_FILTER, &packet, sample->size, 0), -EPROTO);
	packet = make(sample);
	packet.filter.given_size = WIRE_GIVEN_SIZE_MAX + 1;
	assert_int_equal(wire_check(WIRE_PHASE_FILTER, &packet, sample->size, 0), -EPROTO);
}

static void refuses_lengths_out_of_bounds(void **state)
{
	static const struct {
		uint32_t count;
		int expected;
	} counts[] = {{0, -EPROTO}, {1, 0}, {WIRE_FILTER_MAX, 0}, {WIRE_FILTER_MAX + 1, -EPROTO},
		{UINT32_MAX, -EPROTO}, {UINT32_MAX / 8 + 1, -EPROTO}};
	char *packet = calloc(1, WIRE_PACKET_MAX);

	(void)state;
	assert_non_null(packet);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		size_t size = sizeof(struct wire_filter) +
			      (size_t)counts[i].count * sizeof(struct sock_filter);
		if (counts[i].expected != 0) {
			size = (uint32_t)size; /* what an overflow would make of it */
		}
		struct wire_filter filter = {
			.header = wire_header_make(WIRE_FILTER, size), .count = counts[i].count};
		memcpy(packet, &filter, sizeof(filter));
		assert_int_equal(
			wire_check(WIRE_PHASE_FILTER, packet, size, 0), counts[i].expected);
	}
	free(packet);
}

/* What may be executed comes behind the instructions, in as many strings as are stated. */
static void filter_is_what_it_was_made_of(void **state)
{
	static const struct {
		const char *execute;
		size_t size, count;
		int expected;
	} cases[] = {
		{NULL, 0, 0, 0},
		{"+/usr/\0-/", 10, 2, 0},
		{"+/usr/\0-/", 10, 1, -EPROTO},
		{"+/usr/\0-/", 10, 3, -EPROTO},
		{"+/usr/\0-/", 9, 1, -EPROTO},
		{"x", 1, 0, -EPROTO},
		{NULL, 0, 1, -EPROTO},
	};
	const struct sock_filter instructions[2] = {{.k = 1}, {.k = 2}};
	union packet packet;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct wire_filter_parts parts = {.instructions = instructions,
			.count = 2,
			.seccomp_flags = 16,
			.execute = {cases[i].execute, cases[i].size, cases[i].count}};
		size_t size = wire_filter_make(&packet, &parts);

		assert_int_equal(
			wire_check(WIRE_PHASE_FILTER, &packet, size, 0), cases[i].expected);
		assert_int_equal(wire_check(WIRE_PHASE_FILTER, &packet, size - 1, 0), -EPROTO);
		assert_int_equal(packet.filter.seccomp_flags, 16);
		assert_memory_equal(
			packet.bytes + sizeof(packet.filter), instructions, sizeof(instructions));
		if (cases[i].size > 0) {
			assert_memory_equal(wire_filter_execute(&packet.filter).text,
				cases[i].execute, cases[i].size);
		}
	}
}

/* And behind these what is Landlock's, in the same way. */
static void filter_has_its_grants(void **state)
{
	static const struct {
		unsigned int landlock;
		size_t size, count;
		int expected;
	} cases[] = {
		{0, 0, 0, 0},
		{1, 0, 0, 0},
		{15, 10, 2, 0},
		{15, 10, 1, -EPROTO},
		{15, 9, 2, -EPROTO},
		{16, 10, 2, -EPROTO},
		{1, 0, 1, -EPROTO},
	};
	static const char execute[] = "+/", grants[] = "r/a/\0wc/b";
	const struct sock_filter instructions[2] = {{.k = 1}, {.k = 2}};
	union packet packet;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct wire_filter_parts parts = {.instructions = instructions,
			.count = 2,
			.execute = {execute, sizeof(execute), 1},
			.landlock = cases[i].landlock,
			.grants = {grants, cases[i].size, cases[i].count}};
		size_t size = wire_filter_make(&packet, &parts);

		assert_int_equal(
			wire_check(WIRE_PHASE_FILTER, &packet, size, 0), cases[i].expected);
		assert_string_equal(wire_filter_execute(&packet.filter).text, execute);
		assert_memory_equal(wire_filter_grants(&packet.filter).text, grants, cases[i].size);
		assert_int_equal(packet.filter.landlock, cases[i].landlock);
	}
}

static void bounds_what_may_be_executed(void **state)
{
	const struct sock_filter instruction = {.k = 1};
	cleanup_free char *packet = calloc(1, WIRE_PACKET_MAX);
	cleanup_free char *text = calloc(1, WIRE_EXECUTE_MAX + 1);
	struct wire_filter_parts parts = {.instructions = &instruction,
		.count = 1,
		.execute = {text, WIRE_EXECUTE_MAX, WIRE_EXECUTE_MAX}};

	(void)state;
	assert_non_null(packet);
	assert_non_null(text);
	size_t size = wire_filter_make(packet, &parts);
	assert_int_equal(wire_check(WIRE_PHASE_FILTER, packet, size, 0), 0);
	parts.execute.size = parts.execute.count = WIRE_EXECUTE_MAX + 1;
	size = wire_filter_make(packet, &parts);
	assert_int_equal(wire_check(WIRE_PHASE_FILTER, packet, size, 0), -EPROTO);
}

static void refused_is_what_it_was_made_of(void **state)
{
	char packet[sizeof(struct wire_refused) + WIRE_TEXT_MAX];
	char long_text[2 * WIRE_TEXT_MAX];

	(void)state;
	size_t size = wire_refused_make(packet, -EACCES, "not you");
	const struct wire_refused *refused = (const void *)packet;
	assert_int_equal(wire_check(WIRE_PHASE_READY, packet, size, 0), 0);
	assert_int_equal(refused->error, -EACCES);
	assert_string_equal(packet + sizeof(*refused), "not you");
	memset(long_text, 'x', sizeof(long_text));
	long_text[sizeof(long_text) - 1] = '\0';
	size = wire_refused_make(packet, -EPERM, long_text);
	assert_int_equal(size, sizeof(packet));
	assert_int_equal(wire_check(WIRE_PHASE_READY, packet, size, 0), 0);
	assert_int_equal(strlen(packet + sizeof(*refused)), WIRE_TEXT_MAX - 1);
}

/* Reads a HELLO with this tail and number of sets. */
static int read_hello(
	const char *tail, size_t length, uint32_t sets, struct wire_hello_strings *strings)
{
	static union packet packet;
	size_t size = sizeof(struct wire_hello) + length;

	memset(&packet, 0, sizeof(packet));
	packet.hello.header = wire_header_make(WIRE_HELLO, size);
	packet.hello.set_count = sets;
	packet.hello.tail_size = (uint32_t)length;
	memcpy(packet.bytes + sizeof(packet.hello), tail, length);
	assert_int_equal(wire_check(WIRE_PHASE_HELLO, &packet, size, 0), 0);
	return wire_hello_read(&packet, strings);
}

static void hello_gives_its_strings(void **state)
{
	static const char tail[] = "web\0nginx -g\0PORT=80\0EMPTY=";
	struct wire_hello_strings strings;

	(void)state;
	assert_int_equal(read_hello(tail, sizeof(tail), 2, &strings), 0);
	assert_string_equal(strings.policy, "web");
	assert_string_equal(strings.command, "nginx -g");
	assert_int_equal(strings.set_count, 2);
	assert_string_equal(strings.sets[0], "PORT=80");
	assert_string_equal(strings.sets[1], "EMPTY=");
}

static void hello_with_wrong_strings_is_refused(void **state)
{
	static const struct {
		const char *tail;
		size_t length;
		uint32_t sets;
	} wrong[] = {
		{"p", 2, 0},                    /* no command */
		{"p\0c\0more", 9, 0},           /* one string too many */
		{"p\0c", 4, 1},                 /* one set too few */
		{"p\0c\0A=1", 8, 2},            /* the same */
		{"p\0c\0A=1\0B=2", 12, 1},      /* one too many */
		{"p\0c\0NAME", 9, 1},           /* no '=' */
		{"p\0c", 4, WIRE_SETS_MAX + 1}, /* more than there is room for */
		{"p\0c", 4, UINT32_MAX},
	};
	struct wire_hello_strings strings;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(
			read_hello(wrong[i].tail, wrong[i].length, wrong[i].sets, &strings),
			-EPROTO);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passes_in_its_phases_only),
		cmocka_unit_test(passes_with_its_descriptors_only),
		cmocka_unit_test(passes_with_its_size_only),
		cmocka_unit_test(refuses_a_wrong_header),
		cmocka_unit_test(each_type_is_tried),
		cmocka_unit_test(tells_another_version),
		cmocka_unit_test(refuses_texts_without_an_end),
		cmocka_unit_test(refuses_names_that_are_not_whole),
		cmocka_unit_test(refuses_lengths_out_of_bounds),
		cmocka_unit_test(filter_is_what_it_was_made_of),
		cmocka_unit_test(filter_has_its_grants),
		cmocka_unit_test(bounds_what_may_be_executed),
		cmocka_unit_test(refused_is_what_it_was_made_of),
		cmocka_unit_test(hello_gives_its_strings),
		cmocka_unit_test(hello_with_wrong_strings_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

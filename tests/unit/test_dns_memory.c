/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is remembered of answers: for how long, of which addresses, and how much; the cache of
 * answers; and the names of hosts(5). The clock is the test's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/dns_cache.h"
#include "daemon/broker/dns_hosts.h"
#include "daemon/broker/dns_memory.h"
#include "tests/unit/policy_text.h"

#define NOW 1000000

static struct dns_address address_of(const char *text)
{
	struct dns_address address = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};

	assert_int_equal(inet_pton(address.family, text, address.bytes), 1);
	return address;
}

static struct session_memory *new_memory(void)
{
	struct session_memory *memory = calloc(1, sizeof(*memory));

	assert_non_null(memory);
	return memory;
}

/* The names, with blanks between them. */
static const char *names_of(const struct session_memory *memory, const char *text, int64_t now)
{
	static char joined[1024];
	const char *names[16];
	struct dns_address address = address_of(text);
	size_t count = dns_memory_find(memory, &address, now, names, array_length(names));

	joined[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		strcat(strcat(joined, i ? " " : ""), names[i]);
	}
	return joined;
}

static void remember(struct session_memory *memory, const char *name, const char *text,
	uint32_t ttl, int64_t now)
{
	struct dns_address address = address_of(text);

	dns_memory_remember(memory, name, &address, ttl, now);
}

static void remembers_for_as_long_as_it_holds(void **state)
{
	cleanup_free struct session_memory *memory = new_memory();

	(void)state;
	remember(memory, "short.example", "192.0.2.1", 5, NOW);
	remember(memory, "long.example", "192.0.2.1", 1000, NOW);
	remember(memory, "endless.example", "192.0.2.1", UINT32_MAX, NOW);
	remember(memory, "other.example", "2001:db8::1", 1000, NOW);
	assert_string_equal(
		names_of(memory, "192.0.2.1", NOW), "short.example long.example endless.example");
	assert_string_equal(names_of(memory, "192.0.2.1", NOW + DNS_REMEMBERED_MIN - 1),
		"short.example long.example endless.example");
	assert_string_equal(names_of(memory, "192.0.2.1", NOW + DNS_REMEMBERED_MIN),
		"long.example endless.example");
	assert_string_equal(names_of(memory, "192.0.2.1", NOW + 1000), "endless.example");
	assert_string_equal(names_of(memory, "192.0.2.1", NOW + DNS_REMEMBERED_MAX), "");
	assert_string_equal(names_of(memory, "2001:db8::1", NOW), "other.example");
	assert_string_equal(names_of(memory, "192.0.2.2", NOW), "");

	/* Looking has made nothing longer; a new answer does, and never shorter. */
	remember(memory, "long.example", "192.0.2.1", 1000, NOW + 900);
	remember(memory, "long.example", "192.0.2.1", 1, NOW + 950);
	assert_string_equal(
		names_of(memory, "192.0.2.1", NOW + 1899), "long.example endless.example");
	assert_string_equal(names_of(memory, "192.0.2.1", NOW + 1900), "endless.example");
}

static void forgets_what_expires_first(void **state)
{
	cleanup_free struct session_memory *memory = new_memory();
	char name[64];

	(void)state;
	remember(memory, "kept.example", "192.0.2.1", 9000, NOW);
	for (unsigned int i = 0; i < 3 * SESSION_HOSTS; i++) {
		snprintf(name, sizeof(name), "n%u.example", i);
		remember(memory, name, "192.0.2.2", 400 + i, NOW);
	}
	assert_int_equal(memory->host_count, SESSION_HOSTS);
	assert_string_equal(names_of(memory, "192.0.2.1", NOW), "kept.example");
	snprintf(name, sizeof(name), "n%u.example", 3 * SESSION_HOSTS - 1);
	const char *names[2 * SESSION_HOSTS];
	struct dns_address address = address_of("192.0.2.2");
	size_t count = dns_memory_find(memory, &address, NOW, names, array_length(names));
	assert_int_equal(count, SESSION_HOSTS - 1);
	bool has_last = false;
	for (size_t i = 0; i < count; i++) {
		has_last |= strcmp(names[i], name) == 0;
	}
	assert_true(has_last);
}

static const struct {
	const char *address;
	bool special;
} addresses[] = {
	{"127.0.0.1", true},
	{"127.255.255.255", true},
	{"128.0.0.1", false},
	{"0.0.0.0", true},
	{"0.1.2.3", true},
	{"169.254.169.254", true},
	{"169.253.0.1", false},
	{"224.0.0.1", true},
	{"255.255.255.255", true},
	{"10.0.0.1", false},
	{"192.168.0.1", false},
	{"::", true},
	{"::1", true},
	{"::2", false},
	{"fe80::1", true},
	{"febf::1", true},
	{"fec0::1", false},
	{"ff02::1", true},
	{"fd00::1", false},
	{"::ffff:127.0.0.1", true},
	{"::ffff:192.0.2.1", false},
	{"64:ff9b::7f00:1", true},
	{"64:ff9b::c000:201", false},
};

static void knows_what_is_of_this_machine(void **state)
{
	struct dns_address mapped = address_of("::ffff:192.0.2.1");
	struct dns_address plain = address_of("192.0.2.1");

	(void)state;
	for (size_t i = 0; i < array_length(addresses); i++) {
		struct dns_address address = address_of(addresses[i].address);

		if (dns_address_is_special(&address) != addresses[i].special) {
			fail_msg("%s", addresses[i].address);
		}
	}
	mapped = dns_address_canonical(&mapped);
	assert_memory_equal(&mapped, &plain, sizeof(plain));
}

static void keeps_answers_for_their_time(void **state)
{
	struct dns_cache cache = {{NULL}};
	struct dns_answer answer = {.ttl = 100}, found;
	struct dns_answer absent = {.code = ns_r_nxdomain, .ttl = 9999};
	struct dns_answer failure = {.code = ns_r_servfail, .ttl = 9999};

	(void)state;
	assert_true(dns_add_address(&answer, AF_INET, "\1\2\3\4"));
	dns_cache_put(&cache, "a.example", ns_t_a, &answer, NOW);
	dns_cache_put(&cache, "b.example", ns_t_a, &absent, NOW);
	dns_cache_put(&cache, "c.example", ns_t_a, &failure, NOW);
	assert_non_null(dns_cache_find(&cache, "a.example", ns_t_a, NOW + 40, &found));
	assert_int_equal(found.ttl, 60);
	assert_int_equal(found.address_count, 1);
	assert_null(dns_cache_find(&cache, "a.example", ns_t_aaaa, NOW, &found));
	assert_null(dns_cache_find(&cache, "a.example", ns_t_a, NOW + 100, &found));
	assert_non_null(dns_cache_find(
		&cache, "b.example", ns_t_a, NOW + DNS_CACHE_ABSENT_MAX - 1, &found));
	assert_int_equal(found.code, ns_r_nxdomain);
	assert_null(
		dns_cache_find(&cache, "b.example", ns_t_a, NOW + DNS_CACHE_ABSENT_MAX, &found));
	assert_null(dns_cache_find(&cache, "c.example", ns_t_a, NOW, &found));
	dns_cache_finish(&cache);
}

static size_t addresses_of(const struct dns_hosts *hosts, const char *name, int type, bool *known)
{
	struct dns_answer answer = {.ttl = 0};

	*known = dns_hosts_answer(hosts, name, type, &answer);
	return answer.address_count;
}

static void reads_hosts_again_when_they_change(void **state)
{
	cleanup_policy struct policy *policy =
		policy_text("[network]\nallow connect = tcp *.example:80 tcp localhost:80\n");
	struct dns_hosts hosts = {.count = 0};
	struct dns_address address = address_of("192.0.2.7");
	const char *names[4];
	bool known;

	(void)state;
	policy_text_write("hosts", "192.0.2.7\tA.Example b.example # c.example\n"
				   "2001:db8::7 a.example\n"
				   "::ffff:192.0.2.7 mapped.example\n"
				   "# 192.0.2.7 no.example\n\n192.0.2.7\nnonsense x.example\n"
				   "fe80::1%lo zone.example\n192.0.2.7 other.net\n");
	dns_hosts_refresh(&hosts, "hosts", policy);
	assert_int_equal(addresses_of(&hosts, "a.example", ns_t_a, &known), 1);
	assert_int_equal(addresses_of(&hosts, "a.example", ns_t_aaaa, &known), 1);
	/* Known, and not asked for elsewhere. */
	assert_int_equal(addresses_of(&hosts, "b.example", ns_t_aaaa, &known), 0);
	assert_true(known);
	assert_int_equal(addresses_of(&hosts, "c.example", ns_t_a, &known), 0);
	assert_false(known);
	assert_int_equal(addresses_of(&hosts, "localhost", ns_t_a, &known), 1);
	assert_int_equal(dns_hosts_find(&hosts, &address, names, array_length(names)), 3);
	assert_string_equal(names[0], "a.example");
	assert_string_equal(names[2], "mapped.example");
	policy_text_write("hosts", "192.0.2.8 a.example\n");
	dns_hosts_refresh(&hosts, "hosts", policy);
	assert_int_equal(dns_hosts_find(&hosts, &address, names, array_length(names)), 0);
	dns_hosts_refresh(&hosts, "missing", policy);
	assert_int_equal(addresses_of(&hosts, "a.example", ns_t_a, &known), 0);
	dns_hosts_finish(&hosts);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(remembers_for_as_long_as_it_holds),
		cmocka_unit_test(forgets_what_expires_first),
		cmocka_unit_test(knows_what_is_of_this_machine),
		cmocka_unit_test(keeps_answers_for_their_time),
		cmocka_unit_test(reads_hosts_again_when_they_change),
	};

	policy_text_enter();
	return cmocka_run_group_tests_name("dns_memory", tests, NULL, NULL);
}

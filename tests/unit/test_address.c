/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of [network]: what is read, what matches, what is refused and where.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/address.h"
#include "daemon/policy/words.h"

static unsigned int find_service(void *user, const char *service, const char *protocol)
{
	(void)user;
	if (!strcmp(service, "web-cache")) {
		return strcmp(protocol, "tcp") == 0 ? 8080 : 8081;
	}
	return 0;
}

static const struct service_lookup services = {find_service, NULL};

static struct policy_endpoint endpoint(
	enum endpoint_kind kind, const char *address, unsigned int port)
{
	struct policy_endpoint result = {.kind = kind, .port = (uint16_t)port};

	if (kind == ENDPOINT_UNIX_PATH || kind == ENDPOINT_UNIX_ABSTRACT) {
		result.path = address;
		result.path_length = strlen(address);
		return result;
	}
	result.family = strchr(address, ':') ? AF_INET6 : AF_INET;
	assert_int_equal(inet_pton(result.family, address, result.address), 1);
	return result;
}

static const struct {
	long word;
	const char *text;
	enum endpoint_kind kind;
	const char *address;
	unsigned int port;
	bool matches;
} cases[] = {
	{WORD_TCP, "127.0.0.0/8:5432", ENDPOINT_TCP, "127.9.9.9", 5432, true},
	{WORD_TCP, "127.0.0.0/8:5432", ENDPOINT_TCP, "128.0.0.0", 5432, false},
	{WORD_TCP, "127.0.0.0/8:5432", ENDPOINT_TCP, "127.0.0.1", 5433, false},
	{WORD_TCP, "127.0.0.0/8:5432", ENDPOINT_UDP, "127.0.0.1", 5432, false},
	{WORD_TCP, "10.128.0.0/9:*", ENDPOINT_TCP, "10.255.0.1", 1, true},
	{WORD_TCP, "10.128.0.0/9:*", ENDPOINT_TCP, "10.127.255.255", 1, false},
	{WORD_TCP, "1.2.3.4:80", ENDPOINT_TCP, "1.2.3.4", 80, true},
	{WORD_TCP, "1.2.3.4:80", ENDPOINT_TCP, "1.2.3.5", 80, false},
	{WORD_TCP, "0.0.0.0/0:*", ENDPOINT_TCP, "9.9.9.9", 65535, true},
	{WORD_TCP, "0.0.0.0/0:*", ENDPOINT_TCP, "::1", 80, false},
	{WORD_TCP, "*:80", ENDPOINT_TCP, "::1", 80, true},
	{WORD_TCP, "*:80", ENDPOINT_TCP, "9.9.9.9", 80, true},
	{WORD_TCP, "*:*", ENDPOINT_TCP, "9.9.9.9", 0, true},
	{WORD_TCP, "*:80-90", ENDPOINT_TCP, "9.9.9.9", 90, true},
	{WORD_TCP, "*:80-90", ENDPOINT_TCP, "9.9.9.9", 91, false},
	{WORD_TCP, "*:80-90", ENDPOINT_TCP, "9.9.9.9", 79, false},
	{WORD_TCP, "*:web-cache", ENDPOINT_TCP, "9.9.9.9", 8080, true},
	{WORD_UDP, "*:web-cache", ENDPOINT_UDP, "9.9.9.9", 8081, true},
	{WORD_TCP, "[::1]:80", ENDPOINT_TCP, "::1", 80, true},
	{WORD_TCP, "[2001:db8::/32]:80", ENDPOINT_TCP, "2001:db8:ffff::1", 80, true},
	{WORD_TCP, "[2001:db8::]/32:80", ENDPOINT_TCP, "2001:db8:ffff::1", 80, true},
	{WORD_TCP, "[2001:db8::/32]:80", ENDPOINT_TCP, "2001:db9::1", 80, false},
	{WORD_TCP, "[::ffff:1.2.3.4]:80", ENDPOINT_TCP, "1.2.3.4", 80, true},
	{WORD_TCP, "[::ffff:1.2.0.0/112]:80", ENDPOINT_TCP, "1.2.3.4", 80, true},
	{WORD_TCP, "[::ffff:1.2.0.0/112]:80", ENDPOINT_TCP, "1.3.3.4", 80, false},
	{WORD_UNIX, "/run/postgresql/**", ENDPOINT_UNIX_PATH, "/run/postgresql/s", 0, true},
	{WORD_UNIX, "/run/postgresql/**", ENDPOINT_UNIX_PATH, "/run/other", 0, false},
	{WORD_UNIX, "/run/**", ENDPOINT_UNIX_ABSTRACT, "/run/x", 0, false},
	{WORD_UNIX, "@/tmp/dbus-*", ENDPOINT_UNIX_ABSTRACT, "/tmp/dbus-a/b", 0, true},
	{WORD_UNIX, "@/tmp/dbus-*", ENDPOINT_UNIX_PATH, "/tmp/dbus-a", 0, false},
	{WORD_UNIX, "@a?", ENDPOINT_UNIX_ABSTRACT, "ab", 0, false},
	{WORD_ANY, "", ENDPOINT_UNIX_ABSTRACT, "x", 0, true},
	{WORD_ANY, "", ENDPOINT_TCP, "::1", 1, true},
};

static void matches_what_the_language_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		struct endpoint_subject subject;
		struct mistake mistake = {0, ""};
		struct policy_endpoint asked =
			endpoint(cases[i].kind, cases[i].address, cases[i].port);
		int r = endpoint_subject_parse(&subject, cases[i].word, cases[i].text, NULL,
			strlen(cases[i].text), &services, &mistake);

		if (r != 0 || endpoint_subject_matches(&subject, &asked) != cases[i].matches) {
			fail_msg("%s on %s %u: not %d (%s)", cases[i].text, cases[i].address,
				cases[i].port, cases[i].matches, mistake.text);
		}
		endpoint_subject_finish(&subject);
	}
}

static const struct {
	long word;
	const char *text;
	size_t offset;
	const char *said; /* a part of it */
} mistakes[] = {
	{WORD_TCP, "1.2.3.4", 0, "is not HOST:PORTS"},
	{WORD_TCP, "1.2.3.4:", 8, "bad port ''"},
	{WORD_TCP, "1.2.3.4:65536", 8, "bad port '65536'"},
	{WORD_TCP, "1.2.3.4:9-5", 8, "upside down"},
	{WORD_TCP, "1.2.3.4:1-70000", 8, "bad port"},
	{WORD_TCP, "1.2.3.4:htpt", 8, "bad port 'htpt'"},
	{WORD_TCP, "1.2.3.4:-1", 8, "bad port"},
	{WORD_TCP, "1.2.3.4/33:80", 8, "bad prefix '/33'"},
	{WORD_TCP, "1.2.3.4/:80", 8, "bad prefix '/'"},
	{WORD_TCP, "1.2.3.4/24:80", 8, "bad prefix"},
	{WORD_TCP, "[2001:db8::1/32]:80", 13, "bad prefix"},
	{WORD_TCP, "[::1/129]:80", 5, "bad prefix '/129'"},
	{WORD_TCP, "1.2.3:80", 0, "is not an IPv4 address"},
	{WORD_TCP, "[::1.example]:80", 1, "is not an IPv6 address"},
	{WORD_TCP, "a.example/24:80", 9, "a name has no prefix"},
	{WORD_TCP, "01.2.3.4:80", 0, "is not an IPv4 address"},
	{WORD_TCP, "www.*.example.org:80", 4, "'*' that is not the first label"},
	{WORD_UDP, "www.example.org:bad", 16, "bad port 'bad'"},
	{WORD_TCP, "::1:80", 0, "stands in brackets"},
	{WORD_TCP, "[::1:80", 0, "not closed"},
	{WORD_TCP, "[::1]80", 0, "is not HOST:PORTS"},
	{WORD_TCP, "[fe80::1%eth0]:80", 1, "has no zone"},
	{WORD_TCP, "[]:80", 1, "is not an IPv6 address"},
	{WORD_TCP, ":80", 0, "no host stands before the port"},
	{WORD_TCP, "1.2.*.4:80", 4, "'*' that is not the first label"},
	{WORD_UNIX, "run/x", 0, "is not an absolute path"},
	{WORD_UNIX, "/run/", 5, "no slash at its end"},
};

static void refuses_bad_ones_where_they_are_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(mistakes); i++) {
		struct endpoint_subject subject;
		struct mistake mistake = {99, ""};
		int r = endpoint_subject_parse(&subject, mistakes[i].word, mistakes[i].text, NULL,
			strlen(mistakes[i].text), &services, &mistake);

		if (r != -EINVAL || mistake.offset != mistakes[i].offset ||
			!strstr(mistake.text, mistakes[i].said)) {
			fail_msg("%s: %zu '%s'", mistakes[i].text, mistake.offset, mistake.text);
		}
	}
}

/* A star that came from a variable is not the star of the language. */
static void takes_values_as_they_are(void **state)
{
	static const bool literal[4] = {true};
	struct endpoint_subject subject;
	struct mistake mistake;

	(void)state;
	assert_int_equal(
		endpoint_subject_parse(&subject, WORD_TCP, "*:80", literal, 4, &services, &mistake),
		-EINVAL);
}

static void makes_addresses_canonical(void **state)
{
	struct policy_endpoint asked = endpoint(ENDPOINT_TCP, "::ffff:1.2.3.4", 80);
	struct policy_endpoint expected = endpoint(ENDPOINT_TCP, "1.2.3.4", 80);

	(void)state;
	endpoint_canonical(&asked, OPERATION_CONNECT);
	assert_memory_equal(&asked, &expected, sizeof(asked));
	asked = endpoint(ENDPOINT_TCP, "0.0.0.0", 80);
	expected = endpoint(ENDPOINT_TCP, "0.0.0.0", 80);
	endpoint_canonical(&asked, OPERATION_BIND);
	assert_memory_equal(&asked, &expected, sizeof(asked));
	expected = endpoint(ENDPOINT_TCP, "127.0.0.1", 80);
	endpoint_canonical(&asked, OPERATION_CONNECT);
	assert_memory_equal(&asked, &expected, sizeof(asked));
	asked = endpoint(ENDPOINT_UDP, "::", 80);
	expected = endpoint(ENDPOINT_UDP, "::1", 80);
	endpoint_canonical(&asked, OPERATION_CONNECT);
	assert_memory_equal(&asked, &expected, sizeof(asked));
	asked = endpoint(ENDPOINT_UDP, "::ffff:0.0.0.0", 80);
	expected = endpoint(ENDPOINT_UDP, "127.0.0.1", 80);
	endpoint_canonical(&asked, OPERATION_CONNECT);
	assert_memory_equal(&asked, &expected, sizeof(asked));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_what_the_language_says),
		cmocka_unit_test(refuses_bad_ones_where_they_are_bad),
		cmocka_unit_test(takes_values_as_they_are),
		cmocka_unit_test(makes_addresses_canonical),
	};

	return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}

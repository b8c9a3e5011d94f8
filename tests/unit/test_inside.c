/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `net = broker`: which addresses are the session's own, which lead out of it, and which are
 * refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"
#include "tests/unit/policy_text.h"

#define BROKER "[policy]\nnet = broker\n"

enum { OUT = -1, OWN = -2 }; /* or an errno */

static int ask(const struct policy *policy, enum policy_operation operation,
	enum endpoint_kind kind, const char *host, uint16_t port)
{
	struct policy_endpoint endpoint = {.kind = kind, .port = port};

	endpoint.family = strchr(host, ':') ? AF_INET6 : AF_INET;
	assert_int_equal(inet_pton(endpoint.family, host, endpoint.address), 1);
	struct policy_verdict verdict = policy_decide_endpoint(policy, operation, &endpoint);
	assert_non_null(verdict.rule);
	assert_false(verdict.outside && verdict.action == POLICY_DENY);
	return verdict.action == POLICY_DENY ? verdict.error : verdict.outside ? OUT : OWN;
}

static void rules_are_asked_about_what_leads_out(void **state)
{
	static const struct {
		const char *rules;
		const char *host;
		uint16_t port;
		int expected;
	} cases[] = {
		{"", "192.0.2.1", 80, ENETUNREACH},
		{"", "127.0.0.1", 80, OWN},
		{"[network]\n", "192.0.2.1", 80, ECONNREFUSED},
		{"[network]\ndefault = allow\n", "192.0.2.1", 80, OUT},
		{"[network]\ndefault = allow\n", "127.0.0.1", 80, OWN},
		{"[network]\nallow connect = tcp 192.0.2.0/24:80\n", "192.0.2.1", 80, OUT},
		{"[network]\nallow connect = tcp 192.0.2.0/24:80\n", "192.0.2.1", 81, ECONNREFUSED},
		{"[network]\nallow connect = any\n", "127.1.2.3", 80, OWN},
		{"[network]\nallow connect = tcp *:80\n", "::1", 80, OWN},
		{"[network]\nallow connect = tcp 0.0.0.0/0:*\n", "127.0.0.1", 80, OWN},
		{"[network]\nallow connect = tcp 127.0.0.0/8:80\n", "127.0.0.1", 80, OUT},
		{"[network]\nallow connect = tcp 127.0.0.0/8:80\n", "127.0.0.1", 81, OWN},
		{"[network]\nallow connect = tcp [::1]:80\n", "::1", 80, OUT},
		{"[network]\nallow connect = tcp [::]/0:80\n", "::1", 80, OWN},
		{"[network]\nallow connect = tcp 127.0.0.1:80\n", "::ffff:127.0.0.1", 80, OUT},
		{"[network]\nallow connect = tcp 127.0.0.1:80\n", "0.0.0.0", 80, OUT},
		{"[network]\ndeny EPERM connect = tcp 127.0.0.1:80\n", "127.0.0.1", 80, EPERM},
		{"[network]\ndeny EPERM connect = tcp *:80\n", "127.0.0.1", 80, OWN},
	};

	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		char text[256];

		(void)snprintf(text, sizeof(text), BROKER "%s", cases[i].rules);
		cleanup_policy struct policy *policy = policy_text(text);
		int answer =
			ask(policy, OPERATION_CONNECT, ENDPOINT_TCP, cases[i].host, cases[i].port);
		if (answer != cases[i].expected) {
			fail_msg("%s %s:%u: %d, not %d", cases[i].rules, cases[i].host,
				cases[i].port, answer, cases[i].expected);
		}
	}
}

static void only_internet_leads_out(void **state)
{
	cleanup_policy struct policy *policy = policy_text(BROKER "[network]\ndefault = allow\n");
	struct policy_endpoint endpoint = {.kind = ENDPOINT_UNIX_PATH, .path = "/run/x"};

	(void)state;
	assert_false(policy_decide_endpoint(policy, OPERATION_CONNECT, &endpoint).outside);
	endpoint = (struct policy_endpoint){.kind = ENDPOINT_OTHER, .family = AF_INET};
	assert_false(policy_decide_endpoint(policy, OPERATION_CONNECT, &endpoint).outside);
	assert_int_equal(ask(policy, OPERATION_CONNECT, ENDPOINT_UDP, "192.0.2.1", 53), OUT);
}

static void nothing_is_outside_elsewhere(void **state)
{
	static const char *const texts[] = {"[network]\ndefault = allow\n",
		"[policy]\nnet = none\n[network]\ndefault = allow\n"};

	(void)state;
	for (size_t i = 0; i < array_length(texts); i++) {
		cleanup_policy struct policy *policy = policy_text(texts[i]);
		assert_int_equal(
			ask(policy, OPERATION_CONNECT, ENDPOINT_TCP, "192.0.2.1", 80), OWN);
	}
}

/* Otherwise a plain allow would send programs into a network with nothing in it. */
static void every_address_is_looked_at(void **state)
{
	cleanup_policy struct policy *all = policy_text(BROKER "[network]\ndefault = allow\n");
	cleanup_policy struct policy *host = policy_text("[network]\ndefault = allow\n");
	cleanup_policy struct policy *none = policy_text(BROKER);

	(void)state;
	assert_true(policy_mediates_endpoint(all, OPERATION_CONNECT));
	assert_false(policy_mediates_endpoint(host, OPERATION_CONNECT));
	assert_false(policy_mediates_endpoint(none, OPERATION_CONNECT));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_are_asked_about_what_leads_out),
		cmocka_unit_test(only_internet_leads_out),
		cmocka_unit_test(nothing_is_outside_elsewhere),
		cmocka_unit_test(every_address_is_looked_at),
	};

	policy_text_enter();
	return cmocka_run_group_tests_name("inside", tests, NULL, NULL);
}

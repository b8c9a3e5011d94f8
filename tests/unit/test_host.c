/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of hosts in rules: what is one, which names it means, which one covers another, what it
 * says of connections and of questions about names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/host.h"
#include "tests/unit/policy_text.h"

#define LABEL_63 "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabc"

static const struct {
	const char *text;
	size_t offset; /* of the mistake */
	const char *said;
} mistakes[] = {
	{"", 0, "no host stands before the port"},
	{".", 0, "empty label"},
	{"a..b", 2, "empty label"},
	{".a", 0, "empty label"},
	{"a.", 0, NULL},
	{"a..", 2, "empty label"},
	{"*.", 0, "'*' that is not the first label"},
	{"*", 0, "'*' that is not the first label"},
	{"*a.example", 0, "'*' that is not the first label"},
	{"www.*.example", 4, "'*' that is not the first label"},
	{"*.*.example", 2, "'*' that is not the first label"},
	{"b\xc3\xbc"
	 "cher.example",
		1, "ASCII form (xn--...)"},
	{"a b", 1, "nor a name of a host"},
	{"a/24", 1, "nor a name of a host"},
	{"1.2.3", 0, "ends in a number"},
	{"01.2.3.4", 0, "ends in a number"},
	{"127.0.0.1.", 0, "ends in a number"},
	{"a.0x7f", 0, "ends in a number"},
	{"*.0", 2, "ends in a number"},
	{LABEL_63 "d.example", 0, "more than 63"},
	{LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63, 0, "longer than 253"},
	{"xn--bcher-kva.example", 0, NULL},
	{"_sip._tcp.example.org", 0, NULL},
	{"localhost", 0, NULL},
	{"*.de", 0, NULL},
	{LABEL_63 ".4x", 0, NULL},
};

static void takes_names_and_tells_what_is_wrong_with_others(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(mistakes); i++) {
		struct endpoint_subject subject = {.host = NULL};
		struct mistake mistake = {0, ""};
		int r = host_subject_parse(
			&subject, mistakes[i].text, NULL, strlen(mistakes[i].text), &mistake);
		bool as_said = mistakes[i].said
				       ? r == -EINVAL && mistake.offset == mistakes[i].offset &&
						 strstr(mistake.text, mistakes[i].said)
				       : r == 0;

		if (!as_said) {
			fail_msg("%s: %d, %zu '%s'", mistakes[i].text, r, mistake.offset,
				mistake.text);
		}
		free(subject.host);
	}
}

static const struct {
	const char *wide, *narrow;
	bool covers; /* as a rule's subject */
} covers[] = {
	{"www.example.org", "WWW.Example.ORG.", true},
	{"www.example.org", "example.org", false},
	{"example.org", "www.example.org", false},
	{"*.example.org", "www.example.org", true},
	{"*.Example.org.", "a.b.c.example.org", true},
	{"*.example.org", "example.org", false},
	{"*.example.org", "badexample.org", false},
	{"*.example.org", "www.example.org.evil.net", false},
	{"*.org", "www.example.org", true},
	{"*.example.org", "*.example.org", true},
	{"*.example.org", "*.www.example.org", true},
	{"*.www.example.org", "*.example.org", false},
	{"www.example.org", "*.www.example.org", false},
	{"*.example.org", "xexample.org", false},
};

static void means_a_name_or_all_below_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(covers); i++) {
		struct endpoint_subject wide = {.host = NULL}, narrow = {.host = NULL};
		struct mistake mistake;

		assert_int_equal(host_subject_parse(&wide, covers[i].wide, NULL,
					 strlen(covers[i].wide), &mistake),
			0);
		assert_int_equal(host_subject_parse(&narrow, covers[i].narrow, NULL,
					 strlen(covers[i].narrow), &mistake),
			0);
		if (host_subject_covers(&wide, &narrow) != covers[i].covers ||
			(!narrow.host_below &&
				host_subject_matches(&wide, narrow.host) != covers[i].covers)) {
			fail_msg("%s on %s: not %d", covers[i].wide, covers[i].narrow,
				covers[i].covers);
		}
		free(wide.host);
		free(narrow.host);
	}
}

static void makes_names_canonical(void **state)
{
	char name[POLICY_NAME_MAX + 1];

	(void)state;
	assert_int_equal(policy_canonical_name(name, "WWW.Example.ORG."), 0);
	assert_string_equal(name, "www.example.org");
	assert_int_equal(policy_canonical_name(name, "*.example.org"), -EINVAL);
	assert_int_equal(policy_canonical_name(name, "a\\046b.org"), -EINVAL);
	assert_int_equal(policy_canonical_name(name, ""), -EINVAL);
	assert_int_equal(policy_canonical_name(name, "10.0.0.1"), -EINVAL);
}

static struct policy_verdict ask(const struct policy *policy, enum endpoint_kind kind,
	const char *address, unsigned int port, const char *first, const char *second)
{
	const char *names[] = {first, second};
	struct policy_endpoint endpoint = {.kind = kind,
		.port = (uint16_t)port,
		.names = names,
		.name_count = (first != NULL) + (second != NULL)};

	endpoint.family = strchr(address, ':') ? AF_INET6 : AF_INET;
	assert_int_equal(inet_pton(endpoint.family, address, endpoint.address), 1);
	return policy_decide_endpoint(policy, OPERATION_CONNECT, &endpoint);
}

static void decides_by_the_names_that_lead_there(void **state)
{
	cleanup_policy struct policy *policy =
		policy_text("[network]\ndefault = deny ENETUNREACH\n"
			    "deny EPERM connect = tcp ads.example.org:443 tcp 10.0.0.0/8:443\n"
			    "allow connect = tcp *.example.org:443 udp time.example.org:123\n");

	(void)state;
	assert_int_equal(ask(policy, ENDPOINT_TCP, "1.2.3.4", 443, NULL, NULL).error, ENETUNREACH);
	assert_int_equal(ask(policy, ENDPOINT_TCP, "1.2.3.4", 443, "a.example.org", NULL).action,
		POLICY_ALLOW);
	assert_int_equal(
		ask(policy, ENDPOINT_TCP, "2001:db8::1", 443, "b.net", "a.example.org").action,
		POLICY_ALLOW);
	assert_int_equal(ask(policy, ENDPOINT_TCP, "1.2.3.4", 443, "example.org", "b.net").error,
		ENETUNREACH);
	assert_int_equal(
		ask(policy, ENDPOINT_TCP, "1.2.3.4", 80, "a.example.org", NULL).error, ENETUNREACH);
	assert_int_equal(ask(policy, ENDPOINT_UDP, "1.2.3.4", 443, "a.example.org", NULL).error,
		ENETUNREACH);
	assert_int_equal(ask(policy, ENDPOINT_UDP, "1.2.3.4", 123, "time.example.org", NULL).action,
		POLICY_ALLOW);
	/* One of its names is denied; or the address is. */
	assert_int_equal(
		ask(policy, ENDPOINT_TCP, "1.2.3.4", 443, "a.example.org", "ads.example.org").error,
		EPERM);
	assert_int_equal(
		ask(policy, ENDPOINT_TCP, "::ffff:10.1.1.1", 443, "a.example.org", NULL).error,
		EPERM);
}

static void answers_for_resolvers_by_itself(void **state)
{
	cleanup_policy struct policy *names = policy_text(
		"[network]\nallow connect = tcp www.example.org:443 unix /run/** udp *:53\n");
	cleanup_policy struct policy *none =
		policy_text("[network]\nallow connect = tcp *:443 unix /run/**\n");
	cleanup_policy struct policy *unasked =
		policy_text("[network]\nallow connect = any tcp www.example.org:443\n");
	struct policy_endpoint resolved = {
		.kind = ENDPOINT_UNIX_PATH, .path = "/run/systemd/resolve/io.systemd.Resolve"};
	struct policy_endpoint other = {.kind = ENDPOINT_UNIX_PATH, .path = "/run/x"};
	struct policy_verdict verdict = ask(names, ENDPOINT_UDP, "9.9.9.9", 53, NULL, NULL);

	(void)state;
	assert_true(policy_names_hosts(names));
	assert_true(policy_asks_broker(&verdict));
	assert_int_equal(verdict.action, POLICY_INJECT);
	verdict = policy_decide_endpoint(names, OPERATION_CONNECT, &resolved);
	assert_int_equal(verdict.error, ENOENT);
	assert_false(verdict.log);
	assert_int_equal(
		policy_decide_endpoint(names, OPERATION_CONNECT, &other).action, POLICY_ALLOW);

	assert_false(policy_names_hosts(none));
	assert_false(policy_names_hosts(unasked));
	verdict = ask(none, ENDPOINT_UDP, "9.9.9.9", 53, NULL, NULL);
	assert_false(policy_asks_broker(&verdict));
	assert_int_equal(verdict.action, POLICY_DENY);
	assert_int_equal(
		policy_decide_endpoint(none, OPERATION_CONNECT, &resolved).action, POLICY_ALLOW);
}

static const struct {
	const char *rules, *name;
	bool may;
	unsigned int line; /* of the rule that says so */
} questions[] = {
	{"allow connect = tcp *.example.org:443\n", "a.example.org", true, 3},
	{"allow connect = tcp *.example.org:443\n", "example.org", false, 2},
	{"allow connect = tcp *.example.org:443\n", "secret.evil.net", false, 2},
	/* Any address will do, but not a prefix. */
	{"allow connect = tcp *:443\n", "a.net", true, 3},
	{"allow connect = any\n", "a.net", true, 3},
	{"allow connect = tcp 10.0.0.0/8:443 unix /x\n", "a.net", false, 2},
	/* What is denied altogether is not asked for; what is denied in part is. */
	{"deny connect = tcp a.net:*\nallow connect = tcp *:443\n", "a.net", false, 3},
	{"deny connect = tcp a.net:*\nallow connect = tcp *:443\n", "b.net", true, 4},
	{"deny connect = tcp a.net:80\nallow connect = tcp *:80-443\n", "a.net", true, 4},
	{"deny connect = tcp a.net:*\nallow connect = udp *:*\n", "a.net", true, 4},
	{"deny connect = tcp *.net:* udp *.net:*\nallow connect = any\n", "a.net", true, 4},
	{"deny connect = any\nallow connect = tcp a.net:80\n", "a.net", false, 3},
	{"deny connect = tcp 10.0.0.0/8:*\nallow connect = tcp a.net:80\n", "a.net", true, 4},
};

static void decides_which_names_may_be_asked_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(questions); i++) {
		char text[512];

		snprintf(text, sizeof(text), "[network]\ndefault = deny\n%s", questions[i].rules);
		cleanup_policy struct policy *policy = policy_text(text);
		struct policy_verdict verdict = policy_decide_name(policy, questions[i].name);
		bool may = verdict.action == POLICY_ALLOW;
		if (may != questions[i].may || verdict.rule->origin.line != questions[i].line) {
			fail_msg("%s: %s: %d by line %u", questions[i].rules, questions[i].name,
				may, verdict.rule->origin.line);
		}
	}
}

static void lets_names_be_asked_for_by_default(void **state)
{
	cleanup_policy struct policy *open =
		policy_text("[network]\ndefault = allow\ndeny connect = tcp a.net:80\n");
	cleanup_policy struct policy *closed =
		policy_text("[network]\ndefault = allow\ndeny connect = any\n");

	(void)state;
	assert_int_equal(policy_decide_name(open, "a.net").action, POLICY_ALLOW);
	assert_int_equal(policy_decide_name(open, "b.net").action, POLICY_ALLOW);
	assert_int_equal(policy_decide_name(closed, "b.net").action, POLICY_DENY);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_names_and_tells_what_is_wrong_with_others),
		cmocka_unit_test(means_a_name_or_all_below_it),
		cmocka_unit_test(makes_names_canonical),
		cmocka_unit_test(decides_by_the_names_that_lead_there),
		cmocka_unit_test(answers_for_resolvers_by_itself),
		cmocka_unit_test(decides_which_names_may_be_asked_for),
		cmocka_unit_test(lets_names_be_asked_for_by_default),
	};

	policy_text_enter();
	return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}

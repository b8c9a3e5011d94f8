/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `inject connect` and `inject bind` give instead of what was asked for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"
#include "tests/unit/policy_text.h"

static struct policy_verdict ask(
	const struct policy *policy, enum policy_operation operation, uint16_t port)
{
	struct policy_endpoint endpoint = {
		.kind = ENDPOINT_TCP, .family = AF_INET, .address = {10, 0, 0, 1}, .port = port};

	return policy_decide_endpoint(policy, operation, &endpoint);
}

static void gives_what_is_written(void **state)
{
	cleanup_policy struct policy *policy =
		policy_text("[network]\ndefault = deny\n"
			    "inject connect = tcp 10.0.0.1:1 -> tcp [2001:db8::1]:80\n"
			    " tcp 10.0.0.1:2 -> unix /run/x tcp 10.0.0.1:3 -> unix @name\n"
			    "inject bind = tcp 10.0.0.0/8:4 -> tcp 127.0.0.1:8080\n"
			    "allow connect = tcp 10.0.0.1:5\n");
	struct policy_endpoint endpoint;
	uint8_t address[16];

	(void)state;
	struct policy_verdict verdict = ask(policy, OPERATION_CONNECT, 1);
	assert_true(policy_inject_endpoint(&verdict, &endpoint));
	inet_pton(AF_INET6, "2001:db8::1", address);
	assert_int_equal(endpoint.kind, ENDPOINT_TCP);
	assert_int_equal(endpoint.family, AF_INET6);
	assert_memory_equal(endpoint.address, address, sizeof(address));
	assert_int_equal(endpoint.port, 80);
	assert_string_equal(policy_inject_text(&verdict), "tcp [2001:db8::1]:80");

	verdict = ask(policy, OPERATION_CONNECT, 2);
	assert_true(policy_inject_endpoint(&verdict, &endpoint));
	assert_int_equal(endpoint.kind, ENDPOINT_UNIX_PATH);
	assert_int_equal(endpoint.family, AF_UNIX);
	assert_string_equal(endpoint.path, "/run/x");

	verdict = ask(policy, OPERATION_CONNECT, 3);
	assert_true(policy_inject_endpoint(&verdict, &endpoint));
	assert_int_equal(endpoint.kind, ENDPOINT_UNIX_ABSTRACT);
	assert_string_equal(endpoint.path, "name");
	assert_int_equal(endpoint.path_length, 4);

	verdict = ask(policy, OPERATION_BIND, 4);
	assert_true(policy_inject_endpoint(&verdict, &endpoint));
	assert_int_equal(endpoint.port, 8080);
	verdict = ask(policy, OPERATION_CONNECT, 4);
	assert_int_equal(verdict.action, POLICY_DENY);
}

static void names_each_descriptor_once(void **state)
{
	cleanup_policy struct policy *policy = policy_text(
		"[network]\ninject bind = tcp 10.0.0.1:1 -> fd web tcp 10.0.0.1:2 -> fd mail\n"
		"allow bind = tcp 10.0.0.1:3\ninject bind = tcp 10.0.0.1:4 -> fd web\n");
	struct policy_verdict verdict = ask(policy, OPERATION_BIND, 2);

	(void)state;
	assert_string_equal(policy_inject_descriptor(&verdict), "mail");
	assert_string_equal(policy_inject_text(&verdict), "fd mail");
	verdict = ask(policy, OPERATION_BIND, 3);
	assert_null(policy_inject_descriptor(&verdict));
	assert_string_equal(policy_descriptor_name(policy, 0), "web");
	assert_string_equal(policy_descriptor_name(policy, 1), "mail");
	assert_null(policy_descriptor_name(policy, 2));
}

static void gives_nothing_where_nothing_is_injected(void **state)
{
	cleanup_policy struct policy *policy =
		policy_text("[files]\ninject read = /a -> /b\n[network]\ndefault = allow\n");
	struct policy_endpoint endpoint;

	(void)state;
	struct policy_verdict verdict = ask(policy, OPERATION_CONNECT, 5);
	assert_false(policy_inject_endpoint(&verdict, &endpoint));
	assert_null(policy_inject_text(&verdict));
	verdict = policy_decide_file(policy, OPERATION_READ, "/a");
	assert_false(policy_inject_endpoint(&verdict, &endpoint));
	assert_string_equal(policy_inject_text(&verdict), "/b");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_what_is_written),
		cmocka_unit_test(names_each_descriptor_once),
		cmocka_unit_test(gives_nothing_where_nothing_is_injected),
	};

	policy_text_enter();
	return cmocka_run_group_tests_name("replacement", tests, NULL, NULL);
}

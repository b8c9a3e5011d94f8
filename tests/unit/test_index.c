/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The indexes are a shortcut, and never another answer: random policies, each question asked once
 * of the policy and once by a plain walk over its rules.
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
#include "daemon/policy/address.h"
#include "daemon/policy/pattern.h"
#include "daemon/policy/rule.h"
#include "tests/unit/policy_text.h"

#define R OPERATION_READ
#define W OPERATION_WRITE

/* The rule that a plain walk over all of them finds. */
static const struct policy_rule *walk(
	const struct policy *policy, unsigned int operation, const char *path)
{
	size_t count;
	const struct policy_rule *rules = policy_rules(policy, POLICY_FILES, &count);

	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < rules[i].subject_count; k++) {
			if ((rules[i].operations & operation) != 0 &&
				pattern_matches(
					rules[i].subjects[k].path.pattern, path, strlen(path))) {
				return &rules[i];
			}
		}
	}
	return &rules[count - 1];
}

static void finds_what_a_walk_finds(void **state)
{
	static const char *const words[] = {"a", "b", "ab", "a*", "?", "**"};
	static const char *const keys[] = {"allow read", "deny write", "kill read write"};
	char text[8192], path[64];

	(void)state;
	srand(3);
	for (unsigned int i = 0; i < 50; i++) {
		cleanup_policy struct policy *policy = NULL;

		strcpy(text, "[files]\n");
		for (unsigned int k = 0; k < 40; k++) {
			strcat(strcat(text, keys[rand() % 3]), " = ");
			policy_text_append_random(text, words, array_length(words));
			policy_text_append_random(strcat(text, " "), words, array_length(words));
			strcat(text, "\n");
		}
		policy = policy_text(text);
		for (unsigned int k = 0; k < 500; k++) {
			unsigned int operation = k % 2 == 0 ? R : W;

			*path = '\0';
			policy_text_append_random(path, words, 3);
			assert_ptr_equal(policy_decide_file(policy, operation, path).rule,
				walk(policy, operation, path));
		}
	}
}

/* The rule that a plain walk over all of them finds for a connection. */
static const struct policy_rule *walk_endpoints(
	const struct policy *policy, const struct policy_endpoint *endpoint)
{
	size_t count;
	const struct policy_rule *rules = policy_rules(policy, POLICY_NETWORK, &count);

	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < rules[i].subject_count; k++) {
			if ((rules[i].operations & OPERATION_CONNECT) != 0 &&
				endpoint_subject_matches(
					&rules[i].subjects[k].endpoint, endpoint)) {
				return &rules[i];
			}
		}
	}
	return &rules[count - 1];
}

/* An address in which few bits are set, so that prefixes of all lengths take some. */
static void append_random_address(char *text)
{
	static const char *const hosts[] = {
		"*", "0.0.0.0/0", "[::]/0", "a.example", "*.example", "*.a.example"};
	static const char *const ports[] = {"*", "80", "443", "80-443", "1-65535"};
	unsigned int prefix = (unsigned int)rand() % 33, choice = (unsigned int)rand() % 11;
	uint32_t bits = (uint32_t)rand() & 0x81010181u;
	char *end = text + strlen(text);

	bits &= prefix == 0 ? 0 : ~UINT32_C(0) << (32 - prefix);
	end += sprintf(end, " %s ", rand() % 2 ? "tcp" : "udp");
	if (choice < array_length(hosts)) {
		end += sprintf(end, "%s", hosts[choice]);
	} else if (choice < 9) {
		end += sprintf(end, "%u.%u.%u.%u/%u", bits >> 24, bits >> 16 & 255, bits >> 8 & 255,
			bits & 255, prefix);
	} else {
		end += sprintf(end, "[2001:db8:%x:%x::/%u]", bits >> 16, bits & 0xffff,
			prefix == 0 ? 64 : 32 + prefix);
	}
	sprintf(end, ":%s", ports[(size_t)rand() % array_length(ports)]);
}

static void append_random_endpoint(char *text)
{
	static const char *const others[] = {" any", " unix /a/**", " unix /a/b", " unix /**",
		" unix @a*", " unix @ab", " unix /*/b"};

	if (rand() % 6 == 0) {
		strcat(text, others[(size_t)rand() % array_length(others)]);
	} else {
		append_random_address(text);
	}
}

static struct policy_endpoint random_endpoint(void)
{
	static const char *const leading[] = {"b.net", "a.example", "b.a.example", "example"};
	static const char *const names[] = {"/a/b", "/a", "/b/b", "/c", "a", "ab", "b"};
	struct policy_endpoint endpoint = {.kind = (enum endpoint_kind)(rand() % 5)};
	uint32_t bits = htonl((uint32_t)rand() & 0x81010181u);

	if (endpoint.kind == ENDPOINT_UNIX_PATH || endpoint.kind == ENDPOINT_UNIX_ABSTRACT) {
		endpoint.path =
			names[rand() % 4 + (endpoint.kind == ENDPOINT_UNIX_ABSTRACT ? 3 : 0)];
		endpoint.path_length = strlen(endpoint.path);
		return endpoint;
	}
	endpoint.names = leading + rand() % 2;
	endpoint.name_count = (size_t)(rand() % 4);
	endpoint.family = rand() % 3 ? AF_INET : AF_INET6;
	endpoint.port = (uint16_t[]){80, 81, 443, 444, 1}[rand() % 5];
	if (endpoint.family == AF_INET6) {
		memcpy(endpoint.address, (uint8_t[]){0x20, 0x01, 0x0d, 0xb8}, 4);
	}
	memcpy(endpoint.address + (endpoint.family == AF_INET6 ? 4 : 0), &bits, 4);
	endpoint_canonical(&endpoint, OPERATION_CONNECT);
	return endpoint;
}

static void finds_what_a_walk_over_addresses_finds(void **state)
{
	static const char *const keys[] = {
		"allow connect", "deny EPERM connect", "kill connect", "quiet deny connect"};
	char text[16384];

	(void)state;
	srand(4);
	for (unsigned int i = 0; i < 100; i++) {
		cleanup_policy struct policy *policy = NULL;

		strcpy(text, "[network]\n");
		for (unsigned int k = 0; k < 40; k++) {
			strcat(strcat(text, keys[rand() % 4]), " =");
			append_random_endpoint(text);
			append_random_endpoint(text);
			strcat(text, "\n");
		}
		policy = policy_text(text);
		for (unsigned int k = 0; k < 500; k++) {
			struct policy_endpoint endpoint = random_endpoint();

			assert_ptr_equal(
				policy_decide_endpoint(policy, OPERATION_CONNECT, &endpoint).rule,
				walk_endpoints(policy, &endpoint));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_a_walk_finds),
		cmocka_unit_test(finds_what_a_walk_over_addresses_finds),
	};

	policy_text_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

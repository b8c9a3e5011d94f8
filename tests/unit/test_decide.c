/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verdicts: the first rule that matches, the operations of one request, the log, what is mediated.
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
#include "daemon/policy/pattern.h"
#include "daemon/policy/rule.h"
#include "tests/unit/policy_text.h"

#define R OPERATION_READ
#define W OPERATION_WRITE
#define C OPERATION_CREATE
#define D OPERATION_REMOVE
#define M OPERATION_METADATA
#define X OPERATION_EXECUTE
#define S OPERATION_STAT

static const char files_text[] = "[files]\n"
				 "default = deny EACCES\n"
				 "deny ENOENT all = ${HOME}/.ssh/**\n"
				 "quiet deny EPERM read = /quiet\n"
				 "kill read = /kill\n"
				 "audit allow read = /audited/**\n"
				 "allow read = /usr/** /mixed /in\n"
				 "allow write create = /audited/** \n"
				 "allow read write create = ${CWD}/** /tmp/**\n"
				 "inject read write = /both -> /other\n"
				 "inject read = /r -> /other1\n"
				 "inject write = /r -> /other2\n"
				 "inject write = /in -> /other\n"
				 "audit deny write = /mixed\n"
				 "allow read = /${X}/y\n";

static const struct {
	unsigned int operations;
	const char *path;
	enum policy_action action;
	int error;
	unsigned int line; /* of the rule */
	bool log;
} file_cases[] = {
	{R, "/usr/lib/x", POLICY_ALLOW, 0, 7, false},
	{R, "/usr", POLICY_ALLOW, 0, 7, false},
	{R, "/etc/shadow", POLICY_DENY, EACCES, 2, true},
	{R, "/home/user/.ssh/id", POLICY_DENY, ENOENT, 3, true},
	{R | W | C, "/home/user/.ssh", POLICY_DENY, ENOENT, 3, true},
	{R, "/home/user/.sshx", POLICY_DENY, EACCES, 2, true},
	{R, "/quiet", POLICY_DENY, EPERM, 4, false},
	{W, "/quiet", POLICY_DENY, EACCES, 2, true},
	{R | W, "/quiet", POLICY_DENY, EPERM, 4, false},
	{R, "/kill", POLICY_KILL, 0, 5, true},
	{R, "/audited/x", POLICY_ALLOW, 0, 6, true},
	{W, "/audited/x", POLICY_ALLOW, 0, 8, false},
	{W | C, "/audited/x", POLICY_ALLOW, 0, 8, false},
	{R | W, "/audited/x", POLICY_ALLOW, 0, 6, true},
	{R | W, "/mixed", POLICY_DENY, EACCES, 14, true},
	{R | W, "/usr/x", POLICY_DENY, EACCES, 2, true},
	{R | W | C, "/tree/a/b", POLICY_ALLOW, 0, 9, false},
	{R | W, "/both", POLICY_INJECT, 0, 10, true},
	{W, "/both", POLICY_INJECT, 0, 10, true},
	{R | W | C, "/both", POLICY_DENY, EACCES, 2, true},
	/* Not one injection for all operations: nobody's rule gives such a descriptor. */
	{R, "/r", POLICY_INJECT, 0, 11, true},
	{R | W, "/r", POLICY_DENY, EACCES, 11, true},
	{R | W, "/in", POLICY_DENY, EACCES, 13, true},
	{R, "/in", POLICY_ALLOW, 0, 7, false},
	{W, "/in", POLICY_INJECT, 0, 13, true},
	{R, "/a*b/y", POLICY_ALLOW, 0, 15, false},
	{R, "/aab/y", POLICY_DENY, EACCES, 2, true},
	{R, "/", POLICY_DENY, EACCES, 2, true},
};

static void decides_files(void **state)
{
	cleanup_policy struct policy *policy = policy_text(files_text);

	(void)state;
	for (size_t i = 0; i < array_length(file_cases); i++) {
		struct policy_verdict verdict =
			policy_decide_file(policy, file_cases[i].operations, file_cases[i].path);

		if (verdict.action != file_cases[i].action ||
			verdict.error != file_cases[i].error || verdict.log != file_cases[i].log) {
			fail_msg("%s %x: %s %d by line %u", file_cases[i].path,
				file_cases[i].operations, policy_action_name(verdict.action),
				verdict.error, verdict.rule->origin.line);
		}
		if (file_cases[i].line != verdict.rule->origin.line) {
			fail_msg("%s %x: line %u", file_cases[i].path, file_cases[i].operations,
				verdict.rule->origin.line);
		}
	}
}

static void names_the_replacement(void **state)
{
	cleanup_policy struct policy *policy = policy_text(files_text);
	struct policy_verdict verdict = policy_decide_file(policy, W, "/r");

	(void)state;
	assert_string_equal(policy_inject_path(&verdict), "/other2");
	assert_string_equal(verdict.subject->text, "/r -> /other2");
	verdict = policy_decide_file(policy, R | W, "/r");
	assert_null(policy_inject_path(&verdict));
	verdict = policy_decide_file(policy, R, "/usr");
	assert_null(policy_inject_path(&verdict));
}

/* What nobody speaks of is not denied by a default that was written with opens in mind. */
static void default_speaks_of_what_is_named(void **state)
{
	static const char text[] = "[files]\ndefault = deny EPERM\n"
				   "deny ENOENT all = /kept/**\nallow read = /**\n";
	static const char naming[] = "[files]\ndefault = deny EPERM\n"
				     "deny ENOENT all = /kept/**\nallow stat = /usr/**\n";
	cleanup_policy struct policy *policy = policy_text(text);
	cleanup_policy struct policy *named = policy_text(naming);
	struct policy_verdict verdict = policy_decide_file(policy, S, "/x");

	(void)state;
	assert_int_equal(verdict.action, POLICY_ALLOW);
	assert_false(verdict.log);
	assert_true(verdict.rule->is_default);
	assert_int_equal(policy_decide_file(policy, M, "/x").action, POLICY_ALLOW);
	assert_int_equal(policy_decide_file(policy, X, "/x").action, POLICY_ALLOW);
	assert_int_equal(policy_decide_file(policy, W, "/x").error, EPERM);
	assert_int_equal(policy_decide_file(policy, D, "/x").error, EPERM);
	/* Of `all` it is the rule itself that speaks. */
	assert_int_equal(policy_decide_file(policy, S, "/kept/x").error, ENOENT);
	assert_int_equal(policy_decide_file(policy, M, "/kept/x").error, ENOENT);
	/* Without the word there is no Landlock layer, and so nobody to deny it. */
	assert_int_equal(policy_decide_file(policy, X, "/kept/x").action, POLICY_ALLOW);
	assert_int_equal(policy_decide_file(named, S, "/x").error, EPERM);
	assert_int_equal(policy_decide_file(named, S, "/usr/x").action, POLICY_ALLOW);
	assert_int_equal(policy_decide_file(named, M, "/x").action, POLICY_ALLOW);
}

/* `all` of a wildcard speaks of everything but execute, which nobody could enforce. */
static void execute_speaks_of_files_and_trees(void **state)
{
	cleanup_policy struct policy *policy =
		policy_text("[files]\ndefault = deny\ndeny all = /a/*.sh /b/** /c\n"
			    "allow execute = /**\n");

	(void)state;
	assert_int_equal(policy_decide_file(policy, X, "/a/x.sh").action, POLICY_ALLOW);
	assert_int_equal(policy_decide_file(policy, R, "/a/x.sh").action, POLICY_DENY);
	assert_int_equal(policy_decide_file(policy, X, "/b/x").action, POLICY_DENY);
	assert_int_equal(policy_decide_file(policy, X, "/c").action, POLICY_DENY);
	assert_int_equal(policy_decide_file(policy, X, "/d").action, POLICY_ALLOW);
}

static const struct {
	const char *rules, *directory;
	bool uniform;
} below_cases[] = {
	{"deny all = /home/*/.ssh/**", "/home/u/proj", true},
	{"deny all = /home/*/.ssh/**", "/home/u/.ssh", true},
	{"deny all = /home/*/.ssh/**", "/home/u/.ssh/keys", true},
	{"deny all = /home/*/.ssh/**", "/home/u", false},
	{"deny all = /home/*/.ssh/**", "/home", false},
	{"deny all = /home/*/.ssh/**", "/", false},
	{"deny all = /home/*/.ssh/**", "/homes/u", true},
	{"allow read = /w/**", "/w", true},
	{"allow read = /w/**", "/w/a/b", true},
	{"allow read = /w/**", "/wx", true},
	{"allow read = /w/**", "/", false},
	{"allow read = /**", "/", true},
	{"allow read = /", "/", true},
	{"allow read = /w", "/w", true},
	{"allow read = /w/x", "/w", false},
	{"allow read = /w/*", "/w/x", true},
	{"allow read = /w/*", "/w", false},
	{"deny read = /w/**/.git/**", "/w/x", false},
	{"deny read = /w/**/.git/**", "/w/x/.git", true},
	/* Behind a rule that takes everything, others are not asked; of other operations they are.
	 */
	{"allow read = /w/**\ndeny read = /w/x/y", "/w/x", true},
	{"allow read = /w/**\ndeny write = /w/x/y", "/w/x", false},
	{"allow all = /w/**\ndeny write = /w/x/y", "/w/x", true},
};

static void knows_what_is_uniform_below(void **state)
{
	cleanup_policy struct policy *absent = policy_text("[network]\n");

	(void)state;
	assert_true(policy_is_uniform_below(absent, "/"));
	for (size_t i = 0; i < array_length(below_cases); i++) {
		cleanup_policy struct policy *policy = NULL;
		char text[256];

		snprintf(text, sizeof(text), "[files]\n%s\n", below_cases[i].rules);
		policy = policy_text(text);
		if (policy_is_uniform_below(policy, below_cases[i].directory) !=
			below_cases[i].uniform) {
			fail_msg("%s below %s", below_cases[i].rules, below_cases[i].directory);
		}
	}
}

/* The rules that answer for a path, one for each operation. */
static void answers_of(
	const struct policy *policy, const char *path, const struct policy_rule *rules[7])
{
	for (unsigned int i = 0; i < 7; i++) {
		rules[i] = policy_decide_file(policy, 1u << i, path).rule;
	}
}

/* What is called uniform answers alike for whatever name lies below. */
static void uniform_is_uniform(void **state)
{
	static const char *const words[] = {"a", "b", "ab", "a*", "?", "[!a]", "**", "**"};
	static const char *const keys[] = {"allow read", "deny all", "deny remove stat"};
	unsigned int uniform = 0;

	(void)state;
	srand(5);
	for (unsigned int i = 0; i < 3000; i++) {
		cleanup_policy struct policy *policy = NULL;
		char text[512] = "[files]\n", directory[64] = "", path[160];
		const struct policy_rule *first[7], *other[7];

		for (unsigned int k = 0; k < 2; k++) {
			strcat(strcat(text, keys[rand() % 3]), " = ");
			policy_text_append_random(text, words, array_length(words));
			strcat(text, "\n");
		}
		policy = policy_text(text);
		policy_text_append_random(directory, words, 3);
		if (!policy_is_uniform_below(policy, directory)) {
			continue;
		}
		uniform++;
		for (unsigned int k = 0; k < 40; k++) {
			snprintf(path, sizeof(path), "%s/%s", directory[1] ? directory : "",
				words[rand() % 3]);
			if (k % 2) {
				policy_text_append_random(path, words, 3);
			}
			path[strlen(path) - (path[strlen(path) - 1] == '/')] = '\0';
			answers_of(policy, path, k == 0 ? first : other);
			if (k != 0 && memcmp(first, other, sizeof(first)) != 0) {
				fail_msg("%s below %s: %s", text, directory, path);
			}
		}
	}
	assert_in_range(uniform, 500, 2900);
}

static struct policy_verdict ask_tcp(
	const struct policy *policy, const char *address, unsigned int port)
{
	struct policy_endpoint endpoint = {.kind = ENDPOINT_TCP, .port = (uint16_t)port};

	endpoint.family = strchr(address, ':') ? AF_INET6 : AF_INET;
	assert_int_equal(inet_pton(endpoint.family, address, endpoint.address), 1);
	return policy_decide_endpoint(policy, OPERATION_CONNECT, &endpoint);
}

static void decides_connections(void **state)
{
	cleanup_policy struct policy *policy =
		policy_text("[network]\ndefault = deny ENETUNREACH\n"
			    "deny connect = tcp 127.0.0.1:22\n"
			    "allow connect = tcp 127.0.0.0/8:* tcp [::1]:80 unix @x*\n");
	struct policy_endpoint name = {
		.kind = ENDPOINT_UNIX_ABSTRACT, .path = "x\0y", .path_length = 3};
	struct policy_endpoint other = {.kind = ENDPOINT_OTHER};

	(void)state;
	assert_int_equal(ask_tcp(policy, "127.0.0.1", 80).action, POLICY_ALLOW);
	assert_int_equal(ask_tcp(policy, "127.0.0.1", 22).error, ECONNREFUSED);
	assert_int_equal(ask_tcp(policy, "8.8.8.8", 80).error, ENETUNREACH);
	/* Other ways to write the same address. */
	assert_int_equal(ask_tcp(policy, "::ffff:127.0.0.1", 22).error, ECONNREFUSED);
	assert_int_equal(ask_tcp(policy, "0.0.0.0", 22).error, ECONNREFUSED);
	assert_int_equal(ask_tcp(policy, "::ffff:0.0.0.0", 22).error, ECONNREFUSED);
	assert_int_equal(ask_tcp(policy, "::", 80).action, POLICY_ALLOW);
	assert_int_equal(ask_tcp(policy, "::", 22).error, ENETUNREACH);
	assert_int_equal(
		policy_decide_endpoint(policy, OPERATION_CONNECT, &name).action, POLICY_ALLOW);
	assert_int_equal(
		policy_decide_endpoint(policy, OPERATION_CONNECT, &other).error, ENETUNREACH);
}

static void decides_sockets(void **state)
{
	cleanup_policy struct policy *policy =
		policy_text("[sockets]\ndeny EPERM = inet/stream/mptcp\nallow = unix inet/stream\n"
			    "allow = */dgram/udp\ninject = inet6/stream/tcp\n");

	(void)state;
	assert_int_equal(policy_decide_socket(policy, AF_UNIX, SOCK_RAW, 7).action, POLICY_ALLOW);
	assert_int_equal(
		policy_decide_socket(policy, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 6).action,
		POLICY_ALLOW);
	assert_int_equal(policy_decide_socket(policy, AF_INET, SOCK_STREAM, 262).error, EPERM);
	assert_int_equal(policy_decide_socket(policy, AF_INET, SOCK_RAW, 1).error, EAFNOSUPPORT);
	/* Protocol 0 is the type's own. */
	assert_int_equal(policy_decide_socket(policy, AF_INET, SOCK_DGRAM, 0).action, POLICY_ALLOW);
	assert_int_equal(
		policy_decide_socket(policy, AF_INET6, SOCK_DGRAM, 0).action, POLICY_ALLOW);
	assert_int_equal(
		policy_decide_socket(policy, AF_INET6, SOCK_DGRAM, 136).error, EAFNOSUPPORT);
	assert_int_equal(
		policy_decide_socket(policy, AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0).action,
		POLICY_INJECT);
	assert_int_equal(policy_decide_socket(policy, AF_NETLINK, SOCK_RAW, 0).error, EAFNOSUPPORT);
}

static void allows_where_a_section_is_absent(void **state)
{
	cleanup_policy struct policy *policy = policy_text("[policy]\ndescription = nothing\n");
	struct policy_verdict verdict = policy_decide_file(policy, R | W, "/etc/shadow");

	(void)state;
	assert_int_equal(verdict.action, POLICY_ALLOW);
	assert_false(verdict.log);
	assert_non_null(verdict.rule);
	assert_null(verdict.subject);
	assert_int_equal(ask_tcp(policy, "8.8.8.8", 80).action, POLICY_ALLOW);
	assert_int_equal(policy_decide_socket(policy, AF_INET, SOCK_RAW, 0).action, POLICY_ALLOW);
	assert_false(policy_mediates_file(policy, R));
	assert_false(policy_mediates_endpoint(policy, OPERATION_CONNECT));
}

static const struct {
	const char *text;
	unsigned int operations; /* that are mediated */
} mediation_cases[] = {
	{"[files]\n", R | W | C | D},
	{"[files]\ndefault = allow\n", 0},
	{"[files]\ndefault = audit allow\n", R | W | C | D},
	{"[files]\nallow metadata = /x\n", R | W | C | D | M},
	{"[files]\nallow execute stat = /x\n", R | W | C | D | X | S},
	{"[files]\nallow stat = /**\n", R | W | C | D},
	{"[files]\nallow all = /x\n", R | W | C | D},
	{"[files]\ndefault = allow\ndeny all = /x\n", OPERATIONS_FILES & ~(unsigned int)X},
	{"[files]\ndefault = allow\ndeny all = /x\nallow execute = /y\n", OPERATIONS_FILES},
	{"[files]\nallow execute = /**\n", R | W | C | D},
	{"[files]\ndefault = allow\nallow stat = /y\ndeny remove = /x\n", D},
	{"[files]\ndefault = allow\ndeny write = /x\n", W},
	{"[files]\ndefault = allow\ninject read = /x -> /y\n", R},
	{"[files]\ndefault = allow\nkill create = /x\n", C},
	{"[files]\ndefault = deny\nallow read = /**\n", W | C | D},
	{"[files]\ndefault = allow\nallow read = /**\ndeny read write = /x\n", W},
	{"[files]\ndefault = deny\naudit allow read = /**\n", R | W | C | D},
	{"[files]\ndefault = deny\nallow all = /*\n", R | W | C | D},
	{"[network]\ndefault = allow\n", 0},
	{"[network]\ndefault = allow\ndeny connect = unix /x\n", OPERATION_CONNECT},
	{"[network]\nallow connect = any\n", 0},
};

static void knows_what_must_be_asked(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(mediation_cases); i++) {
		cleanup_policy struct policy *policy = policy_text(mediation_cases[i].text);
		unsigned int operations =
			policy_mediates_endpoint(policy, OPERATION_CONNECT) ? OPERATION_CONNECT : 0;

		for (unsigned int one = 1; one & OPERATIONS_FILES; one <<= 1) {
			operations |= policy_mediates_file(policy, one) ? one : 0;
		}
		if (operations != mediation_cases[i].operations) {
			fail_msg("%s: %x", mediation_cases[i].text, operations);
		}
	}
}

static void names_what_it_speaks_of(void **state)
{
	(void)state;
	assert_string_equal(policy_action_name(POLICY_INJECT), "inject");
	assert_string_equal(policy_section_name(POLICY_SYSCALLS), "syscalls");
	assert_string_equal(policy_operation_name(W | C), "write");
	assert_string_equal(policy_operation_name(OPERATION_BIND), "bind");
	assert_string_equal(policy_errno_name(EACCES), "EACCES");
	assert_null(policy_errno_name(4000));
	assert_int_equal(policy_errno_value("EACCES"), EACCES);
	assert_int_equal(policy_errno_value("ENOTSUP"), EOPNOTSUPP);
	assert_int_equal(policy_errno_value("EHWPOISON"), EHWPOISON);
	assert_int_equal(policy_errno_value("EACCESS"), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(decides_files),
		cmocka_unit_test(names_the_replacement),
		cmocka_unit_test(default_speaks_of_what_is_named),
		cmocka_unit_test(execute_speaks_of_files_and_trees),
		cmocka_unit_test(knows_what_is_uniform_below),
		cmocka_unit_test(uniform_is_uniform),
		cmocka_unit_test(decides_connections),
		cmocka_unit_test(decides_sockets),
		cmocka_unit_test(allows_where_a_section_is_absent),
		cmocka_unit_test(knows_what_must_be_asked),
		cmocka_unit_test(names_what_it_speaks_of),
	};

	policy_text_enter();
	return cmocka_run_group_tests_name("decide", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The fourth stage: which question each call is to the policy, and what becomes of the answer. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker_target.h"
#include "daemon/base/cleanup.h"
#include "daemon/broker/decide.h"
#include "policy_text.h"

static const char text[] = "[files]\n"
			   "default = deny EACCES\n"
			   "deny EPERM create = /ro/**\n"
			   "allow read write = /ro/** /rw/**\n"
			   "allow create = /rw/**\n"
			   "deny ENOENT all = /hidden/**\n"
			   "inject read = /in -> /etc/passwd\n"
			   "[network]\n"
			   "default = deny ENETUNREACH\n"
			   "allow connect = tcp 127.0.0.1:80 unix /run/x unix @ab\n"
			   "[sockets]\n"
			   "default = deny EAFNOSUPPORT\n"
			   "allow = inet/stream unix\n"
			   "inject = inet6/stream\n";

static int set_up(void **state)
{
	static struct stage stage;

	policy_text_enter();
	stage_init(&stage, NULL, NULL);
	stage.broker.policy = policy_text(text);
	*state = &stage;
	return 0;
}

static int tear_down(void **state)
{
	struct stage *stage = *state;

	policy_free(stage->broker.policy);
	stage_finish(stage);
	return 0;
}

static const struct policy_verdict *decide_open(
	struct stage *stage, const char *path, uint64_t flags, unsigned int operations)
{
	struct request *request = stage->request;

	stage_call(stage, SYS_openat, 0, 0, 0, 0);
	request->call = CALL_OPEN;
	request->place.nameless = request->place.unknown = false;
	request->open.how = (struct open_how){.flags = flags};
	request->open.operations = operations;
	strcpy(request->place.path, path);
	decide(&stage->broker, request);
	return &request->verdict;
}

static void an_open_is_asked_by_its_resolved_path(void **state)
{
	struct stage *stage = *state;
	const struct policy_verdict *verdict;

	verdict = decide_open(stage, "/rw/a", O_RDWR, OPERATION_READ | OPERATION_WRITE);
	assert_int_equal(verdict->action, POLICY_ALLOW);
	assert_non_null(verdict->rule);
	assert_false(stage->request->open.only_existing);
	verdict = decide_open(stage, "/etc/shadow", O_RDONLY, OPERATION_READ);
	assert_int_equal(verdict->action, POLICY_DENY);
	assert_int_equal(verdict->error, EACCES);
	verdict = decide_open(stage, "/in", O_RDONLY, OPERATION_READ);
	assert_int_equal(verdict->action, POLICY_INJECT);
	assert_string_equal(policy_inject_path(verdict), "/etc/passwd");
}

static void what_may_not_be_made_may_be_opened_if_it_is_there(void **state)
{
	struct stage *stage = *state;
	const struct open_request *open = &stage->request->open;
	const struct policy_verdict *verdict =
		decide_open(stage, "/ro/a", O_WRONLY | O_CREAT, OPERATION_WRITE | OPERATION_CREATE);

	assert_int_equal(verdict->action, POLICY_ALLOW);
	assert_true(open->only_existing);
	assert_int_equal(open->verdict_if_missing.action, POLICY_DENY);
	assert_int_equal(open->verdict_if_missing.error, EPERM);
	/* Where the rest is denied too there is nothing to look for. */
	verdict = decide_open(
		stage, "/hidden/a", O_WRONLY | O_CREAT, OPERATION_WRITE | OPERATION_CREATE);
	assert_int_equal(verdict->action, POLICY_DENY);
	assert_false(open->only_existing);
	/* Nor where all is allowed. */
	verdict =
		decide_open(stage, "/rw/a", O_WRONLY | O_CREAT, OPERATION_WRITE | OPERATION_CREATE);
	assert_int_equal(verdict->action, POLICY_ALLOW);
	assert_false(open->only_existing);
}

/* O_TMPFILE always makes a file: what exists is the directory. */
static void a_nameless_new_file_is_always_made(void **state)
{
	struct stage *stage = *state;
	const struct policy_verdict *verdict =
		decide_open(stage, "/ro", O_WRONLY | O_TMPFILE, OPERATION_WRITE | OPERATION_CREATE);

	assert_int_equal(verdict->action, POLICY_DENY);
	assert_int_equal(verdict->error, EPERM);
	assert_false(stage->request->open.only_existing);
}

static void what_has_no_name_has_no_rule(void **state)
{
	struct stage *stage = *state;
	struct request *request = stage->request;

	decide_open(stage, "pipe:[1]", O_RDONLY, OPERATION_READ);
	request->place.nameless = true;
	request->place.unknown = false;
	decide(&stage->broker, request);
	assert_int_equal(request->verdict.action, POLICY_ALLOW);
	assert_null(request->verdict.rule);
	assert_false(request->open.only_existing);
}

static enum policy_action decide_connect(struct stage *stage, struct policy_endpoint endpoint)
{
	stage_call(stage, SYS_connect, 0, 0, 0, 0);
	stage->request->call = CALL_CONNECT;
	stage->request->address.endpoint = endpoint;
	stage->request->address.operation = OPERATION_CONNECT;
	stage->request->place.unknown = false;
	strcpy(stage->request->place.path, "/run/x");
	decide(&stage->broker, stage->request);
	return stage->request->verdict.action;
}

static void a_connection_is_asked_by_its_endpoint(void **state)
{
	struct stage *stage = *state;
	struct policy_endpoint endpoint = {
		.kind = ENDPOINT_TCP, .family = AF_INET, .address = {127, 0, 0, 1}, .port = 80};

	assert_int_equal(decide_connect(stage, endpoint), POLICY_ALLOW);
	endpoint.port = 81;
	assert_int_equal(decide_connect(stage, endpoint), POLICY_DENY);
	assert_int_equal(stage->request->verdict.error, ENETUNREACH);
	endpoint = (struct policy_endpoint){
		.kind = ENDPOINT_UNIX_ABSTRACT, .path = "ab", .path_length = 2};
	assert_int_equal(decide_connect(stage, endpoint), POLICY_ALLOW);
	endpoint.path_length = 1;
	assert_int_equal(decide_connect(stage, endpoint), POLICY_DENY);
	/* A path is asked by what it was resolved to, whatever was passed. */
	endpoint = (struct policy_endpoint){.kind = ENDPOINT_UNIX_PATH, .path = "elsewhere"};
	assert_int_equal(decide_connect(stage, endpoint), POLICY_ALLOW);
	assert_string_equal(stage->request->address.endpoint.path, "/run/x");
}

/* What decoding has found to lead nowhere is free; what nobody understands leads somewhere. */
static void only_what_leads_nowhere_is_not_asked(void **state)
{
	struct policy_endpoint endpoint = {.kind = ENDPOINT_OTHER, .family = AF_INET};
	struct stage *stage = *state;

	assert_int_equal(decide_connect(*state, endpoint), POLICY_DENY);
	endpoint.family = AF_VSOCK;
	assert_int_equal(decide_connect(*state, endpoint), POLICY_DENY);
	stage->request->address.operation = 0;
	decide(&stage->broker, stage->request);
	assert_int_equal(stage->request->verdict.action, POLICY_ALLOW);
}

static void a_sockets_type_is_asked_without_its_flags(void **state)
{
	struct stage *stage = *state;
	struct request *request = stage->request;
	static const struct {
		int family, type;
		enum policy_action action;
	} cases[] = {
		{AF_INET, SOCK_STREAM, POLICY_ALLOW},
		{AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, POLICY_ALLOW},
		{AF_INET, SOCK_DGRAM, POLICY_DENY},
		{AF_INET, SOCK_RAW | SOCK_CLOEXEC, POLICY_DENY},
		{AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, POLICY_ALLOW},
		{AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, POLICY_INJECT},
		{AF_NETLINK, SOCK_RAW, POLICY_DENY},
	};

	for (size_t i = 0; i < array_length(cases); i++) {
		stage_call(stage, SYS_socket, 0, 0, 0, 0);
		request->call = CALL_SOCKET;
		request->socket = (struct socket_request){cases[i].family, cases[i].type, 0};
		decide(&stage->broker, request);
		assert_int_equal(request->verdict.action, cases[i].action);
	}
}

static enum policy_action decide_reach(struct stage *stage, int nr, uint64_t first, uint64_t second)
{
	stage_call(stage, nr, first, second, 0, 0);
	stage->request->call = CALL_REACH;
	decide(&stage->broker, stage->request);
	return stage->request->verdict.action;
}

static void a_hold_is_had_within_the_session_only(void **state)
{
	struct stage *stage = *state;
	uint64_t inside = (uint64_t)stage->target, outside = (uint64_t)getpid();

	assert_int_equal(decide_reach(stage, SYS_ptrace, outside, inside), POLICY_ALLOW);
	assert_int_equal(decide_reach(stage, SYS_ptrace, inside, outside), POLICY_DENY);
	assert_int_equal(stage->request->verdict.error, EPERM);
	assert_int_equal(decide_reach(stage, SYS_process_vm_writev, inside, outside), POLICY_ALLOW);
	assert_int_equal(decide_reach(stage, SYS_process_vm_writev, outside, inside), POLICY_DENY);
	assert_int_equal(decide_reach(stage, SYS_process_vm_readv, 1, inside), POLICY_DENY);
	assert_int_equal(decide_reach(stage, SYS_process_vm_readv, 0, inside), POLICY_DENY);
	assert_int_equal(decide_reach(stage, SYS_ptrace, inside, (uint64_t)-1), POLICY_DENY);
}

static void our_own_calls_are_not_asked(void **state)
{
	struct stage *stage = *state;
	static const enum call calls[] = {CALL_FORGET, CALL_PROBE, CALL_UNKNOWN};

	for (size_t i = 0; i < array_length(calls); i++) {
		stage_call(stage, SYS_chroot, 0, 0, 0, 0);
		stage->request->call = calls[i];
		stage->request->verdict.action = POLICY_DENY;
		decide(&stage->broker, stage->request);
		assert_int_equal(stage->request->verdict.action, POLICY_ALLOW);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_open_is_asked_by_its_resolved_path),
		cmocka_unit_test(what_may_not_be_made_may_be_opened_if_it_is_there),
		cmocka_unit_test(a_nameless_new_file_is_always_made),
		cmocka_unit_test(what_has_no_name_has_no_rule),
		cmocka_unit_test(a_connection_is_asked_by_its_endpoint),
		cmocka_unit_test(only_what_leads_nowhere_is_not_asked),
		cmocka_unit_test(a_sockets_type_is_asked_without_its_flags),
		cmocka_unit_test(a_hold_is_had_within_the_session_only),
		cmocka_unit_test(our_own_calls_are_not_asked),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

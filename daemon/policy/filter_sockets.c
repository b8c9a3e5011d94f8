/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/policy/filter_sockets.h"

#include <errno.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/filter_plan.h"
#include "daemon/policy/policy.h"

/* SOCK_CLOEXEC and SOCK_NONBLOCK stand beside the type, of which the kernel takes four bits. */
#define SOCKET_TYPE_MASK 0xfu

/*
 * Their sockets are of no network namespace (Linux 6.18, vsock_create(), qrtr_create(),
 * mISDN_sock_create()): from an empty one they reach what they reach from any other, as the
 * hypervisor and all that listens for it.
 */
static const int everywhere[] = {AF_VSOCK, AF_QIPCRTR, AF_ISDN};

static void add_comparison(
	struct plan_clause *clause, unsigned int argument, uint64_t mask, int value)
{
	if (value >= 0) {
		clause->comparisons[clause->count++] = (struct comparison){
			.argument = argument,
			.operator= COMPARE_MASKED_EQ,
			.mask = mask,
			.value = (uint32_t)value,
		};
	}
}

static struct plan_answer answer_of(const struct policy_rule *rule, int nr)
{
	if (rule->action == POLICY_KILL) {
		return (struct plan_answer){FILTER_KILL, 0};
	}
	if (rule->audit || (rule->action == POLICY_INJECT && nr == SCMP_SYS(socket))) {
		return (struct plan_answer){FILTER_NOTIFY, 0};
	}
	if (rule->action == POLICY_DENY) {
		return (struct plan_answer){FILTER_ERRNO, rule->error};
	}
	return (struct plan_answer){FILTER_ALLOW, 0};
}

static int add_rule(struct plan *plan, const struct policy_rule *rule, int nr)
{
	struct plan_clause clause = {.answer = answer_of(rule, nr)};
	int error = 0;

	if (rule->is_default) {
		return plan_call_add(plan, nr, offsetof(struct plan_call, mediation), &clause);
	}
	for (size_t i = 0; i < rule->subject_count && !error; i++) {
		const struct socket_subject *subject = &rule->subjects[i].socket;

		clause.count = 0;
		add_comparison(&clause, 0, UINT32_MAX, subject->family);
		add_comparison(&clause, 1, SOCKET_TYPE_MASK, subject->type);
		add_comparison(&clause, 2, UINT32_MAX, subject->protocol);
		error = plan_call_add(plan, nr, offsetof(struct plan_call, mediation), &clause);
	}
	return error;
}

/* By this type of another family, which Linux 2.2 replaced, the kernel still makes what only rules
 * about `packet` may let through: __sock_create() of its net/socket.c. It is as if it no longer
 * did. */
static int close_old_packet_sockets(struct plan *plan)
{
	struct plan_clause clause = {.answer = {FILTER_ERRNO, ESOCKTNOSUPPORT}};

	add_comparison(&clause, 0, UINT32_MAX, AF_INET);
	add_comparison(&clause, 1, SOCKET_TYPE_MASK, SOCK_PACKET);
	return plan_call_add(
		plan, SCMP_SYS(socket), offsetof(struct plan_call, mediation), &clause);
}

static bool names_family(const struct policy_rule *rule, int family)
{
	bool lets = rule->action == POLICY_ALLOW || rule->action == POLICY_INJECT;

	for (size_t i = 0; lets && i < rule->subject_count; i++) {
		if (rule->subjects[i].socket.family == family) {
			return true;
		}
	}
	return false;
}

/* As on a machine without this family, unless a rule lets it through by its name. */
static int close_family(struct plan *plan, const struct policy *policy, int family)
{
	struct plan_clause clause = {.answer = {FILTER_ERRNO, EAFNOSUPPORT}};
	size_t count;
	const struct policy_rule *rules = policy_rules(policy, POLICY_SOCKETS, &count);

	for (size_t i = 0; i < count; i++) {
		if (names_family(&rules[i], family)) {
			return 0;
		}
	}
	add_comparison(&clause, 0, UINT32_MAX, family);
	return plan_call_add(
		plan, SCMP_SYS(socket), offsetof(struct plan_call, mediation), &clause);
}

int plan_sockets(struct plan *plan, const struct policy *policy)
{
	bool is_inside = policy_network(policy) != WIRE_NETWORK_HOST;
	size_t count;
	const struct policy_rule *rules = policy_rules(policy, POLICY_SOCKETS, &count);
	int error = 0;

	for (size_t i = 0; i < array_length(everywhere) && is_inside && !error; i++) {
		error = close_family(plan, policy, everywhere[i]);
	}
	if (!error && policy_has_section(policy, POLICY_SOCKETS)) {
		error = close_old_packet_sockets(plan);
	}
	for (size_t i = 0; i < count && !error; i++) {
		error = add_rule(plan, &rules[i], SCMP_SYS(socket));
		if (!error) {
			error = add_rule(plan, &rules[i], SCMP_SYS(socketpair));
		}
	}
	return error;
}

/* Is any socket let through that is not of these kinds? Denials before the rule do not count. */
static bool has_other(
	const struct policy *policy, bool (*is_of_kind)(const struct socket_subject *))
{
	static const struct socket_subject everything = {-1, -1, -1};
	size_t count;
	const struct policy_rule *rules = policy_rules(policy, POLICY_SOCKETS, &count);

	if (!policy_has_section(policy, POLICY_SOCKETS)) {
		return !is_of_kind(&everything);
	}
	for (size_t i = 0; i < count; i++) {
		if (rules[i].action != POLICY_ALLOW && rules[i].action != POLICY_INJECT) {
			continue;
		}
		if (rules[i].is_default && !is_of_kind(&everything)) {
			return true;
		}
		for (size_t k = 0; k < rules[i].subject_count; k++) {
			if (!is_of_kind(&rules[i].subjects[k].socket)) {
				return true;
			}
		}
	}
	return false;
}

/* Streams ignore an address or refuse it, but for TCP fast open, which the flags tell. */
static bool takes_no_address(const struct socket_subject *socket)
{
	switch (socket->family) {
	case AF_INET:
	case AF_INET6: /* of the others of this type, SCTP, none is made: see filter_mediation.c */
		return socket->type == SOCK_STREAM;
	case AF_UNIX:
	case AF_VSOCK:
		return socket->type == SOCK_STREAM || socket->type == SOCK_SEQPACKET;
	case AF_ALG:
		return true;
	default:
		return false;
	}
}

bool sockets_take_addresses(const struct policy *policy)
{
	return has_other(policy, takes_no_address);
}

static bool never_binds_itself(const struct socket_subject *socket)
{
	return socket->family == AF_UNIX || socket->family == AF_NETLINK ||
	       socket->type == SOCK_DGRAM || socket->type == SOCK_RAW;
}

bool sockets_bind_themselves(const struct policy *policy)
{
	return has_other(policy, never_binds_itself);
}

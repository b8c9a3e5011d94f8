/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy from any text: reader, parser, lint, snapshot. Either it is refused with a reason, or
 * the snapshot of it gives a policy that answers all questions in the same way.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/filter.h"
#include "daemon/policy/grants.h"
#include "daemon/policy/mechanism.h"
#include "daemon/policy/model.h"
#include "daemon/policy/policy.h"
#include "tests/fuzz/memory_file.h"

#define SIZE_MAX_OF_TEXT 4096
#define FILTERS_OF       16 /* one input in so many also becomes a filter: that takes long */

static const char *const paths[] = {"/", "/etc", "/etc/passwd", "/home/user", "/home/user/.ssh/id",
	"/tree", "/tree/a/b/c", "/tmp/a*b", "/usr/lib/x.so", "/a", "/b/\xc3\xa4", "/proc/self"};

static void compare_verdicts(const struct policy_verdict *a, const struct policy_verdict *b)
{
	must(a->action == b->action && a->error == b->error && a->log == b->log);
	must((a->rule == NULL) == (b->rule == NULL));
	must(!a->rule || a->rule->origin.line == b->rule->origin.line);
}

static void compare_files(const struct policy *a, const struct policy *b)
{
	for (size_t i = 0; i < array_length(paths); i++) {
		for (unsigned int bit = 1; bit <= OPERATIONS_FILES; bit <<= 1) {
			struct policy_verdict x = policy_decide_file(a, bit, paths[i]);
			struct policy_verdict y = policy_decide_file(b, bit, paths[i]);
			compare_verdicts(&x, &y);
			must(x.action == POLICY_ALLOW || x.action == POLICY_INJECT ||
				policy_mediates_file(a, (enum policy_operation)bit));
			/* What is uniform below a directory is so for what lies there. */
			must(policy_is_uniform_below(a, "/tree") ==
				policy_is_uniform_below(b, "/tree"));
		}
	}
}

static void compare_endpoints(const struct policy *a, const struct policy *b)
{
	static const struct policy_endpoint endpoints[] = {
		{.kind = ENDPOINT_TCP, .family = AF_INET, .address = {127, 0, 0, 1}, .port = 80},
		{.kind = ENDPOINT_UDP, .family = AF_INET, .address = {10, 1, 2, 3}, .port = 53},
		{.kind = ENDPOINT_TCP, .family = AF_INET6, .address = {[15] = 1}, .port = 443},
		{.kind = ENDPOINT_UNIX_PATH, .family = AF_UNIX, .path = "/run/x", .path_length = 6},
		{.kind = ENDPOINT_UNIX_ABSTRACT,
			.family = AF_UNIX,
			.path = "x\0y",
			.path_length = 3},
		{.kind = ENDPOINT_OTHER, .family = AF_NETLINK},
	};

	for (size_t i = 0; i < array_length(endpoints); i++) {
		struct policy_verdict x =
			policy_decide_endpoint(a, OPERATION_CONNECT, &endpoints[i]);
		struct policy_verdict y =
			policy_decide_endpoint(b, OPERATION_CONNECT, &endpoints[i]);
		compare_verdicts(&x, &y);
	}
}

static void compare_sockets(const struct policy *a, const struct policy *b)
{
	for (int family = 0; family < 20; family++) {
		for (int type = 1; type < 4; type++) {
			struct policy_verdict x = policy_decide_socket(a, family, type, 0);
			struct policy_verdict y = policy_decide_socket(b, family, type, 0);
			compare_verdicts(&x, &y);
		}
	}
}

/* The kernel knows two answers, and no log; `mechanism = kernel` says that this is enough. */
static void look_at_mechanisms(const struct policy *policy)
{
	struct mechanisms mechanisms;
	struct string_pack grants;

	mechanisms_choose(&mechanisms, policy);
	must((mechanisms.landlock & ~OPERATIONS_LANDLOCK) == 0);
	must(grants_make(&grants, policy, &mechanisms, mechanisms.landlock) == 0);
	string_pack_finish(&grants);
	for (size_t i = 0; i < array_length(paths); i++) {
		for (unsigned int rest = mechanisms.landlock; rest != 0; rest &= rest - 1) {
			struct policy_verdict verdict =
				policy_decide_file(policy, rest & -rest, paths[i]);

			must(verdict.action == POLICY_ALLOW || verdict.action == POLICY_DENY);
			if (policy->mechanism == MECHANISM_KERNEL &&
				(rest & -rest) == OPERATION_READ) {
				continue;
			}
			must(!verdict.log);
			must(verdict.action == POLICY_ALLOW || verdict.error == EACCES);
		}
	}
}

static void look_at(const struct policy *policy)
{
	cleanup_policy struct policy *copy = NULL;
	cleanup_fd int snapshot = policy_to_snapshot(policy);

	must(snapshot >= 0);
	must(policy_from_snapshot(&copy, snapshot) == 0);
	must(strcmp(policy_description(policy), policy_description(copy)) == 0);
	compare_files(policy, copy);
	compare_endpoints(policy, copy);
	compare_sockets(policy, copy);
	look_at_mechanisms(policy);
}

static void make_filter(const struct policy *policy)
{
	const struct filter_options options = {.targets_are_root = true};
	struct filter filter = {0};

	if (filter_compile(&filter, policy, &options) == 0) {
		must(filter.count > 0 && filter.count <= 4096);
		filter_finish(&filter);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const sets[] = {"X=a*b"};
	static unsigned int count;
	const struct policy_options options = {
		.variables = {.home = "/home/user",
			.user = "user",
			.uid = "1000",
			.cwd = "/tree",
			.sets = sets,
			.set_count = 1},
		.flags = POLICY_LOAD_LINT,
	};
	cleanup_policy struct policy *policy = NULL;
	struct policy_report report = {0};
	char name[64];

	if (size > SIZE_MAX_OF_TEXT) {
		return -1;
	}
	cleanup_fd int fd = memory_file(data, size);
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	int error = policy_load(&policy, name, &options, &report);
	must((error == 0) == (policy != NULL));
	must((error == 0) == (report.error_count == 0));
	if (policy) {
		look_at(policy);
		if (count++ % FILTERS_OF == 0) {
			make_filter(policy);
		}
	}
	policy_report_finish(&report);
	return 0;
}

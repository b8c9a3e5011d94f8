/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor of whole programs: what the kernel takes to enforce its part of a policy. The policy's
 * own filter, in which all that is asked about is allowed, and its Landlock layer are laid on this
 * process as `usher run` lays them on, and it becomes the program: no broker, nobody who waits.
 * What usher takes beyond is its start, and the answers of the broker.
 *
 *   kernel PART[,PART] POLICY COMMAND [ARG...]
 *
 * PART: `entry`, a filter that allows everything, the least that seccomp costs; `filter`, the
 * policy's; `landlock`, its layer; `nothing`. Ends with COMMAND's exit status, or 125.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client/landlock.h"
#include "client/own_rights.h"
#include "client/policy_file.h"
#include "daemon/base/cleanup.h"
#include "daemon/policy/enforcement.h"

#define EXIT_FLOOR 125

static _Noreturn void die(const char *what, const char *why)
{
	(void)fprintf(stderr, "kernel: %s: %s\n", what, why);
	exit(EXIT_FLOOR);
}

static struct policy *load_policy(const char *name)
{
	const struct sets none = {0};
	const struct policy_wanted wanted = {.name = name, .sets = &none};
	struct policy_file file;
	int error = policy_file_load(&file, &wanted);

	policy_file_complain(&file, name, error);
	if (error < 0) {
		exit(EXIT_FLOOR);
	}
	struct policy *policy = steal_pointer(&file.policy);
	policy_file_finish(&file);
	return policy;
}

/* What is left of a FILTER if what only a broker can do is done by nobody. */
static void make_enforcement(struct enforcement *enforcement, const struct policy *policy)
{
	const struct enforcement_options options = {
		.targets_are_root = own_ids_can_vary(), .offers_landlock = landlock_is_there()};
	enum enforcement_part failed;
	int error = enforcement_make(enforcement, policy, &options, &failed);

	if (error < 0) {
		die("the policy cannot be enforced", strerror(-error));
	}
	for (size_t i = 0; i < enforcement->filter.count; i++) {
		struct sock_filter *instruction = &enforcement->filter.instructions[i];

		if (instruction->code == (BPF_RET | BPF_K) &&
			instruction->k == SECCOMP_RET_USER_NOTIF) {
			instruction->k = SECCOMP_RET_ALLOW;
		}
	}
}

static void lay_on(const struct enforcement *enforcement)
{
	const struct landlock_rules rules = {.execute = enforcement->execute,
		.operations = enforcement->landlock,
		.grants = enforcement->grants};
	struct landlock_layer layer;
	char reason[LANDLOCK_REASON_MAX];
	int result = landlock_make(&rules, &layer, reason);

	if (result == LANDLOCK_UNSUITED) {
		die("Landlock cannot do its part", reason);
	}
	if (result == 0) {
		result = landlock_lay_on(layer.ruleset);
		close_fd(&layer.ruleset);
	}
	if (result < 0) {
		die("the Landlock layer", strerror(-result));
	}
}

static void load_filter(struct sock_filter *instructions, size_t count)
{
	const struct sock_fprog program = {.len = (unsigned short)count, .filter = instructions};

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0) {
		die("the filter", strerror(errno));
	}
}

int main(int argc, char **argv)
{
	struct sock_filter all[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct enforcement enforcement;

	if (argc < 4) {
		(void)fprintf(stderr, "usage: kernel PART[,PART] POLICY COMMAND [ARG...]\n");
		return EXIT_FLOOR;
	}
	struct policy *policy = load_policy(argv[2]);
	make_enforcement(&enforcement, policy);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		die("no_new_privs", strerror(errno));
	}
	if (strstr(argv[1], "landlock")) {
		lay_on(&enforcement);
	}
	if (strstr(argv[1], "entry")) {
		load_filter(all, array_length(all));
	}
	if (strstr(argv[1], "filter")) {
		load_filter(enforcement.filter.instructions, enforcement.filter.count);
	}
	enforcement_finish(&enforcement);
	policy_free(policy);
	execvp(argv[3], argv + 3);
	die(argv[3], strerror(errno));
}

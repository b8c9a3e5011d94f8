/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/policy/enforcement.h"

#include <errno.h>

#include "daemon/policy/execute.h"
#include "daemon/policy/filter_launch.h"
#include "daemon/policy/grants.h"
#include "daemon/policy/mechanism.h"
#include "daemon/policy/policy.h"

int enforcement_make(struct enforcement *enforcement, const struct policy *policy,
	const struct enforcement_options *options, enum enforcement_part *failed)
{
	struct mechanisms mechanisms = {.landlock = 0};

	if (options->offers_landlock) {
		mechanisms_choose(&mechanisms, policy);
	}
	*enforcement = (struct enforcement){
		.network = policy_network(policy), .landlock = mechanisms.landlock};
	const struct filter_options how = {
		.targets_are_root = options->targets_are_root, .landlock = enforcement->landlock};

	*failed = ENFORCEMENT_GIVEN;
	int error = policy_descriptor_names(policy, &enforcement->given);
	if (error == 0) {
		*failed = ENFORCEMENT_FILTER;
		error = filter_compile(&enforcement->filter, policy, &how);
	}
	if (error == 0) {
		*failed = ENFORCEMENT_LAUNCH;
		error = filter_launch_obstacle(&enforcement->filter) ? -EPERM : 0;
	}
	if (error == 0) {
		*failed = ENFORCEMENT_EXECUTE;
		error = execute_rules_make(&enforcement->execute, policy);
	}
	if (error == 0) {
		*failed = ENFORCEMENT_GRANTS;
		error = grants_make(&enforcement->grants, policy, &mechanisms, mechanisms.landlock);
	}
	return error;
}

void enforcement_finish(struct enforcement *enforcement)
{
	filter_finish(&enforcement->filter);
	string_pack_finish(&enforcement->execute);
	string_pack_finish(&enforcement->grants);
	string_pack_finish(&enforcement->given);
}

struct wire_filter_parts enforcement_parts(
	const struct enforcement *enforcement, uint32_t seccomp_flags)
{
	return (struct wire_filter_parts){.instructions = enforcement->filter.instructions,
		.count = enforcement->filter.count,
		.seccomp_flags = seccomp_flags,
		.network = enforcement->network,
		.landlock = enforcement->landlock,
		.execute = enforcement->execute,
		.grants = enforcement->grants,
		.given = enforcement->given};
}

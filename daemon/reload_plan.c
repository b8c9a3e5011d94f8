/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/reload_plan.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/config.h"
#include "daemon/policy/execute.h"
#include "daemon/policy/filter.h"
#include "daemon/policy/filter_follow.h"
#include "daemon/policy/grants.h"
#include "daemon/policy/mechanism.h"
#include "daemon/policy/policy.h"
#include "daemon/policy/texts.h"

static const char *const names[] = {
	[RELOAD_KEPT] = "kept",
	[RELOAD_SAME] = "same",
	[RELOAD_REFUSED] = "refused",
	[RELOAD_FOLLOWED] = "followed",
};
static_assert(array_length(names) == RELOAD_OUTCOMES, "a name for each outcome");

const char *reload_outcome_name(enum reload_outcome outcome)
{
	return names[outcome];
}

static __attribute__((format(printf, 2, 3))) int refuse(
	struct reload_plan *plan, const char *format, ...)
{
	va_list arguments;

	plan->outcome = RELOAD_REFUSED;
	va_start(arguments, format);
	(void)vsnprintf(plan->reason, sizeof(plan->reason), format, arguments);
	va_end(arguments);
	return 0;
}

/* With the session's own variables. What was right for anybody may be wrong for this client. */
static int load(struct policy **policyp, struct reload_plan *plan, const struct config *config,
	const struct policy *running)
{
	const struct policy_options options = {.directories = (const char *const *)config->policies,
		.texts = config->texts,
		.flags = POLICY_LOAD_REGULAR | (geteuid() == 0 ? POLICY_LOAD_TRUSTED : 0u),
		.like = running};
	const char *path = policy_texts_find(config->texts, plan->policy);
	struct policy_report report;

	if (!path) {
		refuse(plan, "there is no policy '%s' any more", plan->policy);
		return -ENOENT;
	}
	int result = policy_load(policyp, path, &options, &report);
	if (result == -EINVAL && report.count > 0) {
		refuse(plan, "with this session's variables it has a mistake: %s:%u:%u: %s",
			report.items[0].file, report.items[0].line, report.items[0].column,
			report.items[0].text);
	}
	policy_report_finish(&report);
	return result;
}

/* What the kernel enforces by Landlock was laid on for good. */
static int compare_execute(
	struct reload_plan *plan, const struct policy *running, const struct policy *wanted)
{
	struct string_pack has = {0}, wants = {0};
	int result = execute_rules_make(&has, running);

	if (result == 0) {
		result = execute_rules_make(&wants, wanted);
	}
	if (result == 0 && !string_pack_is_same(&has, &wants)) {
		refuse(plan, "its rules about execute are the kernel's by Landlock, and cannot be "
			     "changed");
	}
	string_pack_finish(&has);
	string_pack_finish(&wants);
	return result;
}

/* The same for operations on files that the filter does not notify. */
static int compare_grants(
	struct reload_plan *plan, const struct policy *running, const struct policy *wanted)
{
	struct string_pack has = {0}, wants = {0};
	struct mechanisms mechanisms;

	if (plan->landlock == 0) {
		return 0;
	}
	mechanisms_choose(&mechanisms, wanted);
	bool suits = (mechanisms.landlock & plan->landlock) == plan->landlock;
	int result = suits ? grants_make(&wants, wanted, &mechanisms, plan->landlock) : 0;
	if (result == 0 && suits) {
		mechanisms_choose(&mechanisms, running);
		result = grants_make(&has, running, &mechanisms, plan->landlock);
	}
	if (result == 0 && !(suits && string_pack_is_same(&has, &wants))) {
		refuse(plan, "its rules about files are the kernel's by Landlock, and cannot be "
			     "changed; 'mechanism = broker' is for policies that are");
	}
	string_pack_finish(&has);
	string_pack_finish(&wants);
	return result;
}

/* They were brought when the session began, in the order of that policy. */
static bool gives_same(const struct policy *running, const struct policy *wanted)
{
	struct string_pack has = {0}, wants = {0};
	bool same = policy_descriptor_names(running, &has) == 0 &&
		    policy_descriptor_names(wanted, &wants) == 0 &&
		    string_pack_is_same(&has, &wants);

	string_pack_finish(&has);
	string_pack_finish(&wants);
	return same;
}

/* Against what the targets have loaded. */
static int compare(
	struct reload_plan *plan, const struct policy *filtered, const struct policy *wanted)
{
	const struct filter_options options = {
		.targets_are_root = plan->ids_can_vary, .landlock = plan->landlock};
	char reason[FILTER_FOLLOW_REASON_MAX];

	if (policy_network(filtered) != policy_network(wanted)) {
		return refuse(plan, "it lives in the network 'net = %s', and cannot leave it",
			policy_network_name(policy_network(filtered)));
	}
	if (!gives_same(filtered, wanted)) {
		return refuse(
			plan, "it gives other sockets, which the session was not started with");
	}
	int result = compare_grants(plan, filtered, wanted);
	if (result < 0 || plan->outcome == RELOAD_REFUSED) {
		return result;
	}
	result = filter_follow(filtered, wanted, &options, reason);
	if (result == FILTER_DIFFERS) {
		return refuse(plan, "%s", reason);
	}
	if (result < 0) {
		return result;
	}
	return compare_execute(plan, filtered, wanted);
}

static int make(struct reload_plan *plan, const struct config *config, const struct policy *running)
{
	cleanup_policy struct policy *wanted = NULL;
	cleanup_policy struct policy *filtered = NULL;
	int result = load(&wanted, plan, config, running);

	if (result < 0 || policy_is_same(running, wanted)) {
		plan->outcome = result < 0 ? plan->outcome : RELOAD_SAME;
		return plan->outcome == RELOAD_REFUSED ? 0 : result;
	}
	result = policy_from_snapshot(&filtered, plan->filter_snapshot);
	if (result == 0) {
		result = compare(plan, filtered, wanted);
	}
	if (result < 0 || plan->outcome == RELOAD_REFUSED) {
		return result;
	}
	plan->new_snapshot = policy_to_snapshot(wanted);
	plan->outcome = RELOAD_FOLLOWED;
	return plan->new_snapshot < 0 ? plan->new_snapshot : 0;
}

int reload_plan_make(struct reload_plan *plan, const struct config *config)
{
	cleanup_policy struct policy *running = NULL;
	int result = policy_from_snapshot(&running, plan->snapshot);

	plan->outcome = RELOAD_KEPT;
	if (result == 0 && policy_follows(running)) {
		result = make(plan, config, running);
	}
	return result;
}

void reload_plan_finish(struct reload_plan *plan)
{
	close_fd(&plan->snapshot);
	close_fd(&plan->filter_snapshot);
	close_fd(&plan->new_snapshot);
	free(plan->policy);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "client/mechanism_report.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "client/landlock.h"
#include "daemon/base/cleanup.h"
#include "daemon/base/json.h"
#include "daemon/policy/grants.h"
#include "daemon/policy/rule.h"

/* What it is that somebody enforces. */
static const struct subject {
	const char *name;
	enum policy_section section;
	unsigned int operation;
} subjects[] = {
	{"read", POLICY_FILES, OPERATION_READ},
	{"write", POLICY_FILES, OPERATION_WRITE},
	{"create", POLICY_FILES, OPERATION_CREATE},
	{"remove", POLICY_FILES, OPERATION_REMOVE},
	{"metadata", POLICY_FILES, OPERATION_METADATA},
	{"execute", POLICY_FILES, OPERATION_EXECUTE},
	{"stat", POLICY_FILES, OPERATION_STAT},
	{"connect", POLICY_NETWORK, OPERATION_CONNECT},
	{"bind", POLICY_NETWORK, OPERATION_BIND},
	{"sockets", POLICY_SOCKETS, 0},
	{"syscalls", POLICY_SYSCALLS, 0},
};

static const char nobody[] = "nobody", broker[] = "broker", landlock[] = "Landlock",
		  filter[] = "filter";

int mechanism_report_make(struct mechanism_report *report, const struct policy *policy)
{
	struct string_pack grants;
	int result;

	*report = (struct mechanism_report){.landlock = 0};
	mechanisms_choose(&report->mechanisms, policy);
	if (report->mechanisms.landlock == 0) {
		return 0;
	}
	result = grants_make(&grants, policy, &report->mechanisms, report->mechanisms.landlock);
	if (result < 0) {
		return result == -ENOMEM ? result : 0;
	}
	const struct landlock_rules rules = {
		.operations = report->mechanisms.landlock, .grants = grants};
	if (landlock_suits(&rules, report->unsuited)) {
		report->landlock = report->mechanisms.landlock;
	}
	string_pack_finish(&grants);
	return 0;
}

static const char *enforcer(const struct mechanism_report *report, const struct policy *policy,
	const struct subject *subject)
{
	if (!policy_has_section(policy, subject->section)) {
		return nobody;
	}
	switch (subject->section) {
	case POLICY_FILES:
		if (!policy_mediates_file(policy, subject->operation)) {
			return nobody;
		}
		return (subject->operation & (report->landlock | OPERATION_EXECUTE)) != 0 ? landlock
											  : broker;
	case POLICY_NETWORK:
		return policy_mediates_endpoint(policy, subject->operation) ? broker : nobody;
	default:
		return filter;
	}
}

/* Of an operation that could have been Landlock's; NULL for all others. */
static const struct mechanism_choice *choice_of(
	const struct mechanism_report *report, unsigned int operation)
{
	bool could = (operation & OPERATIONS_LANDLOCK) != 0 && (report->landlock & operation) == 0;
	const struct mechanism_choice *choice =
		could ? &report->mechanisms.choices[__builtin_ctz(operation)] : NULL;

	return choice && choice->mechanism != MECHANISM_NONE ? choice : NULL;
}

static const char *text_of(
	const struct mechanism_report *report, const struct mechanism_choice *choice)
{
	return choice->obstacle == OBSTACLE_NONE ? report->unsuited
						 : mechanism_obstacle_text(choice->obstacle);
}

/* Where it founders, "FILE:LINE: KEY = SUBJECT: ", and why. */
static void print_reason(
	const struct mechanism_report *report, const struct mechanism_choice *choice)
{
	const struct policy_rule *rule = choice->rule;

	if (rule && rule->origin.file && *rule->origin.file) {
		const char *text = rule->origin.text;

		printf("%s:%u: %.*s%s%s: ", rule->origin.file,
			choice->subject ? choice->subject->line : rule->origin.line,
			choice->subject ? (int)strcspn(text, "=") : (int)strlen(text), text,
			choice->subject ? "= " : "", choice->subject ? choice->subject->text : "");
	}
	puts(text_of(report, choice));
}

static bool is_same_reason(const struct mechanism_choice *a, const struct mechanism_choice *b)
{
	return a && a->obstacle == b->obstacle && a->rule == b->rule && a->subject == b->subject;
}

void mechanism_report_explain(
	const struct mechanism_report *report, unsigned int operations, const char *label)
{
	const struct mechanism_choice *told = NULL;

	for (unsigned int rest = operations & OPERATIONS_LANDLOCK; rest != 0; rest &= rest - 1) {
		const struct mechanism_choice *choice = choice_of(report, rest & -rest);

		if (choice && !is_same_reason(told, choice)) {
			printf("%s", label);
			print_reason(report, choice);
			told = choice;
		}
	}
}

void mechanism_report_print(const struct mechanism_report *report, const struct policy *policy)
{
	for (size_t i = 0; i < array_length(subjects); i++) {
		const struct mechanism_choice *choice = choice_of(report, subjects[i].operation);

		printf("  %-9s %s%s", subjects[i].name, enforcer(report, policy, &subjects[i]),
			choice ? ": " : "\n");
		if (choice) {
			print_reason(report, choice);
		}
	}
}

static struct json_object *choice_to_json(const struct mechanism_report *report, const char *by,
	const struct mechanism_choice *choice)
{
	struct json_object *object = json_object_new_object();
	const struct policy_rule *rule = choice ? choice->rule : NULL;

	json_add(object, "by", json_object_new_string(by));
	if (choice) {
		json_add(object, "obstacle",
			json_object_new_string(
				choice->obstacle == OBSTACLE_NONE
					? "machine"
					: mechanism_obstacle_name(choice->obstacle)));
		json_add(object, "text", json_object_new_string(text_of(report, choice)));
	}
	if (rule && rule->origin.file) {
		json_add(object, "file", json_object_new_string(rule->origin.file));
		json_add(object, "line",
			json_object_new_int64(
				choice->subject ? choice->subject->line : rule->origin.line));
		json_add(object, "rule", json_object_new_string(rule->origin.text));
	}
	return object;
}

struct json_object *mechanism_report_to_json(
	const struct mechanism_report *report, const struct policy *policy)
{
	struct json_object *object = json_object_new_object();

	for (size_t i = 0; i < array_length(subjects); i++) {
		json_add(object, subjects[i].name,
			choice_to_json(report, enforcer(report, policy, &subjects[i]),
				choice_of(report, subjects[i].operation)));
	}
	return object;
}

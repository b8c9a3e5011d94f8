/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `usher explain`: what a policy answers to one question, which rule says so, and who enforces it.
 */
#include "client/explain.h"

#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/commands.h"
#include "client/json_print.h"
#include "client/mechanism_report.h"
#include "client/own_rights.h"
#include "client/policy_file.h"
#include "daemon/base/cleanup.h"
#include "daemon/base/json.h"
#include "daemon/policy/command_line.h"
#include "daemon/policy/execute.h"
#include "daemon/policy/reach.h"
#include "daemon/policy/rule.h"
#include "daemon/policy/syscall_account.h"
#include "daemon/policy/syscall_decide.h"

enum { EXIT_ANSWERED = 0 };

static const char usage[] =
	"Usage: usher explain --policy POLICY [--set NAME=VALUE]... [--json] QUESTION\n"
	"\n"
	"Says what the policy answers, by which rule, and who enforces it: the filter in the\n"
	"kernel (BPF), which never asks, the broker, or Landlock.\n"
	"\n"
	"Questions:\n"
	"  open [-r|-w|-rw|-c] PATH           -c as creat(2): write and create\n"
	"  create PATH, remove PATH           of a name, as mkdir(2) and unlink(2) do\n"
	"  metadata PATH, stat PATH           change, and look at, mode, owner and times\n"
	"  exec PATH\n"
	"  connect tcp HOST:PORT              HOST an address, IPv6 in brackets, or a name; also "
	"udp\n"
	"  connect unix PATH, unix @NAME\n"
	"  send ADDRESS, bind ADDRESS         the same of a message to it, of a socket at it\n"
	"  resolve NAME                       may a program ask for this host's addresses?\n"
	"  socket FAMILY/TYPE[/PROTOCOL]      inet/stream\n"
	"  syscall NAME                       or 'NAME(argN == VALUE, ...)', others being 0\n"
	"\n"
	"A PATH is made absolute from the current directory and, as far as it exists, resolved.\n"
	"\n"
	"  --policy POLICY   a name, or a file (with a slash)\n"
	"  --set NAME=VALUE  give a variable its value\n"
	"  --json            one JSON object\n"
	"  --help            print this\n"
	"\n"
	"Exit status: 0 answered, 2 a mistake in the question or the policy.\n";

struct explain_options {
	const char *policy;
	bool json;
	struct sets sets;
};

static struct policy_verdict decide_section(
	const struct explain_question *question, const struct policy *policy)
{
	switch (question->section) {
	case POLICY_FILES:
		return policy_decide_file(policy, question->operations, question->path);
	case POLICY_NETWORK:
		return question->resolves ? policy_decide_name(policy, question->name)
					  : policy_decide_endpoint(policy, question->operations,
						    &question->endpoint);
	case POLICY_SOCKETS:
		return policy_decide_socket(
			policy, question->family, question->type, question->protocol);
	default:
		return policy_decide_syscall(
			policy, question->calls[0].nr, question->calls[0].args);
	}
}

static bool agrees(const struct policy_verdict *verdict, const struct explain_call *call)
{
	return (call->answer == FILTER_ERRNO && verdict->action == POLICY_DENY &&
		       verdict->error == call->error) ||
	       (call->answer == FILTER_KILL && verdict->action == POLICY_KILL);
}

/* What the filter itself refuses is said by [syscalls], by the section, or by no rule at all. */
static void explain_refusal(struct explain_answer *answer, const struct explain_question *question,
	const struct policy *policy)
{
	const struct explain_call *call = &question->calls[0];
	struct policy_verdict by_call;

	if (policy_has_section(policy, POLICY_SYSCALLS)) {
		by_call = policy_decide_syscall(policy, call->nr, call->args);
		if (agrees(&by_call, call)) {
			answer->verdict = by_call;
			return;
		}
	}
	if (!agrees(&answer->verdict, call)) {
		answer->is_own = true;
		answer->verdict = (struct policy_verdict){
			.action = call->answer == FILTER_KILL ? POLICY_KILL : POLICY_DENY,
			.error = call->error,
		};
	}
}

/* Fills the answers of the question's calls, and the verdict on the first of them. */
static void decide(struct explain_answer *answer, struct explain_question *question,
	const struct policy *policy, const struct filter *filter)
{
	for (size_t i = 0; i < question->call_count; i++) {
		struct explain_call *call = &question->calls[i];

		call->answer = filter_evaluate(
			filter, seccomp_arch_native(), call->nr, call->args, &call->error);
	}
	*answer = (struct explain_answer){.verdict = decide_section(question, policy)};
	if (question->calls[0].answer == FILTER_ERRNO || question->calls[0].answer == FILTER_KILL) {
		explain_refusal(answer, question, policy);
	}
}

/* Where nothing is restricted there is no layer either. */
static const char *mechanism_of_execute(const struct policy *policy)
{
	struct string_pack rules;
	bool is_there = execute_rules_make(&rules, policy) < 0 || rules.count > 0;

	string_pack_finish(&rules);
	return is_there ? "Landlock" : "not restricted";
}

static const char *mechanism_of(const struct explain_question *question, size_t index)
{
	enum filter_answer answer = question->calls[index].answer;

	if (question->kernel && answer == FILTER_ALLOW) {
		return question->kernel;
	}
	switch (answer) {
	case FILTER_NOTIFY:
		return "broker";
	case FILTER_ALLOW:
		return "filter, allowed unasked";
	case FILTER_ERRNO:
	case FILTER_KILL:
		break;
	}
	return "filter, refused unasked";
}

static const char own_refusal[] = "(no rule: usher refuses what would go round a mediated section)";

static void print_verdict(
	const struct explain_question *question, const struct explain_answer *answer)
{
	const struct policy_verdict *verdict = &answer->verdict;
	const char *replacement = answer->is_own ? NULL : policy_inject_text(verdict);

	printf("  verdict   %s%s%s%s%s\n", policy_action_name(verdict->action),
		verdict->action == POLICY_DENY ? " " : "",
		verdict->action != POLICY_DENY ? ""
		: question->resolves           ? "NXDOMAIN"
		: verdict->error               ? policy_errno_name(verdict->error)
					       : "(succeeds without effect)",
		replacement ? " " : "", replacement ? replacement : "");
}

#define RULE_WIDTH 100

/* A long rule is cut down to its key and the subject that matched, which is where it is. */
static void print_rule_at(const struct policy_rule *rule, const struct policy_subject *subject)
{
	const struct policy_origin *origin = &rule->origin;
	unsigned int line = subject ? subject->line : origin->line;
	size_t key = strcspn(origin->text, "=");

	if (!origin->file || !*origin->file) {
		printf("  rule      %s\n", origin->text);
	} else if (!subject || strlen(origin->text) <= RULE_WIDTH) {
		printf("  rule      %s:%u: %s\n", origin->file, line, origin->text);
	} else {
		printf("  rule      %s:%u: %.*s= ... %s ...\n", origin->file, line, (int)key,
			origin->text, subject->text);
	}
}

static void print_rule(const struct explain_answer *answer)
{
	if (answer->is_own) {
		printf("  rule      %s\n", own_refusal);
	} else {
		print_rule_at(answer->verdict.rule, answer->verdict.subject);
	}
}

/* Calls that fare alike stand on one line. */
static void print_mechanisms(const struct explain_question *question)
{
	bool is_printed[EXPLAIN_CALLS_MAX] = {false};
	const char *label = "enforced";

	for (size_t i = 0; i < question->call_count; i++) {
		const char *mechanism = mechanism_of(question, i);

		if (is_printed[i]) {
			continue;
		}
		printf("  %-9s %s:", label, mechanism);
		for (size_t k = i; k < question->call_count; k++) {
			if (mechanism_of(question, k) == mechanism) {
				printf(" %s", question->calls[k].name);
				is_printed[k] = true;
			}
		}
		putchar('\n');
		label = "";
	}
}

static bool is_reached(const struct explain_question *question, const struct policy *policy)
{
	const struct policy_endpoint *endpoint = &question->endpoint;

	if (question->section != POLICY_NETWORK || question->resolves) {
		return true;
	}
	if (endpoint->kind == ENDPOINT_TCP || endpoint->kind == ENDPOINT_UDP) {
		return reach_internet(
			policy, question->name ? AF_UNSPEC : endpoint->family, endpoint->kind);
	}
	return reach_unix(policy);
}

/* What may be had is not, if there is no socket to have it by. */
static void print_reach(const struct explain_question *question,
	const struct explain_answer *answer, const struct policy *policy)
{
	if (answer->verdict.action != POLICY_DENY && !is_reached(question, policy)) {
		printf("  but       [sockets] lets no such socket through\n");
	}
}

/* For a call by name: what it is to a policy, whatever this one says. */
static void print_account(const struct explain_question *question)
{
	static const char *const kinds[] = {
		[ACCOUNT_MEDIATED] = "mediated where a policy speaks of it",
		[ACCOUNT_WATCHED] = "watched where files or connections are mediated",
		[ACCOUNT_REFUSED] = "refused where a policy could be gone round by it",
		[ACCOUNT_HARMLESS] = "never mediated",
	};
	const struct syscall_account *account = syscall_account(question->calls[0].nr);

	if (question->section == POLICY_SYSCALLS && account) {
		printf("  call      %s: it %s\n", kinds[account_kind(account->reason)],
			account_text(account->reason));
	}
}

/* For a call by name: what else could be said of it, depending on its arguments. */
static void print_conditions(const struct explain_question *question, const struct policy *policy)
{
	size_t count;
	const struct policy_rule *rules = policy_rules(policy, POLICY_SYSCALLS, &count);

	for (size_t i = 0; question->section == POLICY_SYSCALLS && i < count; i++) {
		for (size_t k = 0; k < rules[i].subject_count; k++) {
			const struct policy_subject *subject = &rules[i].subjects[k];

			if (subject->syscall.comparison_count &&
				syscall_subject_names(&subject->syscall, question->calls[0].nr)) {
				printf("  depends   %s:%u: %s\n", rules[i].origin.file,
					subject->line, subject->text);
			}
		}
	}
}

static struct json_object *rule_to_json(const struct policy_origin *origin)
{
	struct json_object *object = json_object_new_object();

	json_add_text(object, "file", origin->file);
	json_add(object, "line", json_object_new_int64(origin->line));
	json_add(object, "column", json_object_new_int64(origin->column));
	json_add_text(object, "text", origin->text);
	return object;
}

static int print_json(const struct explain_question *question, const struct explain_answer *answer,
	bool is_reached)
{
	static const char *const names[] = {
		[FILTER_ALLOW] = "filter-allow",
		[FILTER_NOTIFY] = "broker",
		[FILTER_ERRNO] = "filter-deny",
		[FILTER_KILL] = "filter-kill",
	};
	const struct policy_verdict *verdict = &answer->verdict;
	struct json_object *object = json_object_new_object();
	struct json_object *calls = json_object_new_object();

	for (size_t i = 0; i < question->call_count; i++) {
		bool by_landlock = question->kernel && question->calls[i].answer == FILTER_ALLOW;

		json_add_text(calls, question->calls[i].name,
			by_landlock ? question->kernel : names[question->calls[i].answer]);
	}
	json_add_text(object, "question", question->asked);
	json_add_text(object, "verdict", policy_action_name(verdict->action));
	json_add_text(object, "errno",
		verdict->action != POLICY_DENY ? NULL
		: question->resolves           ? "NXDOMAIN"
					       : policy_errno_name(verdict->error));
	json_add_text(object, "replacement", answer->is_own ? NULL : policy_inject_text(verdict));
	if (answer->is_own) {
		json_add_null(object, "rule");
	} else {
		json_add(object, "rule", rule_to_json(&verdict->rule->origin));
	}
	json_add_text(object, "subject", verdict->subject ? verdict->subject->text : NULL);
	json_add(object, "enforced", calls);
	json_add(object, "reached", json_object_new_boolean(is_reached));
	int error = json_print(object, "explain");
	json_object_put(object);
	return error < 0 ? EXIT_USAGE : EXIT_ANSWERED;
}

/* Why the broker. */
static void print_reasons(
	const struct explain_question *question, const struct mechanism_report *report)
{
	if (question->section == POLICY_FILES) {
		mechanism_report_explain(report, question->operations, "  because   ");
	}
}

static const char *kernel_mechanism(const struct policy *policy,
	const struct explain_question *question, const struct mechanism_report *report)
{
	if (question->section != POLICY_FILES) {
		return NULL;
	}
	if (question->operations == OPERATION_EXECUTE) {
		return mechanism_of_execute(policy);
	}
	return (question->operations & report->landlock) != 0 ? "Landlock" : NULL;
}

static int explain(const struct policy *policy, struct explain_question *question, bool json)
{
	struct mechanism_report report;
	struct filter_options options = {.targets_are_root = own_ids_can_vary()};
	struct explain_answer answer;
	struct filter filter;

	int error = mechanism_report_make(&report, policy);
	options.landlock = report.landlock;
	error = error < 0 ? error : filter_compile(&filter, policy, &options);
	if (error) {
		fprintf(stderr, "usher: the filter cannot be made: %s; see usher check\n",
			strerror(-error));
		return EXIT_USAGE;
	}
	question->kernel = kernel_mechanism(policy, question, &report);
	decide(&answer, question, policy, &filter);
	filter_finish(&filter);
	if (json) {
		return print_json(question, &answer, is_reached(question, policy));
	}
	printf("%s\n", question->asked);
	print_verdict(question, &answer);
	print_rule(&answer);
	print_mechanisms(question);
	print_reach(question, &answer, policy);
	print_reasons(question, &report);
	print_account(question);
	print_conditions(question, policy);
	return EXIT_ANSWERED;
}

static int load_and_explain(
	const struct explain_options *options, struct explain_question *question)
{
	const struct policy_wanted wanted = {.name = options->policy, .sets = &options->sets};
	struct policy_file file;
	int error = policy_file_load(&file, &wanted);
	int result = EXIT_USAGE;

	if (error) {
		policy_file_complain(&file, options->policy, error);
	} else {
		result = explain(file.policy, question, options->json);
	}
	policy_file_finish(&file);
	return result;
}

enum { OPTION_HELP = 'h', OPTION_POLICY = 'p', OPTION_SET = 256, OPTION_JSON };

static const struct option long_options[] = {
	{"policy", required_argument, NULL, OPTION_POLICY},
	{"set", required_argument, NULL, OPTION_SET},
	{"json", no_argument, NULL, OPTION_JSON},
	{"help", no_argument, NULL, OPTION_HELP},
	{0},
};

/* 0, 1 if help was asked for, or -1 (said on stderr). */
static int parse_options(struct explain_options *options, int argc, char **argv)
{
	int option;

	while ((option = command_line_next(argc, argv, "+:hp:", long_options)) != -1) {
		switch (option) {
		case OPTION_POLICY:
			options->policy = optarg;
			break;
		case OPTION_JSON:
			options->json = true;
			break;
		case OPTION_SET:
			if (sets_add(&options->sets, optarg) < 0) {
				return -1;
			}
			break;
		case OPTION_HELP:
			return 1;
		default:
			return -1;
		}
	}
	if (!options->policy || optind == argc) {
		fprintf(stderr, "usher explain: no %s\n",
			options->policy ? "QUESTION is asked" : "--policy is named");
		return -1;
	}
	return 0;
}

int command_explain(int argc, char **argv)
{
	struct explain_options options = {0};
	struct explain_question question;
	int parsed = parse_options(&options, argc, argv);
	int result = EXIT_USAGE;

	if (parsed > 0) {
		fputs(usage, stdout);
		return EXIT_ANSWERED;
	}
	if (parsed < 0) {
		return command_line_wrong(argv[0]);
	}
	int error = explain_question_parse(&question, argc - optind, argv + optind);
	if (error == 0) {
		result = load_and_explain(&options, &question);
	} else if (error == -ENOMEM) {
		fprintf(stderr, "usher explain: %s\n", strerror(ENOMEM));
	}
	explain_question_finish(&question);
	return result;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which operations are Landlock's, and why others are not, and what the filter then notifies. That
 * what the client is told of them is what the policy says is for test_grants.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/filter.h"
#include "daemon/policy/grants.h"
#include "daemon/policy/mechanism.h"
#include "tests/unit/policy_text.h"

#define QUIET   "[syscalls]\ndeny EPERM = @mount\n[files]\ndefault = quiet deny EACCES\n"
#define PROGRAM "allow read execute = /usr/**\n"
/* The directory itself stays where it is. */
#define WORK "quiet deny create remove = /w\nallow read write create remove = /w/**\n"

/* Of read, write, create and remove: Landlock, -: nobody, else what keeps it from Landlock. */
static const struct {
	const char *text, *choices;
} cases[] = {
	{"[network]\n", "- - - -"},
	{QUIET PROGRAM, "Landlock Landlock Landlock Landlock"},
	{QUIET PROGRAM WORK, "Landlock Landlock Landlock Landlock"},
	{QUIET WORK, "execute Landlock Landlock Landlock"},
	{QUIET PROGRAM WORK "allow execute = /bin/**\n", "execute Landlock Landlock Landlock"},
	{QUIET PROGRAM "allow read write = /etc/passwd\n", "Landlock Landlock Landlock Landlock"},
	{QUIET PROGRAM "allow create = /etc/passwd\n", "Landlock Landlock single Landlock"},
	{QUIET PROGRAM "allow read = /etc/*.conf\n", "pattern Landlock Landlock Landlock"},
	{QUIET PROGRAM "allow read = /\n", "pattern Landlock Landlock Landlock"},
	{QUIET PROGRAM "allow read = /etc/**\nallow read = /etc/*.conf\n",
		"Landlock Landlock Landlock Landlock"},
	{QUIET PROGRAM "audit allow write = /w/**\n", "Landlock logged Landlock Landlock"},
	{QUIET PROGRAM "deny write = /w/**\n", "Landlock logged Landlock Landlock"},
	{QUIET PROGRAM "quiet deny ENOENT write = /w/**\n", "Landlock errno Landlock Landlock"},
	{QUIET PROGRAM "quiet deny write = /w/*\n", "Landlock Landlock Landlock Landlock"},
	{QUIET PROGRAM "kill write = /w\n", "Landlock action Landlock Landlock"},
	{QUIET PROGRAM "inject read = /a -> /b\n", "action Landlock Landlock Landlock"},
	{QUIET "quiet deny read = /usr/x/**\n" PROGRAM, "inside Landlock Landlock Landlock"},
	{QUIET "quiet deny read = /usr\n" PROGRAM, "inside Landlock Landlock Landlock"},
	{QUIET PROGRAM "quiet deny read = /usr/x/**\n", "Landlock Landlock Landlock Landlock"},
	{QUIET "quiet deny read = /other/**\n" PROGRAM, "Landlock Landlock Landlock Landlock"},
	{QUIET "quiet deny write = /w/.git/**\n" WORK PROGRAM, "Landlock inside Landlock Landlock"},
	{QUIET PROGRAM "allow read = /proc/**\n", "processes Landlock Landlock Landlock"},
	{QUIET PROGRAM "allow read = /proc/self/stat\n", "processes Landlock Landlock Landlock"},
	{QUIET PROGRAM "allow write = /**\nquiet deny write = /x\n",
		"Landlock - Landlock Landlock"},
	{QUIET PROGRAM "allow create = /w/**\n", "Landlock Landlock top Landlock"},
	{QUIET PROGRAM "allow create remove = /w/**\n", "Landlock Landlock top top"},
	{QUIET PROGRAM "quiet deny create = /w\nallow create = /w/**\n",
		"Landlock Landlock unreadable Landlock"},
	/* What lies in another directory that is allowed as well is no matter. */
	{QUIET PROGRAM "allow write = /w/a/**\n" WORK, "Landlock Landlock Landlock Landlock"},
	/* What Landlock holds on to could be given another name. */
	{QUIET PROGRAM "allow write = /w/a/**\nallow remove = /w/**\n",
		"Landlock movable Landlock top"},
	{QUIET PROGRAM "allow write = /w/a\nquiet deny remove = /w\nallow remove = /w/**\n",
		"Landlock movable Landlock Landlock"},
	{QUIET PROGRAM "quiet deny remove = /w /w/a\nallow write = /w/a\nallow remove = /w/**\n",
		"Landlock Landlock Landlock inside"},
	{QUIET PROGRAM "allow remove = /**\n", "movable Landlock Landlock -"},
	{QUIET PROGRAM "allow create remove = /**\n", "moves moves - -"},
	{QUIET PROGRAM
		"allow read = /etc/passwd\nquiet deny create = /w\nallow read create = /w/**\n",
		"Landlock Landlock unreadable Landlock"},
	{QUIET PROGRAM "allow write = /etc/passwd\nallow create = /w/x\n",
		"Landlock links single Landlock"},
	{QUIET PROGRAM "allow read = /f\nallow create = /**\n", "links Landlock - Landlock"},
	/* Names could be changed by mounts. */
	{"[files]\ndefault = quiet deny EACCES\n" PROGRAM, "mounts mounts mounts mounts"},
	{"[files]\ndefault = quiet deny EACCES\n" PROGRAM
	 "[syscalls]\nallow = mount(arg3 == 1)\ndeny EPERM = @mount\n",
		"mounts mounts mounts mounts"},
	{"[files]\ndefault = quiet deny EACCES\n" PROGRAM
	 "[syscalls]\nallow = read\ndefault = deny EPERM\n",
		"Landlock Landlock Landlock Landlock"},
	{"[policy]\nmechanism = broker\n" QUIET PROGRAM, "asked asked asked asked"},
	{"[policy]\nmechanism = automatic\n" QUIET PROGRAM, "Landlock Landlock Landlock Landlock"},
	/* Defaults. */
	{"[syscalls]\ndeny EPERM = @mount\n[files]\n" PROGRAM, "default default default default"},
	{"[syscalls]\ndeny EPERM = @mount\n[files]\ndefault = deny\n" PROGRAM,
		"default default default default"},
	{"[syscalls]\ndeny EPERM = @mount\n[files]\ndefault = quiet deny EROFS\n" PROGRAM,
		"default default default default"},
	{"[syscalls]\ndeny EPERM = @mount\n[files]\ndefault = allow\nquiet deny write = /a\n"
	 "quiet deny remove = /a\n",
		"- default - default"},
};

static void describe(const struct mechanisms *mechanisms, char *text)
{
	*text = '\0';
	for (size_t i = 0; i < MECHANISM_OPERATIONS; i++) {
		const struct mechanism_choice *choice = &mechanisms->choices[i];

		strcat(text, i > 0 ? " " : "");
		strcat(text, choice->mechanism == MECHANISM_NONE ? "-"
			     : choice->mechanism == MECHANISM_LANDLOCK
				     ? "Landlock"
				     : mechanism_obstacle_name(choice->obstacle));
		assert_int_equal(choice->mechanism == MECHANISM_LANDLOCK,
			(mechanisms->landlock & 1u << i) != 0);
	}
}

static void chooses_the_cheapest_that_serves(void **state)
{
	char choices[200];

	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		cleanup_policy struct policy *policy = policy_text(cases[i].text);
		struct mechanisms mechanisms;

		mechanisms_choose(&mechanisms, policy);
		describe(&mechanisms, choices);
		if (strcmp(choices, cases[i].choices) != 0) {
			print_error("%s", cases[i].text);
		}
		assert_string_equal(choices, cases[i].choices);
	}
}

/* ---- `mechanism = kernel` ---- */

#define KERNEL                                                  \
	"[policy]\nmechanism = kernel\n[syscalls]\ndeny EPERM " \
	"= @mount\n[files]\ndefault = deny EACCES\n"
#define KEPT "deny create remove = /w\nallow read write create remove = /w/**\n"

/* What is told of reading, or what keeps it from Landlock. */
static const struct {
	const char *text, *expected;
} readings[] = {
	{KERNEL "allow read = /usr/** /etc/passwd\n", "+/usr/** +/etc/passwd"},
	{KERNEL "allow read = /etc/*.conf /etc/p?[0-9]/**\n", "+/etc/*.conf +/etc/p?[0-9]/**"},
	{KERNEL "allow read = /${X}/*.c /x\\y\n", "+/a\\*b/*.c +/x\\\\y"},
	{KERNEL "allow read = /w/*/${X}/f\n", "pattern"},
	{KERNEL "allow read = /a/**/b\n", "pattern"},
	{KERNEL KEPT, "+/w/**"},
	{KERNEL "audit allow read = /usr/**\n", "logged"},
	{KERNEL "audit deny read = /usr/**\n", "logged"},
	{KERNEL "inject read = /a -> /b\n", "action"},
	/* Denials: outside, of names that stay as they are, of names that the program makes. */
	{KERNEL "deny read = /etc/shadow*\nallow read = /usr/**\n", "+/usr/**"},
	{KERNEL "deny read = /etc/shadow*\nallow read = /etc/**\n", "-/etc/shadow* +/etc/**"},
	{KERNEL "deny ENOENT read = /etc/x\nallow read = /etc/**\n", "!/etc/x +/etc/**"},
	{KERNEL "deny ENOENT read = /home/x\nallow read = /etc/**\n", "~/home/x +/etc/**"},
	{KERNEL "deny read create = /w/k*\n" KEPT, "~/w/k* +/w/**"},
	{KERNEL "deny read = /w/k*\n" KEPT, "inside"},
	{KERNEL "deny ENOENT read = /w/k*\nallow create = /w/**\nallow read = /etc/**\n", "errno"},
	{KERNEL "deny read = /etc/**/x\nallow read = /etc/**\n", "inside"},
	{KERNEL "deny read = /e*/x\nallow read = /etc/**\n", "-/e*/x +/etc/**"},
	{KERNEL "deny read = /home/*/x\nallow read = /home/u/y/**\n", "+/home/u/y/**"},
	/* What the program could move. */
	{KERNEL "allow read = /w/a/**\nallow remove = /w/**\n", "movable"},
	{KERNEL "allow read = /w/*.c\nallow create remove = /w/**\n", "movable"},
	{KERNEL "allow read = /w/*.c\ndeny create remove = /w/s\n"
		"allow read write create remove = /w/s/**\n",
		"+/w/*.c +/w/s/**"},
	{KERNEL "allow read = /w/a/**\n" KEPT, "+/w/a/** +/w/**"},
	/* What the program could make, and what is made for it. */
	{KERNEL "deny remove = /c\nallow read create remove = /c/**\n", "=/c/**"},
	{KERNEL "deny remove = /c\nallow read = /c\nallow create = /c\n", "single"},
	{KERNEL "deny remove = /c/d\nallow read = /c/d/**\nallow create = /c/**\n", "top"},
	/* Processes: all that is in /proc, or nothing. */
	{KERNEL "deny read = /proc/[1-9]*/maps\nallow read = /proc/self/** /proc/**\n",
		"+/proc/**"},
	{KERNEL "allow read = /proc /proc/**\n", "+/proc/**"},
	{KERNEL "allow read = /proc/self/**\n", "processes"},
	{KERNEL "allow read = /proc/cpuinfo\n", "processes"},
	{KERNEL "allow read = /**\n", "-"},
	{KERNEL "deny read = /usr\nallow read = /**\n", "processes"},
	{KERNEL "deny ENOENT read = /proc/[1-9]*/maps\nallow read = /proc/**\n", "inside"},
	{KERNEL "deny read = /proc/[1-9]*/cmdline\nallow read = /proc/**\n", "inside"},
	/* As with others. */
	{KERNEL "allow read = /etc/passwd\nallow create = /w/x\n", "links"},
	{KERNEL "allow execute = /bin/**\nallow read = /usr/**\n", "+/usr/**"},
	{"[policy]\nmechanism = kernel\n[files]\ndefault = deny\nallow read = /usr/**\n", "mounts"},
	{"[policy]\nmechanism = kernel\n[syscalls]\ndeny EPERM = @mount\n[files]\n"
	 "default = deny ENOENT\nallow read = /usr/**\n",
		"default"},
};

static void join(char *text, const struct string_pack *strings)
{
	const char *string = strings->text;

	*text = '\0';
	for (size_t i = 0; i < strings->count; i++, string += strlen(string) + 1) {
		strcat(text, i > 0 ? " " : "");
		strcat(text, string);
	}
}

static void describe_reading(const struct policy *policy, char *text)
{
	struct mechanisms mechanisms;
	struct string_pack grants;

	mechanisms_choose(&mechanisms, policy);
	const struct mechanism_choice *read = &mechanisms.choices[0];
	assert_int_equal(
		grants_make(&grants, policy, &mechanisms, mechanisms.landlock & OPERATION_READ), 0);
	if (read->mechanism == MECHANISM_LANDLOCK) {
		join(text, &grants);
	} else {
		strcpy(text, read->mechanism == MECHANISM_NONE
				     ? "-"
				     : mechanism_obstacle_name(read->obstacle));
	}
	string_pack_finish(&grants);
}

static void leaves_reading_to_the_kernel(void **state)
{
	char text[400];

	(void)state;
	for (size_t i = 0; i < array_length(readings); i++) {
		cleanup_policy struct policy *policy = policy_text(readings[i].text);

		describe_reading(policy, text);
		if (strcmp(text, readings[i].expected) != 0) {
			print_error("%s", readings[i].text);
		}
		assert_string_equal(text, readings[i].expected);
	}
}

static void every_obstacle_has_its_words(void **state)
{
	(void)state;
	for (enum mechanism_obstacle i = OBSTACLE_NONE + 1; i < OBSTACLES; i++) {
		assert_true(mechanism_obstacle_name(i)[0] != '\0');
		assert_true(mechanism_obstacle_text(i)[0] != '\0');
	}
}

static void has_bounds(void **state)
{
	cleanup_free char *text = malloc(200000);
	struct mechanisms mechanisms;
	char choices[200];

	(void)state;
	assert_non_null(text);
	for (unsigned int count = 400; count <= 600; count += 200) {
		cleanup_policy struct policy *policy = NULL;
		char *end = stpcpy(text, QUIET PROGRAM);

		for (unsigned int i = 0; i < count; i++) {
			end += sprintf(end,
				"allow read = /directory/with/a/name/of/some/length/%u/**\n", i);
		}
		policy = policy_text(text);
		mechanisms_choose(&mechanisms, policy);
		describe(&mechanisms, choices);
		assert_string_equal(choices, count == 400 ? "size size size size"
							  : "subjects subjects subjects subjects");
	}
}

/* ---- the filter ---- */

static void expect(const struct filter *filter, int nr, unsigned int flags_at,
	unsigned long long flags, enum filter_answer expected)
{
	unsigned long long args[6] = {0};
	int error;

	args[flags_at] = flags;
	enum filter_answer answer =
		filter_evaluate(filter, seccomp_arch_native(), nr, args, &error);
	if (answer != expected) {
		print_error("call %d, %llo\n", nr, flags);
	}
	assert_int_equal(answer, expected);
}

static unsigned int chosen(const struct policy *policy)
{
	struct mechanisms mechanisms;

	mechanisms_choose(&mechanisms, policy);
	return mechanisms.landlock;
}

static void what_is_landlocks_is_not_notified(void **state)
{
	static const struct {
		int nr;
		unsigned int flags_at;
		unsigned long long flags;
		bool always; /* also where all is Landlock's */
	} calls[] = {
		{SCMP_SYS(openat), 2, O_RDONLY, false},
		{SCMP_SYS(openat), 2, O_RDONLY | O_DIRECTORY, false},
		{SCMP_SYS(openat), 2, O_RDWR, false},
		{SCMP_SYS(openat), 2, O_WRONLY | O_CREAT | O_TRUNC, false},
		{SCMP_SYS(openat), 2, O_RDWR | O_TMPFILE, true},
		{SCMP_SYS(openat), 2, O_ACCMODE, true},
		{SCMP_SYS(openat2), 2, 0, true},
		{SCMP_SYS(truncate), 1, 0, false},
		{SCMP_SYS(mkdirat), 2, 0, false},
		{SCMP_SYS(symlinkat), 2, 0, false},
		{SCMP_SYS(mknodat), 2, 0, false},
		{SCMP_SYS(unlinkat), 2, 0, false},
		{SCMP_SYS(renameat2), 4, 0, true},
		{SCMP_SYS(linkat), 4, 0, true},
		{SCMP_SYS(bind), 2, 0, true},
		{SCMP_SYS(ptrace), 0, 16, true},
	};
	cleanup_policy struct policy *policy = policy_text(QUIET PROGRAM WORK);
	const struct filter_options shared = {.landlock = chosen(policy)};
	const struct filter_options alone = {.landlock = 0};
	struct filter with, without;

	(void)state;
	assert_int_equal(filter_compile(&with, policy, &shared), 0);
	assert_int_equal(filter_compile(&without, policy, &alone), 0);
	for (size_t i = 0; i < array_length(calls); i++) {
		expect(&without, calls[i].nr, calls[i].flags_at, calls[i].flags, FILTER_NOTIFY);
		expect(&with, calls[i].nr, calls[i].flags_at, calls[i].flags,
			calls[i].always ? FILTER_NOTIFY : FILTER_ALLOW);
	}
	filter_finish(&with);
	filter_finish(&without);
}

/* An open that asks for something of the broker's is asked about as a whole. */
static void what_is_in_part_the_brokers_is_notified(void **state)
{
	cleanup_policy struct policy *policy = policy_text(QUIET PROGRAM "deny write = /log\n");
	const struct filter_options options = {.landlock = chosen(policy)};
	struct filter filter;

	(void)state;
	assert_int_equal(filter_compile(&filter, policy, &options), 0);
	expect(&filter, SCMP_SYS(openat), 2, O_RDONLY, FILTER_ALLOW);
	expect(&filter, SCMP_SYS(openat), 2, O_RDWR, FILTER_NOTIFY);
	expect(&filter, SCMP_SYS(openat), 2, O_RDONLY | O_TRUNC, FILTER_NOTIFY);
	expect(&filter, SCMP_SYS(openat), 2, O_RDONLY | O_CREAT, FILTER_ALLOW);
	expect(&filter, SCMP_SYS(openat), 2, O_WRONLY | O_CREAT, FILTER_NOTIFY);
	expect(&filter, SCMP_SYS(truncate), 1, 0, FILTER_NOTIFY);
	filter_finish(&filter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chooses_the_cheapest_that_serves),
		cmocka_unit_test(leaves_reading_to_the_kernel),
		cmocka_unit_test(every_obstacle_has_its_words),
		cmocka_unit_test(has_bounds),
		cmocka_unit_test(what_is_landlocks_is_not_notified),
		cmocka_unit_test(what_is_in_part_the_brokers_is_notified),
	};

	policy_text_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The language: what each mistake gets, that all are told in one run, and what rules come of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/rule.h"
#include "tests/unit/policy_text.h"

static const struct {
	const char *text, *expected;
} mistakes[] = {
	/* Unknown words, with the nearest valid one. */
	{"[file]\nx = y\n", "t.ini:1:2: error: unknown section [file]; did you mean 'files'?\n"},
	{"allow = unix\n", "t.ini:1:1: error: 'allow' stands before the first section\n"},
	{"[policy]\ndesciption = x\n",
		"t.ini:2:1: error: unknown key 'desciption' in [policy]; did you mean "
		"'description'?\n"},
	{"[files]\nalow read = /x\n",
		"t.ini:2:1: error: unknown key or action 'alow'; did you mean 'allow'?\n"},
	{"[files]\ndefualt = allow\n",
		"t.ini:2:1: error: unknown key or action 'defualt'; did you mean 'default'?\n"
		"t.ini:2:11: error: 'allow' is not an absolute path\n"},
	{"[files]\ndefault = alow\n",
		"t.ini:2:11: error: unknown action 'alow'; did you mean 'allow'?\n"},
	{"[files]\nallow write raed = /x\n",
		"t.ini:2:13: error: unknown operation 'raed'; did you mean 'read'?\n"},
	{"[network]\nallow conect = any\n",
		"t.ini:2:7: error: unknown operation 'conect'; did you mean 'connect'?\n"},
	{"[files]\ndeny EACCESS read = /x\n",
		"t.ini:2:6: error: unknown errno 'EACCESS'; did you mean 'EACCES'?\n"},
	{"[files]\ndeny eacces read = /x\n",
		"t.ini:2:6: error: unknown operation 'eacces'; did you mean 'EACCES'?\n"},
	{"[sockets]\nallow = ient/stream\n",
		"t.ini:2:9: error: unknown address family 'ient'; did you mean 'inet'?\n"},
	{"[sockets]\nallow = inet/straem\n",
		"t.ini:2:14: error: unknown socket type 'straem'; did you mean 'stream'?\n"},
	{"[sockets]\nallow = inet/stream/tpc\n",
		"t.ini:2:21: error: unknown protocol 'tpc'; did you mean 'tcp'?\n"},
	{"[sockets]\nallow = netlink/raw/rote\n",
		"t.ini:2:21: error: unknown protocol 'rote'; did you mean 'route'?\n"},
	{"[files]\nallow read = /a ${HOM}/x\n",
		"t.ini:2:17: error: unknown variable 'HOM'; did you mean 'HOME'?\n"},
	{"[files]\nallow read = ${PROJECT}\n",
		"t.ini:2:14: error: unknown variable 'PROJECT'; give it with --set\n"},
	{"[files]\nallow read = ${}\n", "t.ini:2:14: error: a variable is written ${NAME}\n"},
	{"[files]\nallow read = /${HOME\n", "t.ini:2:15: error: a variable is written ${NAME}\n"},

	/* Keys that contradict themselves. */
	{"[files]\nallow EPERM read = /x\n",
		"t.ini:2:7: error: an errno stands behind 'deny' only\n"},
	{"[files]\nallow = /x\n",
		"t.ini:2:1: error: which operation? read, write, create, remove, metadata, "
		"execute, stat or all\n"},
	{"[files]\naudit = /x\n",
		"t.ini:2:1: error: an action is missing: allow, deny, inject or kill\n"},
	{"[sockets]\nallow read = unix\n",
		"t.ini:2:7: error: this section has no operations: unknown 'read'\n"},
	{"[files]\nquiet allow read = /x\n",
		"t.ini:2:1: error: 'quiet' stands before 'deny' only\n"},
	{"[files]\naudit kill read = /x\n",
		"t.ini:2:1: error: 'audit' stands before allow, deny or inject; a kill is always "
		"logged\n"},
	{"[files]\naudit quiet deny read = /x\n",
		"t.ini:2:1: error: 'audit' and 'quiet' contradict each other\n"},
	{"[files]\ndefault = deny read\n",
		"t.ini:2:16: error: a default speaks of all operations, not of 'read'\n"},
	{"[files]\ndefault = inject\n", "t.ini:2:11: error: a default cannot inject\n"},
	{"[files]\ndefault = deny\ndefault = allow\n",
		"t.ini:3:1: error: a second default of [files]; the first is in line 2\n"},
	{"[syscalls]\ninject = ptrace\n",
		"t.ini:2:1: error: [syscalls] has nothing to inject: allow, deny or kill\n"},

	/* Subjects of the wrong kind. */
	{"[files]\nallow read =\n", "t.ini:2:13: error: there is no value\n"},
	{"[files]\nallow read = /a\n  b\n", "t.ini:3:3: error: 'b' is not an absolute path\n"},
	{"[files]\nallow read = \"/a b\n",
		"t.ini:2:14: error: the double quote is not closed on this line\n"},
	{"[files]\nallow read = /a\" b\"\n",
		"t.ini:2:14: error: double quotes stand around a whole word\n"},
	{"[files]\nallow read = \"\"\n",
		"t.ini:2:14: error: there is nothing between the quotes\n"},
	{"[files]\nallow read = /a -> /b\n",
		"t.ini:2:17: error: '->' stands in 'inject' rules only\n"},
	{"[files]\ninject read = /a /b -> /c\n",
		"t.ini:2:15: error: an injection says what is given instead: SUBJECT -> "
		"REPLACEMENT\n"},
	{"[files]\ninject read = /a -> /b*\n",
		"t.ini:2:21: error: what is given instead is one file, not a pattern\n"},
	{"[files]\ninject read = /a ->\n", "t.ini:2:18: error: nothing stands behind '->'\n"},
	{"[network]\nallow connect = tpc 1.2.3.4:5\n",
		"t.ini:2:17: error: 'tpc' is not a kind of address; did you mean 'tcp'?; one of "
		"tcp, udp, unix, any is expected\n"},
	{"[network]\nallow connect = tcp\n",
		"t.ini:2:17: error: HOST:PORTS is expected behind the protocol\n"},
	{"[network]\nallow connect = tcp 1.2.3.4/24:5\n",
		"t.ini:2:29: error: bad prefix: the address has bits set behind its first 24\n"},
	{"[network]\nallow connect = tcp 1.2.3.4:5x\n",
		"t.ini:2:29: error: bad port '5x': a number, a range, a service of services(5) or "
		"'*' is expected\n"},
	{"[syscalls]\ndeny = ioctl(arg1 == TIOCSTI\n",
		"t.ini:2:8: error: '(' is not closed on this line\n"},

	/* What is for later. */
	{"[files]\ninject read remove = /x -> /y\n",
		"t.ini:2:13: error: 'inject' puts another file into an open: it takes read, write "
		"and create, not 'remove'\n"},
	{"[files]\nallow read execute = /a/** /b /c/*\nkill execute = /d\n",
		"t.ini:2:31: error: 'execute' is enforced by Landlock, which knows files and whole "
		"directories: /path/file or /path/dir/**\n"
		"t.ini:3:6: error: 'execute' is enforced by Landlock, which can allow and deny, "
		"not kill\n"},
	{"[files]\ninject all = /x -> /y\n",
		"t.ini:2:8: error: 'inject' puts another file into an open: it takes read, write "
		"and create, not 'all'\n"},
	{"[network]\nallow = any\n", "t.ini:2:1: error: which operation? connect, bind or all\n"},
	{"[network]\ninject connect = tcp 1.2.3.4:5 -> udp 5.6.7.8:9\n",
		"t.ini:2:35: error: tcp cannot be led to udp, nor udp to tcp\n"},
	{"[network]\ninject connect = tcp 1.2.3.4:5 -> tcp 5.6.7.8:9-10\n",
		"t.ini:2:35: error: what is given instead is one address: one host and one port, "
		"or "
		"one path\n"},
	{"[network]\ninject bind = tcp 1.2.3.4:5 -> unix /run/x\n",
		"t.ini:2:32: error: a path is made by binding, and cannot be given instead\n"},
	{"[network]\ninject connect = tcp 1.2.3.4:5 -> fd web\n",
		"t.ini:2:35: error: 'fd' is given instead of binding: inject bind = ...\n"},
	{"[network]\ninject bind = tcp 1.2.3.4:5 -> fd\n",
		"t.ini:2:32: error: the name of a descriptor is expected behind 'fd'\n"},
	{"[network]\ninject connect = tcp 1.2.3.4:5\n",
		"t.ini:2:22: error: an injection says what is given instead: SUBJECT -> "
		"REPLACEMENT\n"},

	/* Includes. */
	{"[policy]\ninclude = missing.ini\n",
		"t.ini:2:11: error: cannot open 'missing.ini': No such file or directory\n"},
	{"[policy]\ninclude = t.ini\n",
		"t.ini:2:11: error: the include goes round in a circle: t.ini includes itself\n"},

	/* All of them in one run, in the order of the lines. */
	{"[files]\ndefault = dny\nallow reed = x\n  y \"\nallow : z\n[netwrk]\nq = r\n[sockets]\n"
	 "allow = inet/strem unx\n",
		"t.ini:2:11: error: unknown action 'dny'; did you mean 'deny'?\n"
		"t.ini:3:7: error: unknown operation 'reed'; did you mean 'read'?\n"
		"t.ini:4:5: error: the double quote is not closed on this line\n"
		"t.ini:5:7: error: a key ends with '=', not with ':'\n"
		"t.ini:6:2: error: unknown section [netwrk]; did you mean 'network'?\n"
		"t.ini:9:14: error: unknown socket type 'strem'; did you mean 'stream'?\n"
		"t.ini:9:20: error: unknown address family 'unx'; did you mean 'unix'?\n"},
};

static void tells_each_mistake(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(mistakes); i++) {
		policy_text_expect(mistakes[i].text, 0, mistakes[i].expected);
	}
}

static const struct policy_rule *rule(
	const struct policy *policy, enum policy_section section, size_t index)
{
	size_t count;
	const struct policy_rule *rules = policy_rules(policy, section, &count);

	assert_true(index < count);
	return &rules[index];
}

static void reads_rules(void **state)
{
	cleanup_policy struct policy *policy = NULL;
	const struct policy_rule *first, *last;

	(void)state;
	policy = policy_text("[policy]\ndescription = What it  is\n  for\n[files]\n"
			     "default = quiet deny ENOENT\n"
			     "audit deny ENXIO  read write = /a \"/b c\" ; comment\n  ${HOME}/d\n"
			     "allow all = /e\nkill create = /f\n");
	first = rule(policy, POLICY_FILES, 0);
	assert_string_equal(policy_description(policy), "What it  is for");
	assert_int_equal(first->action, POLICY_DENY);
	assert_int_equal(first->error, ENXIO);
	assert_int_equal(first->operations, OPERATION_READ | OPERATION_WRITE);
	assert_true(first->audit);
	assert_false(first->quiet);
	assert_int_equal(first->subject_count, 3);
	assert_string_equal(first->origin.file, "t.ini");
	assert_int_equal(first->origin.line, 6);
	assert_int_equal(first->origin.column, 1);
	assert_string_equal(
		first->origin.text, "audit deny ENXIO  read write = /a \"/b c\" ${HOME}/d");
	assert_string_equal(first->subjects[1].text, "\"/b c\"");
	assert_int_equal(first->subjects[2].line, 7);
	assert_int_equal(first->subjects[2].column, 3);
	assert_int_equal(rule(policy, POLICY_FILES, 1)->operations,
		OPERATIONS_FILES & ~(unsigned int)OPERATION_EXECUTE);
	assert_int_equal(rule(policy, POLICY_FILES, 2)->action, POLICY_KILL);
	last = rule(policy, POLICY_FILES, 3);
	assert_true(last->is_default);
	assert_true(last->quiet);
	assert_int_equal(last->error, ENOENT);
	assert_false(policy_has_section(policy, POLICY_NETWORK));
}

static const struct {
	const char *text;
	enum policy_section section;
	enum policy_action action;
	int error;
} defaults[] = {
	{"[files]\n", POLICY_FILES, POLICY_DENY, EACCES},
	{"[network]\n", POLICY_NETWORK, POLICY_DENY, ECONNREFUSED},
	{"[sockets]\n", POLICY_SOCKETS, POLICY_DENY, EAFNOSUPPORT},
	{"[syscalls]\n", POLICY_SYSCALLS, POLICY_ALLOW, 0},
	{"[files]\ndefault = deny\n", POLICY_FILES, POLICY_DENY, EACCES},
	{"[network]\ndefault = deny\n", POLICY_NETWORK, POLICY_DENY, ECONNREFUSED},
	{"[sockets]\ndefault = deny\n", POLICY_SOCKETS, POLICY_DENY, EAFNOSUPPORT},
	{"[syscalls]\ndefault = deny\n", POLICY_SYSCALLS, POLICY_DENY, EPERM},
	{"[files]\ndefault = deny EWOULDBLOCK\n", POLICY_FILES, POLICY_DENY, EAGAIN},
	{"[files]\ndeny read = /x\n", POLICY_FILES, POLICY_DENY, EACCES},
	{"[network]\ndeny connect = any\n", POLICY_NETWORK, POLICY_DENY, ECONNREFUSED},
	{"[sockets]\ninject = *\n", POLICY_SOCKETS, POLICY_INJECT, 0},
};

static void knows_the_defaults(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(defaults); i++) {
		cleanup_policy struct policy *policy = policy_text(defaults[i].text);
		const struct policy_rule *first = rule(policy, defaults[i].section, 0);

		assert_int_equal(first->action, defaults[i].action);
		assert_int_equal(first->error, defaults[i].error);
	}
}

static void puts_included_rules_in_their_place(void **state)
{
	cleanup_policy struct policy *policy = NULL;

	(void)state;
	mkdir("include", 0755);
	mkdir("beside", 0755);
	policy_text_write("beside/one.ini", "[policy]\ndescription = of one\ninclude = two.ini\n"
					    "[files]\ndefault = deny ENXIO\nallow read = /one\n");
	policy_text_write("beside/two.ini", "[files]\nallow read = /two\ndefault = allow\n");
	policy_text_write("include/two.ini", "[files]\nallow read = /not-this\n");
	policy_text_write("include/three.ini", "[files]\nallow read = /three\n");
	policy = policy_text("[files]\nallow read = /zero\n[policy]\n"
			     "include = beside/one.ini three.ini\n[files]\nallow read = /four\n");
	assert_string_equal(rule(policy, POLICY_FILES, 0)->subjects[0].text, "/zero");
	assert_string_equal(rule(policy, POLICY_FILES, 1)->subjects[0].text, "/two");
	assert_string_equal(rule(policy, POLICY_FILES, 2)->subjects[0].text, "/one");
	assert_string_equal(rule(policy, POLICY_FILES, 3)->subjects[0].text, "/three");
	assert_string_equal(rule(policy, POLICY_FILES, 4)->subjects[0].text, "/four");
	assert_string_equal(rule(policy, POLICY_FILES, 1)->origin.file, "beside/two.ini");
	assert_string_equal(rule(policy, POLICY_FILES, 3)->origin.file, "include/three.ini");
	/* The default of the outermost file that has one. */
	assert_int_equal(rule(policy, POLICY_FILES, 5)->error, ENXIO);
	assert_string_equal(policy_description(policy), "");
}

static void tells_mistakes_of_included_files(void **state)
{
	(void)state;
	policy_text_write("i.ini", "[files]\nallow reed = /x\n");
	policy_text_expect("[policy]\ninclude = i.ini\n[files]\nalow read = /x\n", 0,
		"t.ini:4:1: error: unknown key or action 'alow'; did you mean 'allow'?\n"
		"i.ini:2:7: error: unknown operation 'reed'; did you mean 'read'?\n");
	policy_text_write("i.ini", "[policy]\ninclude = t.ini\n");
	policy_text_expect("[policy]\ninclude = i.ini\n", 0,
		"i.ini:2:11: error: the include goes round in a circle: t.ini includes itself\n");
	policy_text_expect("[policy]\ninclude = .\n", 0, "t.ini:2:11: error: . is a directory\n");
	assert_int_equal(mkfifo("fifo", 0600), 0);
	policy_text_expect("[policy]\ninclude = fifo /dev/ptmx\n", 0,
		"t.ini:2:11: error: fifo is not a regular file\n"
		"t.ini:2:16: error: /dev/ptmx is not a regular file\n");
}

static void bounds_includes(void **state)
{
	char name[32], text[64];

	(void)state;
	for (unsigned int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "n%u.ini", i);
		snprintf(text, sizeof(text), "[policy]\ninclude = n%u.ini n%u.ini\n", i + 1, i + 1);
		policy_text_write(name, text);
	}
	policy_text_write("n10.ini", "[files]\n");
	{
		struct policy *policy = NULL;
		struct policy_report report;

		assert_int_equal(policy_text_load_file(&policy, "n0.ini", 0, &report), -EINVAL);
		assert_non_null(strstr(report.items[0].text, "more than 256 files"));
		policy_report_finish(&report);
	}
}

static void tells_what_cannot_be_read(void **state)
{
	struct policy *policy = NULL;
	struct policy_report report;

	(void)state;
	assert_int_equal(policy_text_load_file(&policy, "missing.ini", 0, &report), -ENOENT);
	assert_null(policy);
	assert_int_equal(report.error_count, 1);
	assert_int_equal(report.items[0].line, 0);
	assert_string_equal(
		report.items[0].text, "cannot open 'missing.ini': No such file or directory");
	policy_report_finish(&report);
}

static void refuses_what_others_can_write(void **state)
{
	(void)state;
	policy_text_write("t.ini", "");
	chmod("t.ini", 0664);
	policy_text_expect("[files]\n", POLICY_LOAD_TRUSTED,
		"t.ini: error: others than its owner can write t.ini (mode 0664); chmod go-w it\n");
	policy_text_expect("[files]\n", 0, "");
	chmod("t.ini", 0644);
	policy_text_expect("[files]\n", POLICY_LOAD_TRUSTED, "");
	policy_text_write("i.ini", "[files]\n");
	chmod("i.ini", 0646);
	policy_text_expect("[policy]\ninclude = i.ini\n", POLICY_LOAD_TRUSTED,
		"t.ini:2:11: error: others than its owner can write i.ini (mode 0646); chmod go-w "
		"it\n");
	unlink("i.ini");
}

static void refuses_sets_of_known_variables(void **state)
{
	static const char *const wrong[] = {"HOME=/x", "1X=y", "=y", "X", "X-Y=z"};

	(void)state;
	policy_text_write("t.ini", "[files]\n");
	for (size_t i = 0; i < array_length(wrong); i++) {
		struct policy_options options = {.variables = {.sets = &wrong[i], .set_count = 1}};
		struct policy_report report;
		struct policy *policy = NULL;

		assert_int_equal(policy_load(&policy, "t.ini", &options, &report), -EINVAL);
		assert_int_equal(report.error_count, 1);
		policy_report_finish(&report);
	}
}

static const struct {
	const char *cwd, *pattern, *path;
} values[] = {
	{"/", "${CWD}/**", "/etc"},
	{"/", "${CWD}", "/"},
	{"/srv/", "${CWD}/**", "/srv/x"},
	{"/srv/", "${CWD}", "/srv"},
	{"/a*[b]?", "${CWD}/*", "/a*[b]?/x"},
	{"/with blank;", "${CWD}/**", "/with blank;/x"},
	{"/x", "${TMPDIR}/**", "/tmp"},
	{"/x", "${XDG_RUNTIME_DIR}/bus", "/run/user/7/bus"},
};

static void fills_in_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(values); i++) {
		cleanup_policy struct policy *policy = NULL;
		const struct policy_options options = {
			.variables = {.cwd = values[i].cwd, .uid = "7"}};
		struct policy_report report;
		char text[256];

		snprintf(text, sizeof(text), "[files]\nallow read = %s\n", values[i].pattern);
		policy_text_write("t.ini", text);
		assert_int_equal(policy_load(&policy, "t.ini", &options, &report), 0);
		policy_report_finish(&report);
		assert_int_equal(policy_decide_file(policy, OPERATION_READ, values[i].path).action,
			POLICY_ALLOW);
		assert_int_equal(policy_decide_file(policy, OPERATION_READ, "/axb/x").action,
			i == 0 ? POLICY_ALLOW : POLICY_DENY);
	}
}

/* ${HOME}/.ssh must never come to mean /.ssh. */
static void refuses_values_that_are_empty_or_missing(void **state)
{
	static const char *const homes[] = {"", NULL};
	static const char *const texts[] = {
		"the variable HOME is empty", "the variable HOME has no value here"};

	(void)state;
	policy_text_write("t.ini", "[files]\ndeny read = ${HOME}/.ssh/**\n");
	for (size_t i = 0; i < array_length(homes); i++) {
		const struct policy_options options = {.variables = {.home = homes[i]}};
		struct policy_report report;
		struct policy *policy = NULL;

		assert_int_equal(policy_load(&policy, "t.ini", &options, &report), -EINVAL);
		assert_string_equal(report.items[0].text, texts[i]);
		policy_report_finish(&report);
	}
}

static void finds_policies_by_name(void **state)
{
	static const char *const directories[] = {"nowhere", "include", NULL};
	char *path = NULL;

	(void)state;
	mkdir("include", 0755);
	policy_text_write("include/named.ini", "[files]\n");
	assert_int_equal(policy_find("named", directories, &path), 0);
	assert_string_equal(path, "include/named.ini");
	free(path);
	assert_int_equal(policy_find("./x", directories, &path), 0);
	assert_string_equal(path, "./x");
	free(path);
	assert_int_equal(policy_find("other", directories, &path), -ENOENT);
	assert_int_equal(policy_find("", directories, &path), -EINVAL);
	assert_int_equal(policy_find(".hidden", directories, &path), -EINVAL);
}

static void reads_many_rules_quickly(void **state)
{
	cleanup_policy struct policy *policy = NULL;
	struct timespec begin, end;
	struct policy_report report;
	FILE *out = fopen("many.ini", "w");

	(void)state;
	assert_non_null(out);
	fputs("[files]\n", out);
	for (unsigned int i = 0; i < 10000; i++) {
		fprintf(out, "allow read write = /srv/data/%u/** /opt/%u/*.so\n", i, i);
	}
	fclose(out);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
	assert_int_equal(policy_text_load_file(&policy, "many.ini", 0, &report), 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	policy_report_finish(&report);
	assert_int_equal(rule(policy, POLICY_FILES, 9999)->origin.line, 10001);
	/* About 50 ms; the bound is for slow machines and slow builds. */
	assert_true((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000 <
		    2000);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_each_mistake),
		cmocka_unit_test(reads_rules),
		cmocka_unit_test(knows_the_defaults),
		cmocka_unit_test(puts_included_rules_in_their_place),
		cmocka_unit_test(tells_mistakes_of_included_files),
		cmocka_unit_test(bounds_includes),
		cmocka_unit_test(tells_what_cannot_be_read),
		cmocka_unit_test(refuses_what_others_can_write),
		cmocka_unit_test(refuses_sets_of_known_variables),
		cmocka_unit_test(fills_in_values),
		cmocka_unit_test(refuses_values_that_are_empty_or_missing),
		cmocka_unit_test(finds_policies_by_name),
		cmocka_unit_test(reads_many_rules_quickly),
	};

	policy_text_enter();
	return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Warnings: each with a twin beside it that is meant and is not warned of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/unit/policy_text.h"

static const struct {
	const char *text, *expected;
} warnings[] = {
	/* Rules that earlier ones cover. */
	{"[files]\nallow read = /usr/**\ndeny read = /usr/lib/x /etc\n",
		"t.ini:3:13: warning: '/usr/lib/x' never matches: the rule at t.ini:2 is tried "
		"before and covers it\n"},
	{"[files]\nallow read = /usr/**\ndeny read write = /usr/lib/x\n", ""},
	{"[files]\nallow read = /usr/**\ndeny write = /usr/**\nkill read write = /usr/lib/**\n",
		"t.ini:4:19: warning: '/usr/lib/**' never matches: the rule at t.ini:3 is tried "
		"before and covers it\n"},
	{"[files]\ndeny read = /usr/lib/x\nallow read = /usr/**\n", ""},
	{"[files]\nallow read = /a/*.c\ndeny read = /a/x.c /a/b/x.c\n",
		"t.ini:3:13: warning: '/a/x.c' never matches: the rule at t.ini:2 is tried before "
		"and covers it\n"},
	{"[sockets]\ndefault = deny\nallow = inet/stream inet6\ndeny = inet/stream/tcp "
	 "inet/dgram\n",
		"t.ini:4:8: warning: 'inet/stream/tcp' never matches: the rule at t.ini:3 is tried "
		"before and covers it\n"},
	{"[syscalls]\ndeny = ptrace\nkill = ptrace(arg0 == 1) bpf\n",
		"t.ini:3:8: warning: 'ptrace(arg0 == 1)' never matches: the rule at t.ini:2 is "
		"tried before and covers it\n"},
	{"[syscalls]\ndeny = ptrace(arg0 == 1)\nkill = ptrace ptrace(arg0 == 2)\n", ""},
	{"[syscalls]\ndeny = ptrace\naudit deny = bpf\n",
		"t.ini:3:1: warning: 'audit' has no effect on system calls: the kernel decides on "
		"them and tells nobody\n"},

	/* Connections for which no socket can be had. */
	{"[sockets]\ndefault = deny\nallow = inet/stream unix/stream\n[network]\ndefault = deny\n"
	 "allow connect = tcp 127.0.0.1:80 udp *:53 tcp [::1]:80 unix @x\n"
	 "deny connect = udp *:54\n",
		"t.ini:6:34: warning: 'udp *:53' is never reached: [sockets] lets no such socket "
		"through\n"
		"t.ini:6:43: warning: 'tcp [::1]:80' is never reached: [sockets] lets no such "
		"socket through\n"},

	/* Names of hosts. */
	{"[sockets]\nallow = inet/stream\n[network]\ndefault = deny\n"
	 "deny connect = tcp a.net:80\nallow connect = tcp *.net:80\n"
	 "allow connect = tcp b.net:80\n",
		"t.ini:1:2: warning: the section has no default, which means deny EAFNOSUPPORT\n"
		"t.ini:3:2: warning: rules name hosts, and [sockets] lets no inet/dgram through, "
		"by which programs ask for names\n"
		"t.ini:5:16: warning: 'tcp a.net:80' is a weak denial: the same address can be "
		"reached by another name or by none; deny addresses, or allow only what is meant\n"
		"t.ini:6:17: warning: 'tcp *.net:80' allows every host whose owner has a name "
		"below 'net'\n"
		"t.ini:7:17: warning: 'tcp b.net:80' never matches: the rule at t.ini:6 is tried "
		"before and covers it\n"},
	{"[sockets]\nallow = inet\ndefault = deny\n[files]\nallow write = /etc/hosts\n[network]\n"
	 "default = deny\nallow connect = tcp a.example.net:80 udp 10.0.0.1:53\n",
		"t.ini:5:15: warning: this allows writing to /etc/hosts: whoever may do that says "
		"where names lead, and rules name hosts\n"
		"t.ini:8:38: warning: 'udp 10.0.0.1:53' never matches: rules name hosts, so the "
		"broker answers for port 53 itself\n"},

	/* Packets that name their own addresses; where no rule speaks of any, nobody minds. */
	{"[sockets]\ndefault = deny\nallow = packet inet/raw inet/stream\n[network]\ndefault = "
	 "allow\n",
		"t.ini:3:9: warning: what is sent by 'packet' is not judged by [network]: the "
		"program writes the addresses itself\n"
		"t.ini:3:16: warning: what is sent by 'inet/raw' is not judged by [network]: the "
		"program writes the addresses itself\n"},
	{"[sockets]\ndefault = deny\nallow = packet inet/raw\n", ""},

	/* What starts processes. */
	{"[sockets]\ndefault = deny\nallow = unix/stream\n[network]\ndefault = deny\n"
	 "deny connect = unix /run/dbus/**\n"
	 "allow connect = unix /run/dbus/** unix /run/docker.sock\n",
		"t.ini:7:17: warning: 'unix /run/dbus/**' never matches: the rule at t.ini:6 is "
		"tried before and covers it\n"
		"t.ini:7:35: warning: this allows connections to docker (/run/docker.sock): what "
		"it "
		"starts is not confined\n"},
	{"[sockets]\ndefault = deny\nallow = inet/stream\n[network]\ndefault = allow\n", ""},

	/* What runs later. */
	{"[files]\nallow read create = ${HOME}/.bashrc\n", ""},
	{"[files]\nallow write = ${HOME}/.bashrc ${CWD}/.git/hooks/**\n",
		"t.ini:2:15: warning: this allows writing to files that shells read when they "
		"start "
		"(/home/user/.bashrc), which run later and unconfined\n"
		"t.ini:2:31: warning: this allows writing to hooks and settings of git "
		"(/tree/.git/hooks/pre-commit), which run later and unconfined\n"},
	{"[files]\ndeny write = ${HOME}/.*\nallow write = ${HOME}/*\n", ""},
	{"[files]\nallow write = /etc/cron.d/** /var/spool/cron/**\n",
		"t.ini:2:15: warning: this allows writing to tables of cron (/etc/cron.d/a), which "
		"run later and unconfined\n"},

	/* What is for later, and what is left unsaid. */
	{"[files]\nallow all = /x\ndeny all = /y\n",
		"t.ini:2:7: warning: 'all' leaves out execute, since no rule says 'execute': what "
		"may be executed is restricted only where one does\n"},
	{"[files]\nallow all = /x\nallow read execute = /**\n", ""},

	/* What Landlock does and does not. */
	{"[files]\nallow execute = /usr/**\n[syscalls]\ndeny = memfd_create\n", ""},
	{"[files]\nallow execute = /usr/**\n[syscalls]\n"
	 "deny EACCES = memfd_create(arg1 & 8 == 0)\n",
		""},
	{"[files]\nallow execute = /usr/**\n",
		"t.ini:2:1: warning: what a program writes into memory (memfd_create) can be "
		"executed all the same; [syscalls] can refuse it: deny EACCES = memfd_create(arg1 "
		"& 8 == 0)\n"},
	{"[files]\ndeny all = /x/*.sh /y/**\ndeny ENOENT execute = /z\n"
	 "audit allow execute read = /v\nallow execute = /usr/**\n[syscalls]\ndeny = "
	 "memfd_create\n",
		"t.ini:2:12: warning: 'all' leaves out execute for '/x/*.sh': Landlock, which "
		"enforces it, knows files and whole directories\n"
		"t.ini:3:1: warning: executing is enforced by Landlock: a denial is EACCES, and "
		"nothing about it is logged\n"
		"t.ini:4:1: warning: executing is enforced by Landlock: a denial is EACCES, and "
		"nothing about it is logged\n"},
	{"[sockets]\nallow = inet/stream\n",
		"t.ini:1:2: warning: the section has no default, which means deny EAFNOSUPPORT\n"},
	{"[network]\ndeny connect = unix /** unix @*\ndeny all = tcp 0.0.0.0:80\n",
		"t.ini:1:2: warning: the section has no default, which means deny: ECONNREFUSED "
		"for connect, EACCES for bind\n"},
	{"[network]\ndefault = deny\ndeny connect = tcp 0.0.0.0:80\nallow bind = tcp [::]:80\n",
		"t.ini:3:16: warning: 'tcp 0.0.0.0:80' never matches: the kernel connects it to "
		"loopback, say 127.0.0.1\n"},
};

/* What is about addresses alone is warned of for that: here all say something of files as well. */
static void warns_of_what_is_not_meant(void **state)
{
	char text[4096];

	(void)state;
	for (size_t i = 0; i < array_length(warnings); i++) {
		bool is_alone = strstr(warnings[i].text, "[network]") &&
				!strstr(warnings[i].text, "[files]");
		snprintf(text, sizeof(text), "%s%s", warnings[i].text,
			is_alone ? "[files]\ndefault = deny\n" : "");
		policy_text_expect(text, POLICY_LOAD_LINT, warnings[i].expected);
	}
}

static void warns_of_memory_where_nothing_is_about_files(void **state)
{
	(void)state;
	policy_text_expect("[network]\ndefault = deny\n", POLICY_LOAD_LINT,
		"t.ini:1:2: warning: without [files] the memory of the user's other processes "
		"stays open to the program, and by it all that they may connect to; say there: "
		"deny EACCES read write = /proc/[1-9]*/mem, and default = allow\n");
	policy_text_expect("[network]\ndefault = deny\n[files]\ndeny EACCES read write = "
			   "/proc/[1-9]*/mem\ndefault = deny\n",
		POLICY_LOAD_LINT, "");
	policy_text_expect("[sockets]\ndefault = deny\n", POLICY_LOAD_LINT, "");
}

static void warns_only_when_asked(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(warnings); i++) {
		policy_text_expect(warnings[i].text, 0, "");
	}
}

static void warns_in_the_file_that_is_meant(void **state)
{
	(void)state;
	policy_text_write("i.ini", "[files]\nallow read = /a\n");
	policy_text_expect("[files]\nallow read = /**\n[policy]\ninclude = i.ini\n",
		POLICY_LOAD_LINT,
		"i.ini:2:14: warning: '/a' never matches: the rule at t.ini:2 is tried before and "
		"covers it\n");
}

static void warns_of_a_loader_that_may_not_be_executed(void **state)
{
	cleanup_free char *loader = realpath("/lib64/ld-linux-x86-64.so.2", NULL);
	char text[4096], expected[4096];

	(void)state;
	assert_non_null(loader);
	snprintf(expected, sizeof(expected),
		"t.ini:2:1: warning: %s may not be executed: it loads all programs that are not "
		"static, so these cannot be started\n",
		loader);
	policy_text_expect("[files]\nallow execute = /usr/bin/**\n[syscalls]\n"
			   "deny = memfd_create\n",
		POLICY_LOAD_LINT, expected);
	snprintf(text, sizeof(text),
		"[files]\nallow execute = /usr/bin/** %s\n[syscalls]\ndeny = memfd_create\n",
		loader);
	policy_text_expect(text, POLICY_LOAD_LINT, "");
}

/* The directory is the one that the test runs in; its own name has no link. */
static void warns_of_denials_by_another_name(void **state)
{
	cleanup_free char *here = realpath(".", NULL);
	char text[4096], expected[4096];

	(void)state;
	assert_non_null(here);
	mkdir("real", 0755);
	assert_true(symlink("real", "link") == 0);
	snprintf(text, sizeof(text),
		"[files]\ndefault = allow\nallow read = %s/link/a\ndeny read = %s/link/x\n", here,
		here);
	snprintf(expected, sizeof(expected),
		"t.ini:4:13: warning: '%s/link/x' never matches: %s/link/x is a name for "
		"%s/real/x, and rules are about the resolved path\n",
		here, here, here);
	policy_text_expect(strcat(text, "allow write = /nowhere\ndeny write = /**\n"),
		POLICY_LOAD_LINT, expected);
	/* The place itself is denied as well. */
	snprintf(text, sizeof(text), "[files]\ndefault = deny\ndeny read = %s/link/x %s/real/**\n",
		here, here);
	policy_text_expect(text, POLICY_LOAD_LINT, "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(warns_of_what_is_not_meant),
		cmocka_unit_test(warns_of_memory_where_nothing_is_about_files),
		cmocka_unit_test(warns_only_when_asked),
		cmocka_unit_test(warns_in_the_file_that_is_meant),
		cmocka_unit_test(warns_of_a_loader_that_may_not_be_executed),
		cmocka_unit_test(warns_of_denials_by_another_name),
	};

	policy_text_enter();
	return cmocka_run_group_tests_name("lint", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots: another process has the same policy, with the same places, without the files, the
 * variables and the machine's databases; and what is not a snapshot is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/model.h"
#include "tests/unit/policy_text.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static struct policy *load_whole(void)
{
	struct policy *policy = NULL;
	struct policy_report report;

	policy_text_write("whole.ini",
		"[policy]\ndescription = some\ninclude = part.ini part.ini\n"
		"[files]\ninject read = /r -> ${HOME}/s\n[sockets]\nallow = inet/stream/tcp\n");
	policy_text_write("part.ini",
		"[files]\nallow read = ${HOME}/${X}/** /lib/**\n  \"/a b\"\ndefault = deny ENXIO\n"
		"[network]\nallow connect = tcp *:80 unix @n*\n");
	assert_int_equal(policy_text_load_file(&policy, "whole.ini", 0, &report), 0);
	policy_report_finish(&report);
	return policy;
}

static void same_rules(const struct policy *a, const struct policy *b, enum policy_section section)
{
	size_t a_count, b_count;
	const struct policy_rule *x = policy_rules(a, section, &a_count);
	const struct policy_rule *y = policy_rules(b, section, &b_count);

	assert_int_equal(a_count, b_count);
	for (size_t i = 0; i < a_count; i++) {
		assert_int_equal(x[i].action, y[i].action);
		assert_int_equal(x[i].error, y[i].error);
		assert_int_equal(x[i].operations, y[i].operations);
		assert_string_equal(x[i].origin.file, y[i].origin.file);
		assert_int_equal(x[i].origin.line, y[i].origin.line);
		assert_string_equal(x[i].origin.text, y[i].origin.text);
		assert_int_equal(x[i].subject_count, y[i].subject_count);
		for (size_t k = 0; k < x[i].subject_count; k++) {
			assert_string_equal(x[i].subjects[k].text, y[i].subjects[k].text);
			assert_int_equal(x[i].subjects[k].column, y[i].subjects[k].column);
		}
	}
}

static void gives_the_same_policy_without_the_files(void **state)
{
	cleanup_policy struct policy *policy = load_whole();
	cleanup_policy struct policy *copy = NULL;
	cleanup_fd int fd = policy_to_snapshot(policy);

	(void)state;
	assert_true(fd >= 0);
	unlink("whole.ini");
	unlink("part.ini");
	assert_int_equal(policy_from_snapshot(&copy, fd), 0);
	assert_string_equal(policy_description(copy), "some");
	for (unsigned int i = 0; i < POLICY_SECTIONS; i++) {
		assert_int_equal(policy_has_section(policy, i), policy_has_section(copy, i));
		same_rules(policy, copy, i);
	}
	assert_int_equal(
		policy_decide_file(copy, OPERATION_READ, TEXT_HOME "/a*b/x").action, POLICY_ALLOW);
	assert_int_equal(policy_decide_file(copy, OPERATION_READ, TEXT_HOME "/aab/x").error, ENXIO);
	assert_int_equal(fcntl(fd, F_GET_SEALS) & SEALS, SEALS);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_int_equal(write(fd, "x", 1), -1);
}

/* A service that only the snapshot knows has the port that it had. */
static void keeps_ports_of_services(void **state)
{
	cleanup_policy struct policy *policy = policy_new();
	cleanup_policy struct policy *copy = NULL;
	cleanup_fd int fd = -1;
	size_t count;

	(void)state;
	assert_null(getservbyname("usher-test", "tcp"));
	assert_int_equal(policy_add_service(policy, "usher-test", "tcp", 4321), 0);
	assert_true(policy_add_file(policy, strdup("x.ini"),
			    strdup("[network]\nallow connect = tcp *:usher-test\n"), 43) >= 0);
	fd = policy_to_snapshot(policy);
	assert_true(fd >= 0);
	assert_int_equal(policy_from_snapshot(&copy, fd), 0);
	assert_int_equal(
		policy_rules(copy, POLICY_NETWORK, &count)->subjects[0].endpoint.port_first, 4321);
}

static int sealed(const void *data, size_t size, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

/* Cut anywhere, or with any byte turned over, it is refused or read: nothing else happens. */
static void survives_what_is_damaged(void **state)
{
	cleanup_policy struct policy *policy = load_whole();
	cleanup_fd int fd = policy_to_snapshot(policy);
	struct stat status;
	char data[4096];
	size_t size;

	(void)state;
	assert_int_equal(fstat(fd, &status), 0);
	size = (size_t)status.st_size;
	assert_in_range(size, 100, sizeof(data));
	assert_int_equal(pread(fd, data, size, 0), size);
	for (size_t i = 0; i < size; i++) {
		cleanup_policy struct policy *copy = NULL;
		cleanup_policy struct policy *other = NULL;
		cleanup_fd int cut = sealed(data, i, SEALS);
		cleanup_fd int turned = -1;
		int r;

		assert_int_equal(policy_from_snapshot(&copy, cut), -EBADMSG);
		assert_null(copy);
		data[i] = (char)~data[i];
		turned = sealed(data, size, SEALS);
		r = policy_from_snapshot(&other, turned);
		assert_int_equal(r == 0, other != NULL);
		data[i] = (char)~data[i];
	}
}

static void refuses_what_is_not_sealed(void **state)
{
	cleanup_policy struct policy *policy = load_whole();
	cleanup_policy struct policy *copy = NULL;
	cleanup_fd int fd = policy_to_snapshot(policy);
	cleanup_fd int loose = -1;
	char data[4096];
	ssize_t size = pread(fd, data, sizeof(data), 0);

	(void)state;
	assert_true(size > 0);
	loose = sealed(data, (size_t)size, F_SEAL_SHRINK | F_SEAL_GROW);
	assert_int_equal(policy_from_snapshot(&copy, loose), -EBADMSG);
	assert_int_equal(policy_from_snapshot(&copy, STDIN_FILENO), -EBADMSG);
	assert_int_equal(policy_from_snapshot(&copy, -1), -EBADMSG);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_the_same_policy_without_the_files),
		cmocka_unit_test(keeps_ports_of_services),
		cmocka_unit_test(survives_what_is_damaged),
		cmocka_unit_test(refuses_what_is_not_sealed),
	};

	policy_text_enter();
	return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}

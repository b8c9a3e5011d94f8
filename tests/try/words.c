/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of the code's tables, one a line as TABLE WORD [DEFAULT], for the tests that hold man
 * pages and completions against them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/config.h"
#include "daemon/config_keys.h"
#include "daemon/policy/model.h"
#include "daemon/policy/syscall_groups.h"
#include "daemon/policy/variables.h"
#include "daemon/policy/words.h"

static void print_words(const char *table, const struct words *words)
{
	for (size_t i = 0; i < words->count; i++) {
		printf("%s %s\n", table, words->items[i].name);
	}
}

static void print_variables(void)
{
	for (size_t i = 0; variables_builtin(i); i++) {
		printf("variable %s\n", variables_builtin(i));
	}
}

static void print_groups(void)
{
	for (size_t i = 0; syscall_group_name(i); i++) {
		printf("group %s\n", syscall_group_name(i));
	}
}

/* What `deny` alone means. */
static void print_errnos(void)
{
	static const struct {
		const char *name;
		enum policy_section section;
		unsigned int operations;
	} asked[] = {
		{"files", POLICY_FILES, OPERATION_READ},
		{"connect", POLICY_NETWORK, OPERATION_CONNECT},
		{"bind", POLICY_NETWORK, OPERATION_BIND},
		{"sockets", POLICY_SOCKETS, 0},
		{"syscalls", POLICY_SYSCALLS, 0},
	};

	for (size_t i = 0; i < array_length(asked); i++) {
		int error = policy_default_errno(asked[i].section, asked[i].operations);
		printf("errno %s %s\n", asked[i].name, policy_errno_name(error));
	}
}

static void print_keys(void)
{
	const char *section, *key;

	for (size_t i = 0; (key = config_key_name(i, &section)) != NULL; i++) {
		printf("key %s.%s\n", section, key);
	}
}

/* What holds where the file is silent; `file` is an empty one. */
static int print_defaults(const char *file)
{
	struct config *config = NULL;
	struct policy_report report = {0};

	int result = config_load(&config, file, &report);
	policy_report_finish(&report);
	if (result < 0) {
		(void)fprintf(stderr, "words: %s: %s\n", file, strerror(-result));
		return EXIT_FAILURE;
	}
	printf("default limits.sessions %u\n", config->sessions.total);
	printf("default limits.sessions-per-user %u\n", config->sessions.per_user);
	printf("default limits.clients %u\n", config->clients.total);
	printf("default limits.clients-per-user %u\n", config->clients.per_user);
	printf("default limits.handshake-timeout %u\n", config->handshake_seconds);
	printf("default daemon.audit %s\n", config->audit ? "yes" : "no");
	printf("default daemon.socket-mode %04o\n", config->socket_mode);
	printf("default daemon.metrics-mode %04o\n", config->metrics_mode);
	printf("default daemon.socket %s\n", config->socket ? config->socket : "-");
	config_unref(config);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	print_words("section", &section_words);
	print_words("policy-key", &policy_key_words);
	print_words("action", &action_words);
	print_words("modifier", &modifier_words);
	print_words("file-operation", &file_operation_words);
	print_words("network-operation", &network_operation_words);
	print_words("network", &network_words);
	print_words("endpoint", &endpoint_words);
	print_words("family", &socket_family_words);
	print_words("type", &socket_type_words);
	print_words("internet-protocol", &internet_protocol_words);
	print_words("netlink-protocol", &netlink_protocol_words);
	print_variables();
	print_groups();
	print_errnos();
	print_keys();
	return argc > 1 ? print_defaults(argv[1]) : EXIT_SUCCESS;
}

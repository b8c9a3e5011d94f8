/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usherd.ini from any text: what is out of its limits is complained about. Names of users and
 * groups are looked up in two lines of this file, so that no name service is fuzzed instead.
 */
#include <grp.h>
#include <pwd.h>

#include "daemon/config.h"
#include "daemon/config_keys.h"
#include "tests/fuzz/fuzz.h"

struct passwd *getpwnam(const char *name)
{
	static struct passwd root = {.pw_name = (char *)"root"};

	return strcmp(name, "root") == 0 ? &root : NULL;
}

struct group *getgrnam(const char *name)
{
	static struct group root = {.gr_name = (char *)"root"};

	return strcmp(name, "root") == 0 ? &root : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config = calloc(1, sizeof(*config));
	struct policy_report report = {0};

	must(config);
	config->references = 1;
	config->sessions = config->clients = (struct tally_limits){.per_user = 1, .total = 1};
	config->handshake_seconds = 1;
	int result = config_read(config, "fuzz.ini", (const char *)data, size, &report);
	if (result == 0 && report.error_count == 0) {
		must(!config->socket || config->socket[0] == '/');
		must(config->socket_mode <= 0777);
		must(!config->metrics || config->metrics[0] == '/');
		must(config->metrics_mode <= 0777);
		must(config->sessions.total > 0 && config->sessions.per_user > 0);
		must(config->clients.total > 0 && config->clients.per_user > 0);
		must(config->handshake_seconds > 0);
		for (size_t i = 0; i < config->grant_count; i++) {
			must(config->grants[i].policy_count > 0);
		}
	}
	policy_report_finish(&report);
	config_unref(config);
	return 0;
}

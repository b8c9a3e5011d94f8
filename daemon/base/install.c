/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/base/install.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "paths.h"

/* Programs of a build tree, by which it is known. */
static const char *const build_programs[] = {
	"/client/usher", "/daemon/usherd", "/daemon/broker/usher-broker"};

/* The root of the build tree that the running program lies in, allocated, or NULL. */
static char *build_root(void)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (length < 0) {
		return NULL;
	}
	path[length] = '\0';
	for (size_t i = 0; i < array_length(build_programs); i++) {
		size_t tail = strlen(build_programs[i]);
		if ((size_t)length > tail && strcmp(path + length - tail, build_programs[i]) == 0) {
			return strndup(path, (size_t)length - tail);
		}
	}
	return NULL;
}

static char *join(const char *directory, const char *rest)
{
	char *path = NULL;

	return asprintf(&path, "%s%s", directory, rest) < 0 ? NULL : path;
}

char *install_broker_path(void)
{
	cleanup_free char *root = build_root();

	if (root) {
		cleanup_free char *built = join(root, "/daemon/broker/usher-broker");
		if (built && access(built, X_OK) == 0) {
			return steal_pointer(&built);
		}
	}
	cleanup_free char *installed = strdup(USHER_LIBEXECDIR "/usher-broker");
	if (installed && access(installed, X_OK) == 0) {
		return steal_pointer(&installed);
	}
	return NULL;
}

static char *user_policy_directory(void)
{
	const char *config = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");

	if (config && config[0] == '/') {
		return join(config, "/usher/policies");
	}
	return home && home[0] == '/' ? join(home, "/.config/usher/policies") : NULL;
}

static char *shipped_policy_directory(void)
{
	cleanup_free char *root = build_root();

	return root ? join(root, "/conf/policies") : strdup(USHER_POLICYDIR);
}

char **install_policy_directories(enum install_policy_scope scope)
{
	char **directories = calloc(4, sizeof(*directories));
	size_t count = 0;

	if (!directories) {
		return NULL;
	}
	if (scope == INSTALL_POLICIES_OF_USER) {
		directories[count] = user_policy_directory();
		count += directories[count] != NULL;
	}
	directories[count] = strdup(USHER_SYSCONFDIR "/policies");
	count += directories[count] != NULL;
	directories[count] = shipped_policy_directory();
	return directories;
}

void install_free_directories(char **directories)
{
	for (char **directory = directories; directory && *directory; directory++) {
		free(*directory);
	}
	free(directories);
}

char *install_socket_path(unsigned int index)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	bool has_user_socket = runtime && runtime[0] == '/';

	if (index == 0 && has_user_socket) {
		return join(runtime, "/usher/usherd.sock");
	}
	return index == (has_user_socket ? 1u : 0u) ? strdup("/run/usher/usherd.sock") : NULL;
}

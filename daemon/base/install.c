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

/* Programs of a tree, by which it is known. */
struct tree {
	const char *programs[3];
};

static const struct tree build_tree = {
	{"/client/usher", "/daemon/usherd", "/daemon/broker/usher-broker"}};
static const struct tree installed_tree = {{"/" USHER_BINDIR_BELOW "/usher",
	"/" USHER_SBINDIR_BELOW "/usherd", "/" USHER_LIBEXECDIR_BELOW "/usher-broker"}};

/* The root of the tree that the running program lies in, allocated, or NULL. */
static char *root_of(const struct tree *tree)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (length < 0) {
		return NULL;
	}
	path[length] = '\0';
	for (size_t i = 0; i < array_length(tree->programs); i++) {
		size_t tail = strlen(tree->programs[i]);
		if ((size_t)length > tail && strcmp(path + length - tail, tree->programs[i]) == 0) {
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

/* Of an installed tree, wherever it has been moved; what it lacks is where it was configured. */
static char *installed_path(const char *below, const char *configured)
{
	cleanup_free char *root = root_of(&installed_tree);
	cleanup_free char *path = root ? join(root, below) : NULL;

	return path && access(path, F_OK) == 0 ? steal_pointer(&path) : strdup(configured);
}

char *install_broker_path(void)
{
	cleanup_free char *root = root_of(&build_tree);
	cleanup_free char *path = root ? join(root, "/daemon/broker/usher-broker") : NULL;

	if (path && access(path, X_OK) == 0) {
		return steal_pointer(&path);
	}
	free(path);
	path = installed_path(
		"/" USHER_LIBEXECDIR_BELOW "/usher-broker", USHER_LIBEXECDIR "/usher-broker");
	return path && access(path, X_OK) == 0 ? steal_pointer(&path) : NULL;
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
	cleanup_free char *root = root_of(&build_tree);

	return root ? join(root, "/conf/policies")
		    : installed_path("/" USHER_POLICYDIR_BELOW, USHER_POLICYDIR);
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

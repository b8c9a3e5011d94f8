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

static int copy(const char *text, char **copyp)
{
	*copyp = strdup(text);
	return *copyp ? 0 : -ENOMEM;
}

static int join(const char *directory, const char *rest, char **pathp)
{
	if (asprintf(pathp, "%s%s", directory, rest) < 0) {
		*pathp = NULL;
		return -ENOMEM;
	}
	return 0;
}

/* What lies in the tree of the running program; -ENOENT: it is in none. */
static int path_in(const struct tree *tree, const char *below, char **pathp)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (length < 0) {
		return -ENOENT;
	}
	path[length] = '\0';
	for (size_t i = 0; i < array_length(tree->programs); i++) {
		size_t tail = strlen(tree->programs[i]);
		if ((size_t)length > tail && strcmp(path + length - tail, tree->programs[i]) == 0) {
			path[(size_t)length - tail] = '\0';
			return join(path, below, pathp);
		}
	}
	return -ENOENT;
}

/* Of an installed tree, wherever it has been moved; what it lacks is where it was configured. */
static int installed_path(const char *below, const char *configured, char **pathp)
{
	cleanup_free char *path = NULL;
	int result = path_in(&installed_tree, below, &path);

	if (result == 0 && access(path, F_OK) == 0) {
		*pathp = steal_pointer(&path);
		return 0;
	}
	return result == -ENOMEM ? result : copy(configured, pathp);
}

/* Of a program that others start: where it is in a build tree, in an installed one, and else. */
static char *helper_path(const char *built_below, const char *below, const char *configured)
{
	cleanup_free char *built = NULL;
	cleanup_free char *path = NULL;

	if (path_in(&build_tree, built_below, &built) == 0 && access(built, X_OK) == 0) {
		return steal_pointer(&built);
	}
	if (installed_path(below, configured, &path) < 0) {
		return NULL;
	}
	return access(path, X_OK) == 0 ? steal_pointer(&path) : NULL;
}

char *install_broker_path(void)
{
	return helper_path("/daemon/broker/usher-broker",
		"/" USHER_LIBEXECDIR_BELOW "/usher-broker", USHER_LIBEXECDIR "/usher-broker");
}

char *install_top_path(void)
{
	return helper_path("/client/usher-top", "/" USHER_LIBEXECDIR_BELOW "/usher-top",
		USHER_LIBEXECDIR "/usher-top");
}

/* -ENOENT: nothing says where. */
static int user_policy_directory(char **pathp)
{
	const char *config = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");

	if (config && config[0] == '/') {
		return join(config, "/usher/policies", pathp);
	}
	return home && home[0] == '/' ? join(home, "/.config/usher/policies", pathp) : -ENOENT;
}

static int shipped_policy_directory(char **pathp)
{
	int result = path_in(&build_tree, "/conf/policies", pathp);

	return result == 0 || result == -ENOMEM
		       ? result
		       : installed_path("/" USHER_POLICYDIR_BELOW, USHER_POLICYDIR, pathp);
}

char **install_policy_directories(enum install_policy_scope scope)
{
	char **directories = calloc(4, sizeof(*directories));
	size_t count = 0;
	int result = 0;

	if (!directories) {
		return NULL;
	}
	if (scope == INSTALL_POLICIES_OF_USER) {
		result = user_policy_directory(&directories[count]);
		count += result == 0;
	}
	if (result != -ENOMEM) {
		result = copy(USHER_SYSCONFDIR "/policies", &directories[count++]);
	}
	if (result != -ENOMEM) {
		result = shipped_policy_directory(&directories[count]);
	}
	if (result == -ENOMEM) {
		install_free_directories(directories);
		return NULL;
	}
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

	char *path = NULL;

	if (index == 0 && has_user_socket) {
		return join(runtime, "/usher/usherd.sock", &path) == 0 ? path : NULL;
	}
	return index == (has_user_socket ? 1u : 0u) ? strdup("/run/usher/usherd.sock") : NULL;
}

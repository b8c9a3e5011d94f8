/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/install.h"
#include "daemon/config_keys.h"
#include "daemon/policy/report.h"
#include "daemon/policy/texts.h"
#include "paths.h"

#define FILE_SIZE_MAX (1024 * 1024)
/* A daemon that serves others takes no orders from them. */
static bool is_trusted(const struct stat *status)
{
	return (status->st_uid == 0 || status->st_uid == geteuid()) &&
	       (status->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static int read_whole(int fd, size_t size, char *text)
{
	for (size_t done = 0; done < size;) {
		ssize_t length = read(fd, text + done, size - done);
		if (length <= 0) {
			return length < 0 ? -errno : -EIO;
		}
		done += (size_t)length;
	}
	return 0;
}

static int complain(struct policy_report *report, const char *file, const char *text, int error)
{
	report_add(report, POLICY_ERROR, file, 0, 0, "%s", text);
	return error;
}

static int read_file(
	struct config *config, const char *file, bool may_be_missing, struct policy_report *report)
{
	cleanup_fd int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat status;

	if (fd < 0 && errno == ENOENT && may_be_missing) {
		return 0;
	}
	if (fd < 0 || fstat(fd, &status) < 0) {
		return complain(report, file, strerror(errno), -errno);
	}
	if (!S_ISREG(status.st_mode) || status.st_size > FILE_SIZE_MAX) {
		return complain(report, file,
			"not a configuration: not a regular file, or above 1 MiB", -EINVAL);
	}
	if (geteuid() == 0 && !is_trusted(&status)) {
		return complain(report, file,
			"others than its owner and root can write it; chown root, chmod go-w",
			-EPERM);
	}
	size_t size = (size_t)status.st_size;
	cleanup_free char *text = malloc(size + 1);
	config->file = strdup(file);
	if (!text || !config->file) {
		return -ENOMEM;
	}
	int result = read_whole(fd, size, text);
	if (result < 0) {
		return complain(report, file, strerror(-result), result);
	}
	return config_read(config, file, text, size, report);
}

/* What holds where the file is silent. */
static int fill_defaults(struct config *config)
{
	*config = (struct config){.references = 1,
		.socket_mode = geteuid() == 0 ? 0666 : 0600,
		.socket_group = (gid_t)-1,
		.metrics_mode = 0600,
		.metrics_group = (gid_t)-1,
		.audit = true,
		.sessions = {.per_user = 64, .total = 1024},
		.clients = {.per_user = 16, .total = 128},
		.handshake_seconds = 10};
	if (geteuid() == 0) {
		config->socket = strdup("/run/usher/usherd.sock");
		return config->socket ? 0 : -ENOMEM;
	}
	if (getenv("XDG_RUNTIME_DIR")) {
		config->socket = install_socket_path(0);
	}
	return 0;
}

static int fill_directories(struct config *config)
{
	if (config->policies) {
		return 0;
	}
	config->policies = install_policy_directories(
		geteuid() == 0 ? INSTALL_POLICIES_OF_SYSTEM : INSTALL_POLICIES_OF_USER);
	while (config->policies && config->policies[config->policy_count]) {
		config->policy_count++;
	}
	return config->policies ? 0 : -ENOMEM;
}

static char *default_file(void)
{
	const char *base = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");
	char *path = NULL;
	int length = -1;

	if (geteuid() == 0) {
		return strdup(USHER_SYSCONFDIR "/usherd.ini");
	}
	if (base && base[0] == '/') {
		length = asprintf(&path, "%s/usher/usherd.ini", base);
	} else if (home && home[0] == '/') {
		length = asprintf(&path, "%s/.config/usher/usherd.ini", home);
	} else {
		return strdup(USHER_SYSCONFDIR "/usherd.ini");
	}
	return length < 0 ? NULL : path;
}

static int fill(
	struct config *config, const char *file, bool may_be_missing, struct policy_report *report)
{
	int result = fill_defaults(config);

	if (result == 0) {
		result = read_file(config, file, may_be_missing, report);
	}
	if (result == 0) {
		result = fill_directories(config);
	}
	return result == 0 && report->error_count > 0 ? -EINVAL : result;
}

int config_load(struct config **configp, const char *file, struct policy_report *report)
{
	cleanup_free char *path = file ? strdup(file) : default_file();
	struct config *config = calloc(1, sizeof(*config));

	if (!path || !config) {
		free(config);
		return -ENOMEM;
	}
	int result = fill(config, path, !file, report);
	if (result < 0) {
		config_unref(config);
		return result;
	}
	*configp = config;
	return 0;
}

int config_load_policies(struct config *config, unsigned int flags, struct policy_report *report)
{
	return policy_texts_load(&config->texts, (const char *const *)config->policies,
		flags | (geteuid() == 0 ? POLICY_TEXTS_TRUSTED : 0u), report);
}

int config_load_closed(struct config **configp)
{
	struct config *config = calloc(1, sizeof(*config));
	int result = config ? fill_defaults(config) : -ENOMEM;

	if (result == 0) {
		result = fill_directories(config);
	}
	if (result < 0) {
		config_unref(config);
		return result;
	}
	config->is_closed = true;
	*configp = config;
	return 0;
}

struct config *config_ref(struct config *config)
{
	config->references++;
	return config;
}

static void free_strings(char **strings, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(strings[i]);
	}
	free(strings);
}

void config_unref(struct config *config)
{
	if (!config || --config->references > 0) {
		return;
	}
	for (size_t i = 0; i < config->grant_count; i++) {
		struct grant *grant = &config->grants[i];
		free(grant->name);
		free(grant->users);
		free(grant->groups);
		free_strings(grant->policies, grant->policy_count);
	}
	policy_texts_free(config->texts);
	free(config->grants);
	free_strings(config->policies, config->policy_count);
	free(config->file);
	free(config->socket);
	free(config->metrics);
	free(config);
}

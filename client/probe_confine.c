/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes of what the broker confines itself and others with: Landlock, and namespaces.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client/network.h"
#include "client/probe.h"
#include "daemon/base/cleanup.h"

#define LANDLOCK_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define DISCARD       9

/* Confines us to reading /proc. 0 or a negative errno. */
static int confine_to_proc(void)
{
	/* The first field alone, which every version has: the headers' structure has grown. */
	struct landlock_ruleset_attr attributes = {.handled_access_fs = LANDLOCK_READ};
	cleanup_fd int ruleset = (int)syscall(
		SYS_landlock_create_ruleset, &attributes, sizeof(attributes.handled_access_fs), 0);
	cleanup_fd int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct landlock_path_beneath_attr beneath = {
		.allowed_access = LANDLOCK_READ, .parent_fd = proc};

	if (ruleset < 0 || proc < 0 ||
		syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) <
			0 ||
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		syscall(SYS_landlock_restrict_self, ruleset, 0) < 0) {
		return -errno;
	}
	return 0;
}

void probe_landlock(struct probe_result *result)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (abi < 0) {
		probe_report(result, PROBE_MISSING, "landlock_create_ruleset: %s", strerror(errno));
		return;
	}
	int error = confine_to_proc();
	if (error < 0) {
		probe_report(result, PROBE_MISSING, "landlock_restrict_self: %s", strerror(-error));
		return;
	}
	cleanup_fd int outside = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (outside >= 0 || errno != EACCES) {
		probe_report(result, PROBE_MISSING, "what no rule allows can be opened");
		return;
	}
	cleanup_fd int inside = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	if (inside < 0) {
		probe_report(result, PROBE_MISSING, "what a rule allows cannot be opened: %s",
			strerror(errno));
		return;
	}
	probe_report(result, PROBE_OK, "version %ld, and it denies what no rule allows", abi);
}

static bool write_text(const char *path, const char *text)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* Enters a user namespace and those of `flags`, as its root. 0 or a negative errno. */
static int enter_namespaces(int flags)
{
	char map[64];

	snprintf(map, sizeof(map), "0 %u 1", geteuid());
	if (unshare(CLONE_NEWUSER) < 0) {
		return -errno;
	}
	if (!write_text("/proc/self/setgroups", "deny") || !write_text("/proc/self/uid_map", map)) {
		return -errno;
	}
	return unshare(flags) < 0 ? -errno : 0;
}

void probe_user_namespace(struct probe_result *result)
{
	int error = enter_namespaces(CLONE_NEWNS);

	if (error < 0) {
		probe_report(result, PROBE_MISSING, "entering one: %s", strerror(-error));
		return;
	}
	probe_report(result, PROBE_OK, "one can be entered, and a mount namespace in it");
}

/* 0 or a negative errno of a datagram socket's connect to `host`. */
static int reach(int fd, in_addr_t host)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(DISCARD), .sin_addr.s_addr = htonl(host)};

	return connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

/* Which network namespace we are in; 0 if that cannot be told. */
static ino_t own_network(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) < 0 ? 0 : st.st_ino;
}

/* The very way in which `usher run --net` goes. */
void probe_network_namespace(struct probe_result *result)
{
	ino_t outside = own_network();
	int error = network_enter(false);

	if (error < 0) {
		probe_report(result, PROBE_MISSING, "entering one: %s", strerror(-error));
		return;
	}
	if (outside == 0 || own_network() == outside) {
		probe_report(result, PROBE_MISSING, "the network is still the one outside");
		return;
	}
	cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	error = fd < 0 ? -errno : reach(fd, INADDR_LOOPBACK);
	if (error < 0) {
		probe_report(result, PROBE_LIMITED, "its loopback cannot be reached: %s",
			strerror(-error));
		return;
	}
	probe_report(result, PROBE_OK, "one can be entered, with nothing in it but its loopback");
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/peer.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

/* A file of the peer's /proc directory, opened, or NULL. */
static FILE *open_proc(const struct peer *peer, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", peer->pid, name);
	return fopen(path, "re");
}

/* The target of a link in the peer's /proc directory, or -1. `target` holds PATH_MAX bytes. */
static ssize_t read_proc_link(const struct peer *peer, const char *name, char *target)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", peer->pid, name);
	ssize_t length = readlink(path, target, PATH_MAX - 1);
	if (length >= 0) {
		target[length] = '\0';
	}
	return length;
}

bool peer_is_running(const struct peer *peer)
{
	struct pollfd pollfd = {.fd = peer->pidfd, .events = POLLIN};

	return peer->pidfd >= 0 && poll(&pollfd, 1, 0) == 0;
}

/* When the process of this number started, in ticks since the machine did; 0: there is none. */
static uint64_t start_time(const struct peer *peer)
{
	cleanup_file FILE *file = open_proc(peer, "stat");
	char line[1024];
	uint64_t ticks = 0;

	/* The name may hold anything, blanks and brackets too, but it ends at the last bracket. */
	const char *rest = file && fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	for (int field = 2; rest && field < 22; field++) {
		rest = strchr(rest + 1, ' ');
	}
	return rest && sscanf(rest, "%" SCNu64, &ticks) == 1 ? ticks : 0;
}

void peer_find_again(struct peer *peer)
{
	peer->pidfd = (int)syscall(SYS_pidfd_open, peer->pid, 0);
	if (peer->pidfd >= 0 && (start_time(peer) != peer->started || !peer_is_running(peer))) {
		close_fd(&peer->pidfd);
	}
}

bool peer_is_same(const struct peer *a, const struct peer *b)
{
	return a->pid == b->pid && a->started == b->started && a->uid == b->uid &&
	       peer_is_running(a) && peer_is_running(b);
}

static int take_pidfd(struct peer *peer, int socket)
{
	socklen_t length = sizeof(peer->pidfd);

	if (getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &peer->pidfd, &length) == 0) {
		return 0;
	}
	/* Older kernels. The number may have been given away since connect(2): that its owner still
	 * has the ids of the connection is checked by take_status. */
	peer->pidfd = (int)syscall(SYS_pidfd_open, peer->pid, 0);
	return peer->pidfd < 0 ? -errno : 0;
}

static int take_groups(struct peer *peer, int socket)
{
	socklen_t length = 0;

	if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, NULL, &length) == 0) {
		return 0; /* none */
	}
	if (errno != ERANGE) {
		return -errno;
	}
	peer->groups = malloc(length);
	if (!peer->groups) {
		return -ENOMEM;
	}
	if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, peer->groups, &length) < 0) {
		return -errno;
	}
	peer->group_count = length / sizeof(*peer->groups);
	return 0;
}

/* Real, effective, saved and file system id, as /proc/PID/status lists them. */
struct ids {
	unsigned int id[4];
};

static bool ids_are_all(const struct ids *ids, unsigned int id)
{
	return ids->id[0] == id && ids->id[1] == id && ids->id[2] == id && ids->id[3] == id;
}

/* `kind` is a name of namespaces(7) in /proc/PID/ns. One that we may not look at is not ours. */
static bool shares_namespace(const struct peer *peer, const char *kind)
{
	char path[64], entry[32], theirs[PATH_MAX], ours[PATH_MAX];

	snprintf(entry, sizeof(entry), "ns/%s", kind);
	snprintf(path, sizeof(path), "/proc/self/%s", entry);
	ssize_t length = readlink(path, ours, sizeof(ours));
	ssize_t their_length = read_proc_link(peer, entry, theirs);

	return length >= 0 && their_length == length && memcmp(theirs, ours, (size_t)length) == 0;
}

bool peer_is_in_our_network(const struct peer *peer)
{
	return shares_namespace(peer, "net") && peer_is_running(peer);
}

static int take_status(struct peer *peer)
{
	cleanup_file FILE *file = open_proc(peer, "status");
	struct ids uids = {0}, gids = {0};
	char line[256];
	int found = 0;

	while (file && fgets(line, sizeof(line), file)) {
		found += sscanf(line, "Uid: %u %u %u %u", &uids.id[0], &uids.id[1], &uids.id[2],
				 &uids.id[3]) == 4;
		found += sscanf(line, "Gid: %u %u %u %u", &gids.id[0], &gids.id[1], &gids.id[2],
				 &gids.id[3]) == 4;
		found += sscanf(line, "CapPrm: %" SCNx64, &peer->capabilities) == 1;
	}
	peer->started = start_time(peer);
	if (found != 3 || !peer_is_running(peer)) {
		return -ESRCH;
	}
	if (uids.id[1] != peer->uid || gids.id[1] != peer->gid) {
		return -EPERM;
	}
	peer->ids_can_vary = peer->capabilities != 0 || peer->uid == 0 ||
			     !ids_are_all(&uids, peer->uid) || !ids_are_all(&gids, peer->gid);
	if (!shares_namespace(peer, "user")) {
		peer->capabilities = 0;
	}
	return 0;
}

int peer_init_ids(struct peer *peer, int socket)
{
	struct ucred credentials;
	socklen_t length = sizeof(credentials);

	*peer = (struct peer){.pidfd = -1};
	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0) {
		return -errno;
	}
	peer->pid = credentials.pid;
	peer->uid = credentials.uid;
	peer->gid = credentials.gid;
	int result = take_groups(peer, socket);
	if (result < 0) {
		peer_finish(peer);
	}
	return result;
}

int peer_init(struct peer *peer, int socket)
{
	int result = peer_init_ids(peer, socket);

	if (result < 0) {
		return result;
	}
	/* A pid of 0: it lives in a pid namespace that is not below ours. */
	result = peer->pid > 0 ? take_pidfd(peer, socket) : -ESRCH;
	if (result == 0) {
		result = take_status(peer);
	}
	if (result < 0) {
		peer_finish(peer);
	}
	return result;
}

int peer_init_self(struct peer *peer)
{
	int count = getgroups(0, NULL);

	*peer = (struct peer){.pid = getpid(), .pidfd = -1, .uid = geteuid(), .gid = getegid()};
	if (count < 0) {
		return -errno;
	}
	peer->groups = calloc((size_t)count + 1, sizeof(*peer->groups));
	if (!peer->groups) {
		return -ENOMEM;
	}
	peer->group_count = (size_t)count;
	if (getgroups(count, peer->groups) != count) {
		int error = errno;
		peer_finish(peer);
		return -error;
	}
	return 0;
}

void peer_finish(struct peer *peer)
{
	close_fd(&peer->pidfd);
	free(peer->groups);
	peer->groups = NULL;
	peer->group_count = 0;
}

bool peer_has_group(const struct peer *peer, gid_t gid)
{
	for (size_t i = 0; i < peer->group_count; i++) {
		if (peer->groups[i] == gid) {
			return true;
		}
	}
	return peer->gid == gid;
}

static bool is_deleted(const struct peer *peer)
{
	struct stat status;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/cwd", peer->pid);
	return stat(path, &status) < 0 || status.st_nlink == 0;
}

char *peer_working_directory(const struct peer *peer)
{
	char directory[PATH_MAX], root[PATH_MAX];

	if (read_proc_link(peer, "cwd", directory) < 0 || read_proc_link(peer, "root", root) < 0 ||
		is_deleted(peer) || !peer_is_running(peer) || directory[0] != '/') {
		return NULL;
	}
	size_t root_length = strcmp(root, "/") == 0 ? 0 : strlen(root);
	const char *inside = directory + root_length;
	if (strncmp(directory, root, root_length) != 0 || (*inside != '/' && *inside != '\0')) {
		return NULL;
	}
	return strdup(*inside ? inside : "/");
}

/* True if /proc/PID/task/TASK is the thread that its own pid namespace calls `tid`. */
static bool thread_is_known_as(const struct peer *peer, pid_t task, pid_t tid)
{
	char name[48], line[256];

	snprintf(name, sizeof(name), "task/%d/status", task);
	cleanup_file FILE *file = open_proc(peer, name);
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "NSpid:", strlen("NSpid:")) == 0) {
			const char *innermost = strrchr(line, '\t');
			return innermost && strtol(innermost, NULL, 10) == tid;
		}
	}
	return false;
}

pid_t peer_thread(const struct peer *peer, pid_t tid)
{
	char path[64];
	pid_t found = -ESRCH;

	if (tid > 0 && thread_is_known_as(peer, tid, tid)) {
		return peer_is_running(peer) ? tid : -ESRCH;
	}
	snprintf(path, sizeof(path), "/proc/%d/task", peer->pid);
	DIR *tasks = opendir(path);
	for (struct dirent *entry; tasks && found < 0 && (entry = readdir(tasks));) {
		pid_t task = (pid_t)strtol(entry->d_name, NULL, 10);
		if (task > 0 && thread_is_known_as(peer, task, tid)) {
			found = task;
		}
	}
	if (tasks) {
		closedir(tasks);
	}
	return peer_is_running(peer) ? found : -ESRCH;
}

char *peer_become(const struct peer *peer)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out) {
		return NULL;
	}
	fprintf(out, "%u:%u:", peer->uid, peer->gid);
	for (size_t i = 0; i < peer->group_count; i++) {
		fprintf(out, "%s%u", i > 0 ? "," : "", peer->groups[i]);
	}
	fprintf(out, ":%" PRIx64, peer->capabilities);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

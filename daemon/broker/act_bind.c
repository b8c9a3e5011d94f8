/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Binds the very socket. An address of the internet is bound as it was decided on, with the rights
 * of the calling thread: a low port is the kernel's to refuse.
 *
 * The path of a unix socket is two things at once: where a file is made, and the text that
 * getsockname(2), and the peers that a datagram reaches, see as its address. The file has to be
 * made in the directory that was decided on; the text has to be the target's. Both are had
 *   - for a name without a slash, from within that directory;
 *   - else, where it makes no difference to the policy where below that directory it comes to lie,
 *     by the target's own path under a Landlock domain that lets a socket be made there only.
 * Otherwise the file is right and the text is its last component. All of it happens in a thread
 * that ends with it, since directory, umask and domain are the thread's.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/act.h"
#include "daemon/broker/bound.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/creation_mask.h"
#include "daemon/broker/notify.h"
#include "daemon/broker/pin.h"
#include "daemon/broker/recover.h"
#include "daemon/broker/request.h"
#include "daemon/broker/target.h"

#define PATH_OFFSET offsetof(struct sockaddr_un, sun_path)

struct path_binding {
	const struct broker *broker;
	const struct request *request;
	struct entry entry;
	mode_t umask;
	int result;
};

static int bind_errno(int socket, const void *name, socklen_t length)
{
	return bind(socket, name, length) < 0 ? -errno : 0;
}

/* From now on this thread makes sockets below `directory` only. */
static int confine_to(int directory)
{
	const struct landlock_ruleset_attr attributes = {
		.handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_SOCK};
	const struct landlock_path_beneath_attr rule = {
		.allowed_access = LANDLOCK_ACCESS_FS_MAKE_SOCK, .parent_fd = directory};
	cleanup_fd int ruleset = (int)syscall(
		SYS_landlock_create_ruleset, &attributes, sizeof(attributes.handled_access_fs), 0);

	if (ruleset < 0 ||
		syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0 ||
		syscall(SYS_landlock_restrict_self, ruleset, 0) < 0) {
		return -errno;
	}
	return 0;
}

static bool has_no_directory(const struct request *request)
{
	return !strchr(request->address.name.bytes + PATH_OFFSET, '/');
}

static bool is_same_place(const struct statx *a, const struct statx *b)
{
	return a->stx_ino == b->stx_ino && a->stx_dev_major == b->stx_dev_major &&
	       a->stx_dev_minor == b->stx_dev_minor && a->stx_mnt_id == b->stx_mnt_id;
}

/* Do its absolute names begin where ours do? */
static bool has_our_root(const struct path_binding *binding)
{
	const unsigned int mask = STATX_INO | STATX_MNT_ID;
	int root = binding->request->place.root;
	struct statx theirs, ours;

	if (root < 0) {
		return !binding->broker->root_name[0];
	}
	return statx(root, "", AT_EMPTY_PATH, mask, &theirs) == 0 &&
	       statx(AT_FDCWD, "/", 0, mask, &ours) == 0 && (ours.stx_mask & STATX_MNT_ID) &&
	       is_same_place(&theirs, &ours);
}

/* May the kernel walk the target's own path, from our root? */
static bool may_walk(const struct path_binding *binding)
{
	const struct place *place = &binding->request->place;
	char directory[NAME_ROOM];
	const char *last = strrchr(place->path, '/');
	size_t length = last ? (size_t)(last - place->path) : 0;

	memcpy(directory, place->path, length);
	memcpy(directory + length, length ? "" : "/", length ? 1 : 2);
	return last && has_our_root(binding) &&
	       policy_is_uniform_below(binding->broker->policy, directory) &&
	       (place->start < 0 || fchdir(place->start) == 0) &&
	       confine_to(binding->entry.directory) == 0;
}

/* The last component as its address: in the directory, and nowhere else. */
static int bind_last(const struct path_binding *binding)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(binding->entry.name);

	if (length >= sizeof(address.sun_path)) {
		return -EINVAL;
	}
	memcpy(address.sun_path, binding->entry.name, length);
	return bind_errno(
		binding->request->address.socket, &address, (socklen_t)(PATH_OFFSET + length + 1));
}

static int bind_path_here(const struct path_binding *binding)
{
	const struct address_request *address = &binding->request->address;

	/* The thread's own from now on. */
	if (unshare(CLONE_FS) < 0) {
		return -errno;
	}
	umask(binding->umask);
	bool is_plain = has_no_directory(binding->request);
	/* A path that leads us elsewhere (/proc/self, a link changed by now) fails here. */
	if (!is_plain && may_walk(binding) &&
		bind_errno(address->socket, &address->name, address->length) == 0) {
		return 0;
	}
	if (fchdir(binding->entry.directory) < 0) {
		return -errno;
	}
	return is_plain ? bind_errno(address->socket, &address->name, address->length)
			: bind_last(binding);
}

static void *bind_path_thread(void *argument)
{
	struct path_binding *binding = argument;

	binding->result = bind_path_here(binding);
	return NULL;
}

static int bind_path(const struct broker *broker, struct request *request)
{
	struct path_binding binding = {.broker = broker, .request = request, .entry.directory = -1};
	pthread_t thread;
	int error = -request->place.error;

	if (error == 0) {
		error = pin_entry(&request->place, &binding.entry);
	}
	if (error == 0) {
		error = creation_mask_of(broker, request->tid, &binding.umask);
	}
	if (error == 0) {
		error = -pthread_create(&thread, NULL, bind_path_thread, &binding);
	}
	if (error == 0) {
		pthread_join(thread, NULL);
		error = binding.result;
	}
	pin_release_entry(&binding.entry);
	return error;
}

/* A broker died after it had begun: is the socket bound, to the address or to one like it? */
static bool was_done(const struct request *request, int error)
{
	union {
		struct sockaddr any;
		struct sockaddr_in internet;
		struct sockaddr_storage storage;
	} name = {.storage = {0}};
	socklen_t length = sizeof(name);

	if ((error != -EINVAL && error != -EADDRINUSE) ||
		getsockname(request->address.socket, &name.any, &length) < 0) {
		return false;
	}
	/* Of both families of the internet the port stands in the same place. */
	return name.any.sa_family == AF_UNIX ? length > PATH_OFFSET : name.internet.sin_port != 0;
}

enum act_outcome act_bind(
	const struct broker *broker, struct worker *worker, struct request *request)
{
	const struct address_request *address = &request->address;

	(void)worker;
	if (!notify_is_pending(broker->listener, request->id)) {
		return ACT_GONE;
	}
	recover_note(request);
	request->result = address->endpoint.kind == ENDPOINT_UNIX_PATH && !address->is_redirected
				  ? bind_path(broker, request)
				  : bind_errno(address->socket, &address->name, address->length);
	if (recover_is_repeated(request) && was_done(request, request->result)) {
		request->result = 0;
	}
	if (request->result == 0 && address->domain != AF_UNIX) {
		bound_note(address->socket);
	}
	return ACT_DONE;
}

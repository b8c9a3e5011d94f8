/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/start.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/fdpass.h"
#include "daemon/base/given_up.h"
#include "daemon/base/session_memory.h"
#include "daemon/base/wire.h"
#include "daemon/broker/audit.h"
#include "daemon/broker/confine.h"
#include "daemon/broker/core_file.h"
#include "daemon/broker/creation_mask.h"
#include "daemon/broker/detached.h"
#include "daemon/broker/epoll_carry.h"
#include "daemon/broker/members.h"
#include "daemon/broker/mounts.h"
#include "daemon/broker/names.h"
#include "daemon/broker/notify.h"
#include "daemon/broker/outside.h"
#include "daemon/broker/procfs_number.h"
#include "daemon/broker/seen.h"
#include "daemon/broker/target.h"

#define PROBE_TIMEOUT_MS 10000
#define DESCRIPTORS_MIN  32u

enum start_fd { START_FD_LISTENER, START_FD_MEMORY, START_FD_SNAPSHOT, START_FD_OTHERS };

__attribute__((format(printf, 3, 4))) static int fail(
	struct start_failure *failure, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(failure->text, sizeof(failure->text), format, arguments);
	va_end(arguments);
	return error;
}

static bool protects_symlinks(void)
{
	char value = '1'; /* if it cannot be read: the stricter */
	cleanup_fd int fd = open("/proc/sys/fs/protected_symlinks", O_RDONLY | O_CLOEXEC);

	return fd < 0 || read(fd, &value, 1) != 1 || value != '0';
}

/* The session's root is that of its first thread; where it is not ours, names are told from there.
 */
static int find_root(struct broker *broker, pid_t tid)
{
	struct statx ours, theirs;
	char name[PATH_MAX];

	broker->root_name = strdup("");
	cleanup_fd int own = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* Where the first thread stands when a broker has died, it may have gone since. */
	if (broker->root_name && own >= 0 && broker_knows(broker, SESSION_ROOT_IS_OURS)) {
		broker->root = steal_fd(&own);
		return 0;
	}
	cleanup_fd int root = target_open_root(tid);
	if (!broker->root_name || own < 0 || root < 0) {
		return own < 0 ? -errno : root < 0 ? root : -ENOMEM;
	}
	if (statx(own, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &ours) < 0 ||
		statx(root, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &theirs) < 0) {
		return -errno;
	}
	if (ours.stx_ino == theirs.stx_ino && ours.stx_mnt_id == theirs.stx_mnt_id) {
		broker->root = steal_fd(&own);
		atomic_fetch_or(&broker->memory->facts, SESSION_ROOT_IS_OURS);
		return 0;
	}
	atomic_fetch_or(&broker->memory->facts, SESSION_ROOTS_VARY);
	broker->is_elsewhere = true;
	int error = name_of_fd(broker, root, name, sizeof(name));
	if (error < 0) {
		return error;
	}
	broker->root = steal_fd(&root);
	if (strcmp(name, "/") != 0) {
		free(broker->root_name);
		broker->root_name = strdup(name);
	}
	return broker->root_name ? 0 : -ENOMEM;
}

/* Later on the first process may have less than others. */
static void note_what_is_hidden(const struct broker *broker, const struct identity *theirs)
{
	if (!broker_knows(broker, SESSION_READY) && !policy_names_hosts(broker->policy) &&
		(broker->identity.permitted & GIVEN_UP_FOR_PROC) != 0 &&
		(theirs->permitted & GIVEN_UP_FOR_PROC) == 0) {
		atomic_fetch_or(&broker->memory->facts, SESSION_HIDES_PROC);
	}
}

/* What a session gave up when it began: without new privileges no target of it gets that back. */
static uint64_t lost_capabilities(const struct broker *broker)
{
	uint64_t sight = broker_knows(broker, SESSION_HIDES_PROC) ? GIVEN_UP_FOR_PROC : 0;
	bool has_own_network = policy_network(broker->policy) != WIRE_NETWORK_HOST;

	return sight | (has_own_network ? GIVEN_UP_FOR_NETWORK : 0);
}

int start_give_up(const struct broker *broker)
{
	uint64_t lost = lost_capabilities(broker);

	return lost ? confine_capabilities(lost) : 0;
}

/*
 * Where ids differ from the first moment, every call is to be looked at. Ours are as they will be
 * after start_give_up().
 */
static int compare_identities(struct broker *broker, pid_t tid)
{
	struct identity *theirs = calloc(1, sizeof(*theirs));
	int error = theirs ? identity_read(theirs, tid) : -ENOMEM;

	if (error == 0) {
		note_what_is_hidden(broker, theirs);
		uint64_t lost = lost_capabilities(broker);
		broker->identity.permitted &= ~lost;
		broker->identity.capabilities &= ~lost;
	}
	if (error == 0 && !identity_is_same(theirs, &broker->identity)) {
		atomic_fetch_or(&broker->memory->facts, SESSION_IDS_VARY);
	}
	free(theirs);
	return error;
}

static int know_network(struct broker *broker, struct start_failure *failure)
{
	int error = policy_network(broker->policy) == WIRE_NETWORK_BROKER
			    ? outside_new(&broker->outside)
			    : 0;

	broker->epolls = epoll_memory_new();
	error = broker->epolls ? error : -ENOMEM;
	return error == 0 ? 0
			  : fail(failure, error, "the broker has no sockets to lend: %s",
				    strerror(-error));
}

/* Consumes what it uses of `fds`. */
static int take_descriptors(struct broker *broker, const struct wire_start *start, int *fds,
	int control, struct start_failure *failure)
{
	size_t next = START_FD_OTHERS;
	struct audit_outputs outputs = {
		.log = start->flags & WIRE_START_LOG ? steal_fd(&fds[next++]) : -1,
		.verbose = start->flags & WIRE_START_VERBOSE ? steal_fd(&fds[next++]) : -1,
		.supervisor = control};
	int error = session_memory_map(fds[START_FD_MEMORY], &broker->memory);

	if (error == 0) {
		broker->memory_fd = steal_fd(&fds[START_FD_MEMORY]);
		error = session_memory_lock(broker->memory_fd);
	}
	if (error == -EBUSY) {
		return fail(failure, error, "another broker serves this session");
	}
	if (error == -EPROTONOSUPPORT) {
		return fail(failure, error,
			"the broker is of another release than what has begun this session");
	}
	if (error == 0) {
		error = audit_new(&broker->audit, broker->memory, &outputs);
	}
	if (error < 0) {
		return fail(failure, error, "the broker cannot use the session's memory: %s",
			strerror(-error));
	}
	error = policy_from_snapshot(&broker->policy, fds[START_FD_SNAPSHOT]);
	if (error < 0) {
		return fail(failure, error, "the broker cannot read the policy's snapshot: %s",
			strerror(-error));
	}
	close_fd(&fds[START_FD_SNAPSHOT]); /* sealed, so it is memory: nobody is waited for */
	for (; broker->given_count < start->given_count; broker->given_count++) {
		broker->given[broker->given_count] = steal_fd(&fds[next++]);
	}
	broker->listener = steal_fd(&fds[START_FD_LISTENER]);
	return know_network(broker, failure);
}

/*
 * The number that the first process had is another's, once that has ended. Of its threads the one
 * that loaded the filter may be younger, until it has called exec.
 */
static int know_first(struct broker *broker, pid_t tid)
{
	_Atomic uint64_t *known = &broker->memory->first_start;
	uint64_t start, none = 0;
	pid_t first = target_tgid(tid);
	int error = first > 0 ? target_start(first, &start) : -ESRCH;

	if (error < 0) {
		return error;
	}
	if (atomic_compare_exchange_strong(known, &none, start)) {
		atomic_store(&broker->memory->filters, target_filters(tid));
	}
	if (atomic_load(known) != start) {
		return -ESRCH;
	}
	broker->first = first;
	return 0;
}

/*
 * In a namespace of processes that has the /proc of another one still, each number there is that of
 * a process that is not meant.
 */
static bool proc_has_our_numbers(void)
{
	char text[16] = "";
	ssize_t length = readlink("/proc/self", text, sizeof(text) - 1);

	return length > 0 && strtol(text, NULL, 10) == getpid();
}

static int know_target(struct broker *broker, pid_t tid, struct start_failure *failure)
{
	broker->protects_symlinks = protects_symlinks();
	broker->proc_fds = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (broker->proc_fds < 0) {
		return fail(failure, -errno, "/proc is not mounted here; the broker needs it");
	}
	if (!proc_has_our_numbers()) {
		return fail(failure, -ENXIO,
			"/proc is that of another process namespace than the one that we are in; "
			"mount this one's there (unshare --mount-proc)");
	}
	int error = identity_read(&broker->identity, gettid());
	if (error == 0) {
		error = mounts_new(&broker->mounts);
	}
	if (error == 0) {
		error = members_new(&broker->members);
	}
	broker->seen = seen_new();
	broker->detached = detached_new();
	if (error == 0) {
		error = know_first(broker, tid);
	}
	if (error == 0) {
		creation_mask_note(broker, tid);
		broker->pid_levels = procfs_levels(tid);
		error = find_root(broker, tid);
	}
	if (error == 0) {
		error = compare_identities(broker, tid);
	}
	return error == 0
		       ? 0
		       : fail(failure, error,
				 "the broker may not look at the program's process in /proc: %s; "
				 "see 'usher doctor'",
				 strerror(-error));
}

/*
 * A successor may come when the session's first thread is gone. Then its own view is all there is,
 * and each target is looked at call by call.
 */
static int know_survivors(struct broker *broker, pid_t tid, int error)
{
	if (broker->proc_fds < 0) {
		return error;
	}
	atomic_fetch_or(&broker->memory->facts, SESSION_ROOTS_VARY | SESSION_IDS_VARY);
	if (broker->first <= 0) {
		broker->first = tid;
	}
	if (broker->pid_levels == 0) {
		broker->pid_levels = UINT_MAX; /* of no namespace it is known who made it */
	}
	if (broker->root < 0) {
		broker->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	if (!broker->root_name) {
		broker->root_name = strdup("");
	}
	return broker->root < 0 || !broker->root_name ? -ENOMEM : 0;
}

/* Fewer may do for a while, and leave calls without an answer that they would have natively. */
static int check_limit(struct start_failure *failure)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= DESCRIPTORS_MIN
		       ? 0
		       : fail(failure, -EMFILE,
				 "the broker may open %ju files and needs at least %u; raise the "
				 "limit (ulimit -H -n)",
				 (uintmax_t)limit.rlim_cur, DESCRIPTORS_MIN);
}

int start_receive(struct broker *broker, int control, bool *resumes, struct start_failure *failure)
{
	union {
		struct wire_start start;
		char room[WIRE_PACKET_MAX];
	} *packet = malloc(sizeof(*packet));
	cleanup_free void *owned = packet;
	int fds[FDPASS_MAX];
	size_t fd_count = 0;

	if (!packet) {
		return -ENOMEM;
	}
	ssize_t size = fdpass_receive(control, packet, sizeof(*packet), fds, &fd_count);
	if (size <= 0) {
		return fail(failure, size < 0 ? (int)size : -ECONNRESET,
			"no START from the supervisor");
	}
	int error = wire_check(WIRE_PHASE_START, packet, (size_t)size, fd_count);
	if (error < 0) {
		fdpass_close_all(fds, fd_count);
		return fail(failure, error,
			"usher-broker and its supervisor are of different versions");
	}
	*resumes = packet->start.flags & WIRE_START_RESUME;
	broker->session = packet->start.session;
	error = check_limit(failure);
	if (error == 0) {
		error = take_descriptors(broker, &packet->start, fds, control, failure);
	}
	fdpass_close_all(fds, fd_count);
	if (error < 0) {
		return error;
	}
	atomic_fetch_add(&broker->memory->counters.broker_starts, 1);
	broker->root = -1;
	error = know_target(broker, packet->start.tid, failure);
	return error < 0 && *resumes ? know_survivors(broker, packet->start.tid, error) : error;
}

static int wait_for_probe(const struct broker *broker, int control, struct start_failure *failure)
{
	struct pollfd polled[2] = {
		{.fd = broker->listener, .events = POLLIN}, {.fd = control, .events = POLLIN}};
	int ready;

	do {
		ready = poll(polled, 2, PROBE_TIMEOUT_MS);
	} while (ready < 0 && errno == EINTR);
	if (ready == 0) {
		return fail(failure, -ETIMEDOUT, "the probe call did not arrive within %d seconds",
			PROBE_TIMEOUT_MS / 1000);
	}
	return polled[0].revents & POLLIN
		       ? 0
		       : fail(failure, -ECONNRESET,
				 "the program's process ended during the hand-over");
}

static int check_memory(const struct seccomp_notif *notification, struct start_failure *failure)
{
	char text[sizeof(WIRE_PROBE_TEXT)] = "";
	int error = target_read((pid_t)notification->pid, notification->data.args[2], text,
		sizeof(WIRE_PROBE_TEXT));

	if (error == -EPERM || error == -EACCES) {
		return fail(failure, error,
			"the broker may not read the program's memory (%s): Yama's ptrace_scope, "
			"AppArmor or a missing CAP_SYS_PTRACE forbids it; see 'usher doctor'",
			strerror(-error));
	}
	if (error == 0 && memcmp(text, WIRE_PROBE_TEXT, sizeof(text)) != 0) {
		error = -EPROTO;
	}
	return error == 0 ? 0
			  : fail(failure, error, "reading the program's memory failed: %s",
				    strerror(-error));
}

/* Installs /dev/null in the program, unless a dead predecessor has, and notes its number. */
static int check_injection(
	const struct broker *broker, struct session_slot *slot, struct start_failure *failure)
{
	if (atomic_load(&slot->state) == SLOT_INSTALLED) {
		return 0;
	}
	cleanup_fd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0) {
		return fail(
			failure, -errno, "/dev/null cannot be opened here: %s", strerror(errno));
	}
	int number = notify_install_fd(broker->listener, slot->notification.id, null, true, -1);
	if (number < 0) {
		return fail(failure, number,
			"this kernel does not let the broker inject a descriptor: %s (Linux 5.9 is "
			"needed)",
			strerror(-number));
	}
	slot->result = number;
	atomic_store(&slot->state, SLOT_INSTALLED);
	return 0;
}

/* The probe call in its slot: what a dead predecessor has received is never offered again. */
static int take_probe(const struct broker *broker, struct session_slot *slot, int control,
	struct start_failure *failure)
{
	if (slot->notification.id != 0 &&
		notify_is_pending(broker->listener, slot->notification.id)) {
		return 0;
	}
	int error = wait_for_probe(broker, control, failure);
	if (error < 0) {
		return error;
	}
	memset(&slot->notification, 0, sizeof(slot->notification));
	atomic_store(&slot->state, SLOT_RECEIVED);
	error = notify_receive(broker->listener, &slot->notification);
	return error == 0 ? 0
			  : fail(failure, error, "receiving the probe call failed: %s",
				    strerror(-error));
}

static int prove(
	const struct broker *broker, struct session_slot *slot, struct start_failure *failure)
{
	if (slot->notification.pid == 0) {
		return fail(failure, -ESRCH,
			"the program lives in a process namespace that the broker cannot see");
	}
	/* Whoever has got hold of a listener must not have another's calls judged by its policy. */
	if (target_tgid((pid_t)slot->notification.pid) != broker->first) {
		return fail(failure, -EPERM,
			"the listener is that of another process than the one that asks");
	}
	int error = check_memory(&slot->notification, failure);
	if (error == 0) {
		error = check_injection(broker, slot, failure);
	}
	if (error < 0) {
		return error;
	}
	error = core_file_forbid(broker->policy, broker->first);
	return error == 0 ? 0
			  : fail(failure, error, "core files could not be forbidden: %s",
				    strerror(-error));
}

/* What is noted as READY before the answer is sent is never proved a second time. */
int start_probe(struct broker *broker, int control, struct start_failure *failure)
{
	struct session_slot *slot = &broker->memory->slots[0];
	int error = take_probe(broker, slot, control, failure);

	if (error < 0) {
		return error;
	}
	error = prove(broker, slot, failure);
	if (error < 0) {
		(void)notify_answer(broker->listener, slot->notification.id, 0, EPERM);
		return error;
	}
	atomic_fetch_or(&broker->memory->facts, SESSION_READY);
	error = notify_answer(broker->listener, slot->notification.id, slot->result, 0);
	atomic_store(&slot->state, SLOT_ANSWERED);
	return error == 0 ? 0
			  : fail(failure, error, "answering the probe call failed: %s",
				    strerror(-error));
}

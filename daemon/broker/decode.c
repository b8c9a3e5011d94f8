/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/decode.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/admit.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/decode_address.h"
#include "daemon/broker/decode_message.h"
#include "daemon/broker/decode_path.h"
#include "daemon/broker/decode_place.h"
#include "daemon/broker/path_call.h"
#include "daemon/broker/request.h"
#include "daemon/broker/target.h"
#include "usher/wire.h"

#define TMPFILE_BIT (O_TMPFILE & ~O_DIRECTORY)
/* asm-generic/fcntl.h's, which glibc defines as 0 on 64-bit machines. */
#define LARGEFILE_BIT 00100000u
/* VALID_OPEN_FLAGS of the kernel's include/linux/fcntl.h: open(2) drops all others without a word.
 */
#define VALID_OPEN_FLAGS                                                                   \
	((unsigned int)(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND |     \
			O_NONBLOCK | O_SYNC | O_DSYNC | O_ASYNC | O_DIRECT | O_DIRECTORY | \
			O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | TMPFILE_BIT) |       \
		LARGEFILE_BIT)
#define O_PATH_FLAGS ((unsigned int)(O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC))
#define PAGE_BYTES   4096u
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442 /* Linux 5.12; the same on all architectures, as is the next */
#endif
#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr 467 /* Linux 6.15 */
#endif
#ifndef OPEN_HOW_SIZE_VER0
#define OPEN_HOW_SIZE_VER0 24 /* not exported to user space */
#endif

static bool creates(uint64_t flags)
{
	return flags & (O_CREAT | TMPFILE_BIT);
}

static unsigned int operations_of(uint64_t flags)
{
	if (flags & O_PATH) {
		return OPERATION_STAT;
	}
	unsigned int operations = creates(flags) ? OPERATION_CREATE : 0;
	uint64_t access_mode = flags & O_ACCMODE;

	if (access_mode == O_RDONLY || access_mode == O_RDWR || access_mode == O_ACCMODE) {
		operations |= OPERATION_READ;
	}
	if (access_mode != O_RDONLY || (flags & O_TRUNC)) {
		operations |= OPERATION_WRITE;
	}
	return operations;
}

/* What flags and mode of the older calls become, as build_open_how() in the kernel's fs/open.c does
 * it. */
static struct open_how how_of(unsigned int flags, mode_t mode)
{
	struct open_how how = {.flags = (flags & VALID_OPEN_FLAGS) | LARGEFILE_BIT};

	if (how.flags & O_PATH) {
		how.flags &= O_PATH_FLAGS;
	}
	if (creates(how.flags)) {
		how.mode = mode & 07777;
	}
	return how;
}

/* Flags are judged before the path is read: we ask the kernel, with a path that is never there. */
static int check_how(const struct open_how *how)
{
	long result = syscall(SYS_openat2, AT_FDCWD, "", how, sizeof(*how));

	if (result >= 0) {
		close((int)result);
		return 0;
	}
	return errno == ENOENT ? 0 : -errno;
}

static bool flags_are_unusual(uint64_t flags)
{
	return (flags & TMPFILE_BIT) || ((flags & O_CREAT) && (flags & O_DIRECTORY));
}

static int pin_places(const struct broker *broker, struct request *request, int dirfd)
{
	bool scoped = request->open.how.resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT);

	return decode_place(
		broker, request, &request->place, request->open.path[0] == '/' && !scoped, dirfd);
}

static int decode_open_common(
	const struct broker *broker, struct request *request, int dirfd, uint64_t path)
{
	struct open_request *open = &request->open;
	int error = 0;

	request->call = CALL_OPEN;
	open->operations = operations_of(open->how.flags);
	if (flags_are_unusual(open->how.flags)) {
		error = check_how(&open->how);
	}
	if (error == 0) {
		error = target_read_string(request->tid, path, open->path, sizeof(open->path));
	}
	if (error < 0) {
		open->path[0] = '\0'; /* what was copied has no end, or is another call's */
	} else if (open->path[0] == '\0') {
		error = -ENOENT;
	}
	return error < 0 ? error : pin_places(broker, request, dirfd);
}

static int decode_openat(
	const struct broker *broker, struct request *request, const struct seccomp_data *data)
{
	request->open.how = how_of((unsigned int)data->args[2], (mode_t)data->args[3]);
	return decode_open_common(broker, request, (int)data->args[0], data->args[1]);
}

#ifdef SYS_open
static int decode_open(
	const struct broker *broker, struct request *request, const struct seccomp_data *data)
{
	request->open.how = how_of((unsigned int)data->args[1], (mode_t)data->args[2]);
	return decode_open_common(broker, request, AT_FDCWD, data->args[0]);
}

static int decode_creat(
	const struct broker *broker, struct request *request, const struct seccomp_data *data)
{
	request->open.how = how_of(O_CREAT | O_WRONLY | O_TRUNC, (mode_t)data->args[1]);
	return decode_open_common(broker, request, AT_FDCWD, data->args[0]);
}
#endif

/* Fields that this version does not know must be zero, as copy_struct_from_user() wants it. */
static int check_how_tail(pid_t tid, uint64_t address, size_t size)
{
	unsigned char tail[PAGE_BYTES];
	size_t extra = size - sizeof(struct open_how);
	int error = extra ? target_read(tid, address + sizeof(struct open_how), tail, extra) : 0;

	for (size_t i = 0; error == 0 && i < extra; i++) {
		error = tail[i] ? -E2BIG : 0;
	}
	return error;
}

static int decode_openat2(
	const struct broker *broker, struct request *request, const struct seccomp_data *data)
{
	struct open_how *how = &request->open.how;
	uint64_t size = data->args[3];

	request->call = CALL_OPEN;
	request->open.path[0] = '\0';
	if (size < OPEN_HOW_SIZE_VER0) {
		return -EINVAL;
	}
	if (size > PAGE_BYTES) {
		return -E2BIG;
	}
	int error = check_how_tail(request->tid, data->args[2], size);
	if (error == 0) {
		error = target_read(request->tid, data->args[2], how, sizeof(*how));
	}
	if (error == 0) {
		error = check_how(how);
	}
	/* It can neither be injected (ADDFD refuses it) nor be continued (the flags lie in memory).
	 */
	if (error == 0 && (how->flags & O_PATH)) {
		error = -ENOSYS;
	}
	return error < 0 ? error
			 : decode_open_common(broker, request, (int)data->args[0], data->args[1]);
}

static int decode_socket(
	const struct broker *broker, struct request *request, const struct seccomp_data *data)
{
	(void)broker;
	request->call = CALL_SOCKET;
	request->socket = (struct socket_request){.family = (int)data->args[0],
		.type = (int)data->args[1],
		.protocol = (int)data->args[2]};
	return 0;
}

static int decode_reach(
	const struct broker *broker, struct request *request, const struct seccomp_data *data)
{
	(void)broker;
	(void)data;
	request->call = CALL_REACH;
	return 0;
}

static int decode_forget(
	const struct broker *broker, struct request *request, const struct seccomp_data *data)
{
	(void)broker;
	(void)data;
	request->call = CALL_FORGET;
	return 0;
}

static int decode_mount(
	const struct broker *broker, struct request *request, const struct seccomp_data *data)
{
	(void)broker;
	(void)data;
	request->call = CALL_MOUNT;
	return 0;
}

static int decode_setns(
	const struct broker *broker, struct request *request, const struct seccomp_data *data)
{
	(void)broker;
	request->call = admit_is_asked((unsigned int)data->args[1]) ? CALL_MOUNT : CALL_FORGET;
	return 0;
}

static int decode_seccomp(
	const struct broker *broker, struct request *request, const struct seccomp_data *data)
{
	(void)broker;
	request->call = CALL_PROBE;
	return data->args[0] == WIRE_PROBE_OPERATION ? 0 : -EINVAL;
}

/* Every call that a filter of ours may notify, the frequent ones first. */
static const struct decoder {
	int nr;
	int (*decode)(const struct broker *, struct request *, const struct seccomp_data *);
} decoders[] = {
	{SYS_openat, decode_openat},
#ifdef SYS_open
	{SYS_open, decode_open},
	{SYS_creat, decode_creat},
#endif
	{SYS_connect, decode_connect},
	{SYS_sendmsg, decode_sendmsg},
	{SYS_sendto, decode_sendto},
	{SYS_sendmmsg, decode_sendmmsg},
	{SYS_bind, decode_bind},
	{SYS_listen, decode_listen},
	{SYS_socket, decode_socket},
	{SYS_socketpair, decode_socket},
	{SYS_openat2, decode_openat2},
	{SYS_ptrace, decode_reach},
	{SYS_process_vm_readv, decode_reach},
	{SYS_process_vm_writev, decode_reach},
	{SYS_mount, decode_mount},
	{SYS_umount2, decode_mount},
	{SYS_move_mount, decode_mount},
	{SYS_mount_setattr, decode_mount},
	{SYS_open_tree, decode_mount},
	{SYS_open_tree_attr, decode_mount},
	{SYS_fsopen, decode_mount},
	{SYS_fspick, decode_mount},
	{SYS_fsconfig, decode_mount},
	{SYS_fsmount, decode_mount},
	{SYS_pivot_root, decode_mount},
	{SYS_chroot, decode_forget},
	{SYS_setns, decode_setns},
	{SYS_unshare, decode_forget},
	{SYS_clone, decode_forget},
	{SYS_epoll_create, decode_forget},
	{SYS_epoll_create1, decode_forget},
	{SYS_setsockopt, decode_forget},
	{SYS_umask, decode_forget},
	{SYS_setuid, decode_forget},
	{SYS_setgid, decode_forget},
	{SYS_setreuid, decode_forget},
	{SYS_setregid, decode_forget},
	{SYS_setresuid, decode_forget},
	{SYS_setresgid, decode_forget},
	{SYS_setfsuid, decode_forget},
	{SYS_setfsgid, decode_forget},
	{SYS_setgroups, decode_forget},
	{SYS_capset, decode_forget},
	{SYS_prctl, decode_forget},
	{SYS_seccomp, decode_seccomp},
};

int decode(const struct broker *broker, struct request *request)
{
	const struct seccomp_data *data = &request->slot->notification.data;

	decode_place_clear(&request->place);
	decode_place_clear(&request->second);
	request->path.data = NULL;
	request->path.taken = -1;
	request->address.socket = -1;
	request->address.replaced = -1;
	request->address.is_redirected = request->address.has_outcome = false;
	request->address.outcome = 0;
	request->message = (struct message_request){0};
	for (size_t i = 0; i < array_length(decoders); i++) {
		if (decoders[i].nr == data->nr) {
			return decoders[i].decode(broker, request, data);
		}
	}
	const struct path_call *call = path_call_find(data->nr);
	if (call) {
		return decode_path(broker, request, call);
	}
	request->call = CALL_UNKNOWN;
	return -ENOSYS;
}

void decode_release(struct request *request)
{
	decode_place_release(&request->place);
	decode_place_release(&request->second);
	close_fd(&request->address.socket);
	close_fd(&request->address.replaced);
	if (request->message.count > 0) {
		decode_message_release(&request->message);
	}
	close_fd(&request->path.taken);
	free(request->path.data);
	request->path.data = NULL;
}

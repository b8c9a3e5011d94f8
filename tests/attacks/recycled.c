/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A caller dies while its results are being written into memory that somebody else supplies, and
 * its number becomes another process's: what is written later must not go there.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "tests/attacks/attack.h"

#define PAGE    4096
#define TRIES   300 /* to be given a number: others are given some, too */
#define NUMBERS 20  /* of which another may have been given, and keep */
#define MARK    0x55
#define WAITS   50 /* of 10 ms each, for what is written too late */

/* Memory that is there when somebody says so; the descriptor goes to who reads the other end. */
static char *supplied_memory(int send_to)
{
	struct uffdio_api api = {.api = UFFD_API};
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_register area = {
		.range = {(uintptr_t)page, PAGE}, .mode = UFFDIO_REGISTER_MODE_MISSING};
	int supplier = (int)raw(SYS_userfaultfd, O_CLOEXEC);

	if (supplier < 0 || ioctl(supplier, UFFDIO_API, &api) < 0 ||
		ioctl(supplier, UFFDIO_REGISTER, &area) < 0) {
		_exit(EXIT_FAILURE);
	}
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {.header = {
			     .cmsg_len = CMSG_LEN(sizeof(int)),
			     .cmsg_level = SOL_SOCKET,
			     .cmsg_type = SCM_RIGHTS,
		     }};
	struct iovec part = {"x", 1};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	memcpy(CMSG_DATA(&control.header), &supplier, sizeof(supplier));
	if (sendmsg(send_to, &message, 0) != 1) {
		_exit(EXIT_FAILURE);
	}
	return page;
}

static int take_supplier(int receive_from)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec part = {&byte, 1};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	int supplier = -1;

	if (recvmsg(receive_from, &message, 0) == 1 && CMSG_FIRSTHDR(&message)) {
		memcpy(&supplier, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(supplier));
	}
	return supplier;
}

/*
 * A process of ours with this number, which exits with 1 if `memory` is written; -1 if somebody
 * else has got the number.
 */
static pid_t fork_as(pid_t number, const char *memory)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%d", number - 1);

	for (int i = 0; i < TRIES; i++) {
		int last = raw_open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC, 0);
		if (last < 0 || write(last, text, (size_t)length) < 0) {
			attack_impossible("nobody here may choose the numbers of processes");
		}
		close(last);
		pid_t pid = fork();
		for (int k = 0; pid == 0 && getpid() == number && k < WAITS; k++) {
			usleep(10000);
			if (*(const volatile char *)memory != MARK) {
				_exit(1);
			}
		}
		if (pid == 0) {
			_exit(0);
		}
		if (pid == number) {
			return pid;
		}
		prepare(waitpid(pid, NULL, 0) == pid);
	}
	return -1;
}

/* The mount's number goes to where it waits, the handle to `handle`. */
static long write_into_heir(void)
{
	int pair[2], status;
	struct uffd_msg fault;
	struct file_handle *handle =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	prepare(handle != MAP_FAILED &&
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	pid_t caller = fork();
	if (caller == 0) {
		int *mount = (int *)(void *)supplied_memory(pair[1]);
		handle->handle_bytes = MAX_HANDLE_SZ;
		_exit((int)raw(SYS_name_to_handle_at, AT_FDCWD, "dirA/file", handle, mount, 0));
	}
	close(pair[1]);
	int supplier = take_supplier(pair[0]);
	if (supplier < 0) {
		attack_impossible("nobody here may supply memory");
	}
	prepare(read(supplier, &fault, sizeof(fault)) == sizeof(fault));
	prepare(kill(caller, SIGKILL) == 0 && waitpid(caller, NULL, 0) == caller);
	memset(handle, MARK, sizeof(*handle));
	pid_t heir = fork_as(caller, (const char *)handle);
	struct uffdio_zeropage page = {
		.range = {fault.arg.pagefault.address & ~(uint64_t)(PAGE - 1), PAGE}};
	(void)ioctl(supplier, UFFDIO_ZEROPAGE, &page); /* nobody may want it any more */
	close(supplier);
	close(pair[0]);
	if (heir < 0) {
		return -EAGAIN;
	}
	prepare(waitpid(heir, &status, 0) == heir && WIFEXITED(status));
	return WEXITSTATUS(status) ? 0 : -EACCES;
}

static long write_into_another(const struct world *world)
{
	long result = -EAGAIN;

	(void)world;
	for (int i = 0; i < NUMBERS && result == -EAGAIN; i++) {
		result = write_into_heir();
	}
	if (result == -EAGAIN) {
		attack_impossible("somebody else has got each number");
	}
	return result;
}

const struct attack attacks_recycled[] = {
	{"change-name_to-another", write_into_another},
	{NULL, NULL},
};

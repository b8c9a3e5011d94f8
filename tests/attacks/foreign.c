/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same work by another door of the kernel: other calling conventions, io_uring, file handles.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "tests/attacks/attack.h"
#include "tests/common/address.h"

#define I386_OPEN       5
#define I386_SOCKETCALL 102
#define I386_OPENAT     295
#define I386_OPENAT2    437
#define X32_BIT         0x40000000l

/* A call of the 32-bit table; pointers must lie below 4 GiB. */
static long call_i386(long number, long a, long b, long c, long d)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)result;
}

static char *low_memory(void)
{
	char *page = mmap(
		NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	prepare(page != MAP_FAILED);
	return page;
}

static long open_i386(const struct world *world)
{
	char *path = strcpy(low_memory(), world_file(world));

	return world_check(world, (int)call_i386(I386_OPEN, (long)path, O_RDONLY, 0, 0));
}

static long openat_i386(const struct world *world)
{
	char *path = strcpy(low_memory(), world_file(world));

	return world_check(world, (int)call_i386(I386_OPENAT, AT_FDCWD, (long)path, O_RDONLY, 0));
}

static long openat2_i386(const struct world *world)
{
	char *memory = low_memory();
	char *path = strcpy(memory, world_file(world));
	void *how = memory + 2048;

	return world_check(
		world, (int)call_i386(I386_OPENAT2, AT_FDCWD, (long)path, (long)how, 24));
}

/* socketcall(SYS_CONNECT): its arguments lie in memory, where no filter sees them. */
static long connect_i386(const struct world *world)
{
	struct address address = address_ip4("127.0.0.1", world_port(world));
	char *memory = low_memory();
	unsigned int *arguments = (unsigned int *)(void *)(memory + 2048);

	memcpy(memory, &address.storage, address.length);
	arguments[0] = (unsigned int)socket(AF_INET, SOCK_STREAM, 0);
	arguments[1] = (unsigned int)(uintptr_t)memory;
	arguments[2] = address.length;
	return call_i386(I386_SOCKETCALL, 3, (long)arguments, 0, 0);
}

static long open_x32(const struct world *world)
{
	return world_check(world, (int)raw(X32_BIT | SYS_open, world_file(world), O_RDONLY, 0));
}

/* Numbers of the 64-bit table with the upper half of the register set. */
static long open_wide_number(const struct world *world)
{
	long result;
	register long d __asm__("r10") = 0;

	__asm__ volatile(
		"syscall"
		: "=a"(result)
		: "a"((1ul << 32) | SYS_open), "D"(world_file(world)), "S"(O_RDONLY), "d"(0), "r"(d)
		: "memory", "rcx", "r11");
	return world_check(world, (int)result);
}

struct ring {
	int fd;
	struct io_uring_params params;
	char *submission, *completion;
	struct io_uring_sqe *entries;
};

static long ring_make(struct ring *ring)
{
	memset(ring, 0, sizeof(*ring));
	ring->fd = (int)raw(SYS_io_uring_setup, 4, &ring->params);
	if (ring->fd < 0) {
		return ring->fd;
	}
	ring->submission = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		ring->fd, IORING_OFF_SQ_RING);
	ring->completion = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		ring->fd, IORING_OFF_CQ_RING);
	ring->entries = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		ring->fd, IORING_OFF_SQES);
	prepare(ring->submission != MAP_FAILED && ring->completion != MAP_FAILED &&
		ring->entries != MAP_FAILED);
	return 0;
}

static long ring_do(struct ring *ring, const struct io_uring_sqe *entry)
{
	unsigned int *tail = (unsigned int *)(void *)(ring->submission + ring->params.sq_off.tail);
	unsigned int *array =
		(unsigned int *)(void *)(ring->submission + ring->params.sq_off.array);
	struct io_uring_cqe *results =
		(struct io_uring_cqe *)(void *)(ring->completion + ring->params.cq_off.cqes);
	long done;

	ring->entries[0] = *entry;
	array[0] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	done = raw(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	return done < 0 ? done : results[0].res;
}

static long open_uring(const struct world *world)
{
	struct io_uring_sqe entry = {.opcode = IORING_OP_OPENAT,
		.fd = AT_FDCWD,
		.addr = (uintptr_t)world_file(world),
		.open_flags = O_RDONLY};
	struct ring ring;
	long result = ring_make(&ring);

	return result ? result : world_check(world, (int)ring_do(&ring, &entry));
}

static long connect_uring(const struct world *world)
{
	struct address address = address_ip4("127.0.0.1", world_port(world));
	struct io_uring_sqe entry = {.opcode = IORING_OP_CONNECT,
		.fd = socket(AF_INET, SOCK_STREAM, 0),
		.addr = (uintptr_t)&address.storage,
		.off = address.length};
	struct ring ring;
	long result = ring_make(&ring);

	return result ? result : ring_do(&ring, &entry);
}

static long by_handle(const struct world *world)
{
	struct {
		struct file_handle handle;
		unsigned char bytes[MAX_HANDLE_SZ];
	} file = {.handle.handle_bytes = MAX_HANDLE_SZ};
	int mount_id, mount_fd;

	if (geteuid() != 0) {
		attack_impossible("needs CAP_DAC_READ_SEARCH");
	}
	prepare(!name_to_handle_at(
		open(world_file(world), O_PATH), "", &file.handle, &mount_id, AT_EMPTY_PATH));
	mount_fd = raw_open("dirA", O_RDONLY | O_DIRECTORY, 0);
	return world_check(
		world, (int)raw(SYS_open_by_handle_at, mount_fd, &file.handle, O_RDONLY));
}

const struct attack attacks_foreign[] = {
	{"foreign-i386-open", open_i386},
	{"foreign-i386-openat", openat_i386},
	{"foreign-i386-openat2", openat2_i386},
	{"foreign-i386-connect", connect_i386},
	{"foreign-x32-open", open_x32},
	{"foreign-wide-number", open_wide_number},
	{"foreign-io_uring-open", open_uring},
	{"foreign-io_uring-connect", connect_uring},
	{"foreign-handle", by_handle},
	{NULL, NULL},
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/base/session_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"

#define SIZE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

/* NULL, and errno, if it cannot be mapped. */
static struct session_memory *map_whole(int fd)
{
	void *memory = mmap(
		NULL, sizeof(struct session_memory), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

int session_memory_create(uint64_t session, struct session_memory **mapped)
{
	cleanup_fd int fd = memfd_create("usher-session", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, sizeof(**mapped)) < 0 ||
		fcntl(fd, F_ADD_SEALS, SIZE_SEALS | F_SEAL_SEAL) < 0) {
		return -errno;
	}
	struct session_memory *memory = map_whole(fd);
	if (!memory) {
		return -errno;
	}
	memory->magic = SESSION_MAGIC;
	memory->version = SESSION_VERSION;
	memory->size = sizeof(*memory);
	memory->session = session;
	memory->slot_count = SESSION_SLOTS;
	*mapped = memory;
	return steal_fd(&fd);
}

/* The first words of a session's memory are the same in all builds. */
static int refuse(int fd)
{
	uint32_t head[2] = {0}; /* magic and version */
	static_assert(offsetof(struct session_memory, magic) == 0 &&
			      offsetof(struct session_memory, version) == sizeof(head[0]),
		"for all builds");

	if (pread(fd, head, sizeof(head), 0) == sizeof(head) && head[0] == SESSION_MAGIC &&
		head[1] != SESSION_VERSION) {
		return -EPROTONOSUPPORT;
	}
	return -EBADMSG;
}

static bool is_session_memory(const struct session_memory *memory)
{
	return memory->magic == SESSION_MAGIC && memory->version == SESSION_VERSION &&
	       memory->size == sizeof(*memory) && memory->slot_count == SESSION_SLOTS;
}

int session_memory_map(int fd, struct session_memory **mapped)
{
	struct stat status;

	if (fstat(fd, &status) < 0) {
		return -errno;
	}
	int seals = fcntl(fd, F_GET_SEALS); /* fails on what is not a memfd */
	if (seals < 0 || (seals & SIZE_SEALS) != SIZE_SEALS ||
		status.st_size != (off_t)sizeof(**mapped)) {
		return refuse(fd);
	}
	struct session_memory *memory = map_whole(fd);
	if (!memory) {
		return -errno;
	}
	if (!is_session_memory(memory)) {
		session_memory_unmap(memory);
		return refuse(fd);
	}
	*mapped = memory;
	return 0;
}

int session_memory_lock(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_SETLK, &lock) == 0) {
		return 0;
	}
	return errno == EACCES || errno == EAGAIN ? -EBUSY : -errno;
}

pid_t session_memory_server(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_GETLK, &lock) < 0) {
		return -errno;
	}
	return lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}

void session_memory_mark(int fd)
{
	(void)futimens(fd, NULL);
}

struct timespec session_memory_marked(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 ? status.st_mtim : (struct timespec){0};
}

void session_memory_unmap(struct session_memory *memory)
{
	if (memory) {
		munmap(memory, sizeof(*memory));
	}
}

void session_memory_forgive(struct session_memory *memory)
{
	for (size_t i = 0; i < SESSION_SLOTS; i++) {
		memory->slots[i].crashes = 0;
	}
}

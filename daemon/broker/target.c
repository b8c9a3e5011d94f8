/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/target.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/target_fd.h"

#define PAGE_BYTES       4096u /* the smallest there is: crossing it is what can fail */
#define FIRST_READ       256u  /* most paths are shorter */
#define ANCESTORS_MAX    256u
#define PTS_MAJOR_FIRST  136u
#define PTS_MAJOR_LAST   143u
#define TTY_MAJOR        4u
#define TTY_SERIAL_MINOR 64u

int target_open_entry(pid_t tid, const char *entry, int flags)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", tid, entry);
	int fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int read_errno(void)
{
	return errno == ENOMEM ? -EFAULT : -errno;
}

/* Memory that can be written can be read, says the processor; process_vm_readv(2) asks the mapping.
 */
static bool is_write_only(pid_t tid, uint64_t address, size_t size)
{
	char path[64], line[512], rights[5];
	unsigned long long first, end;

	(void)snprintf(path, sizeof(path), "/proc/%d/maps", tid);
	cleanup_file FILE *maps = fopen(path, "re");
	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%llx-%llx %4s", &first, &end, rights) == 3 && address >= first &&
			address < end) {
			return rights[0] != 'r' && rights[1] == 'w' && size <= end - address;
		}
	}
	return false;
}

static int read_write_only(pid_t tid, uint64_t address, void *buffer, size_t size)
{
	cleanup_fd int memory = target_open_entry(tid, "mem", O_RDONLY);

	if (memory < 0 || !is_write_only(tid, address, size)) {
		return -EFAULT;
	}
	return pread(memory, buffer, size, (off_t)address) == (ssize_t)size ? 0 : -EFAULT;
}

int target_read(pid_t tid, uint64_t address, void *buffer, size_t size)
{
	struct iovec local = {.iov_base = buffer, .iov_len = size};
	struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = size};
	ssize_t got = process_vm_readv(tid, &local, 1, &remote, 1, 0);

	if (got < 0) {
		int error = read_errno();
		return error == -EFAULT ? read_write_only(tid, address, buffer, size) : error;
	}
	return (size_t)got == size ? 0 : -EFAULT;
}

/* What of the parts is asked for; returns how many there are in `wanted`. */
static size_t cut_parts(struct iovec wanted[IOV_MAX], const struct iovec *parts, size_t count,
	size_t skip, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < count && used < IOV_MAX && size > 0; i++) {
		size_t left_out = skip < parts[i].iov_len ? skip : parts[i].iov_len;
		size_t length = parts[i].iov_len - left_out;

		skip -= left_out;
		length = length < size ? length : size;
		if (length > 0) {
			wanted[used].iov_base = (char *)parts[i].iov_base + left_out;
			wanted[used++].iov_len = length;
			size -= length;
		}
	}
	return used;
}

int target_read_parts(
	pid_t tid, const struct iovec *parts, size_t count, size_t skip, void *buffer, size_t size)
{
	struct iovec wanted[IOV_MAX];
	struct iovec local = {.iov_base = buffer, .iov_len = size};
	size_t used = cut_parts(wanted, parts, count, skip, size);
	char *to = buffer;

	if (size == 0 || process_vm_readv(tid, &local, 1, wanted, used, 0) == (ssize_t)size) {
		return 0;
	}
	/* One by one: some memory can only be written. */
	for (size_t i = 0; i < used; i++) {
		int error = target_read(tid, (uintptr_t)wanted[i].iov_base, to, wanted[i].iov_len);

		if (error < 0) {
			return error;
		}
		to += wanted[i].iov_len;
	}
	return 0;
}

int target_write_parts(pid_t tid, const struct iovec *there, const struct iovec *here, size_t count)
{
	ssize_t put = process_vm_writev(tid, here, count, there, count, 0);
	size_t size = 0;

	if (put < 0) {
		return read_errno();
	}
	for (size_t i = 0; i < count; i++) {
		size += here[i].iov_len;
	}
	return (size_t)put == size ? 0 : -EFAULT;
}

int target_write(pid_t tid, uint64_t address, const void *buffer, size_t size)
{
	const struct iovec here = {.iov_base = (void *)buffer, .iov_len = size};
	const struct iovec there = {.iov_base = (void *)(uintptr_t)address, .iov_len = size};

	return target_write_parts(tid, &there, &here, 1);
}

/* What lies within the page is read at once: a partial read is only told of whole iovecs. */
static size_t up_to_page_end(uint64_t address, size_t wanted)
{
	size_t room = PAGE_BYTES - (size_t)(address % PAGE_BYTES);

	return room < wanted ? room : wanted;
}

int target_read_string(pid_t tid, uint64_t address, char *buffer, size_t capacity)
{
	size_t done = 0;

	while (done < capacity) {
		size_t wanted = done == 0 && capacity > FIRST_READ ? FIRST_READ : capacity - done;
		size_t chunk = up_to_page_end(address + done, wanted);
		int error = target_read(tid, address + done, buffer + done, chunk);

		if (error < 0) {
			return error;
		}
		if (memchr(buffer + done, '\0', chunk)) {
			return 0;
		}
		done += chunk;
	}
	return -ENAMETOOLONG;
}

int target_open_cwd(pid_t tid)
{
	return target_open_entry(tid, "cwd", O_PATH | O_DIRECTORY);
}

int target_open_root(pid_t tid)
{
	return target_open_entry(tid, "root", O_PATH | O_DIRECTORY);
}

int target_open_fd(pid_t tid, int fd)
{
	char entry[32];

	if (fd < 0) {
		return -EBADF;
	}
	(void)snprintf(entry, sizeof(entry), "fd/%d", fd);
	int opened = target_open_entry(tid, entry, O_PATH);
	return opened == -ENOENT ? -EBADF : opened;
}

int target_status_from(int fd, char status[TARGET_STATUS_ROOM])
{
	ssize_t size = pread(fd, status, TARGET_STATUS_ROOM - 1, 0);

	if (size <= 0) {
		return size < 0 ? -errno : -ESRCH;
	}
	status[size] = '\0';
	return 0;
}

int target_read_status(pid_t tid, char status[TARGET_STATUS_ROOM])
{
	cleanup_fd int fd = target_open_entry(tid, "status", O_RDONLY);

	return fd < 0 ? fd : target_status_from(fd, status);
}

const char *target_status_field(const char *status, const char *name)
{
	size_t length = strlen(name);

	for (const char *line = status; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, length) == 0 && line[length] == ':') {
			return line + length + 1 + strspn(line + length + 1, " \t");
		}
	}
	return NULL;
}

static long status_number(const char *status, const char *name, int base)
{
	const char *text = target_status_field(status, name);

	return text ? strtol(text, NULL, base) : -1;
}

static uint64_t status_mask(const char *status, const char *name)
{
	const char *text = target_status_field(status, name);

	return text ? strtoull(text, NULL, 16) : 0;
}

pid_t target_tgid(pid_t tid)
{
	char status[TARGET_STATUS_ROOM];
	int error = target_read_status(tid, status);

	if (error < 0) {
		return error;
	}
	long tgid = status_number(status, "Tgid", 10);
	return tgid > 0 ? (pid_t)tgid : -ESRCH;
}

int target_umask_of(const char *status, mode_t *mask)
{
	const char *text = target_status_field(status, "Umask");

	if (!text) {
		return -ESRCH;
	}
	*mask = (mode_t)strtoul(text, NULL, 8);
	return 0;
}

int target_read_umask(pid_t tid, mode_t *mask)
{
	char status[TARGET_STATUS_ROOM];
	int error = target_read_caller_status(tid, status);

	return error < 0 ? error : target_umask_of(status, mask);
}

pid_t target_parent(pid_t tid)
{
	char status[TARGET_STATUS_ROOM];
	int error = target_read_status(tid, status);

	return error < 0 ? error : (pid_t)status_number(status, "PPid", 10);
}

uint32_t target_filters(pid_t tid)
{
	char status[TARGET_STATUS_ROOM];
	long count = target_read_status(tid, status) < 0
			     ? 0
			     : status_number(status, "Seccomp_filters", 10);

	return count > 0 ? (uint32_t)count : 0;
}

bool target_has_one_thread(pid_t tid)
{
	char path[64];
	struct stat st;

	/* A link for each, as if they were directories in it: proc_task_getattr() of the kernel. */
	(void)snprintf(path, sizeof(path), "/proc/%d/task", tid);
	return stat(path, &st) == 0 && st.st_nlink == 2 + 1;
}

/* Of the numbers that a directory of /proc lists, how many are below `limit`. */
static uint64_t count_numbers(const char *path, uint64_t limit)
{
	DIR *directory = opendir(path);
	uint64_t count = 0;

	for (struct dirent *entry; directory && (entry = readdir(directory));) {
		count += entry->d_name[0] != '.' && strtoull(entry->d_name, NULL, 10) < limit;
	}
	if (directory) {
		closedir(directory);
	}
	return count;
}

/* How many descriptors its table could hold without being enlarged. */
static uint64_t table_room(pid_t tid)
{
	char status[TARGET_STATUS_ROOM];
	const char *size = target_read_caller_status(tid, status) == 0
				   ? target_status_field(status, "FDSize")
				   : NULL;

	return size ? strtoull(size, NULL, 10) : UINT64_MAX;
}

/* Numbers beyond the limit stay open when it is lowered, so to know how many there are may not do.
 */
bool target_has_full_table(pid_t tid, uint64_t limit)
{
	char path[64];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", tid);
	if (stat(path, &st) < 0 || (st.st_size > 0 && (uint64_t)st.st_size < limit) ||
		(st.st_size == 0 && table_room(tid) < limit)) {
		return false;
	}
	return count_numbers(path, limit) >= limit;
}

bool target_is_in_other_user_namespace(pid_t tid)
{
	static _Atomic ino_t own; /* we never enter another one */
	struct stat st;
	char path[64];

	if (own == 0 && stat("/proc/thread-self/ns/user", &st) == 0) {
		own = st.st_ino;
	}
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", tid);
	return own == 0 || stat(path, &st) < 0 || st.st_ino != own;
}

/* Signals that `status` would handle, of those in the set named `pending`. */
static uint64_t deliverable(const char *status, const char *pending)
{
	return status_mask(status, pending) &
	       ~(status_mask(status, "SigBlk") | status_mask(status, "SigIgn"));
}

/* Does any other thread of the process leave one of `signals` unblocked? Also if that is not known.
 */
static bool others_may_take(pid_t tgid, pid_t tid, uint64_t signals)
{
	char path[64];
	char status[TARGET_STATUS_ROOM];
	bool may = false;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", tgid);
	DIR *tasks = opendir(path);
	if (!tasks) {
		return true;
	}
	for (struct dirent *entry = readdir(tasks); entry && !may; entry = readdir(tasks)) {
		pid_t other = (pid_t)strtol(entry->d_name, NULL, 10);
		if (other <= 0 || other == tid) {
			continue;
		}
		may = target_read_status(other, status) < 0 ||
		      (signals & ~status_mask(status, "SigBlk"));
	}
	closedir(tasks);
	return may;
}

bool target_has_signal(pid_t tid)
{
	char status[TARGET_STATUS_ROOM];

	if (target_read_status(tid, status) < 0) {
		return false;
	}
	if (deliverable(status, "SigPnd")) {
		return true; /* its own: nobody else can take it */
	}
	uint64_t shared = deliverable(status, "ShdPnd");
	if (!shared) {
		return false;
	}
	/* The kernel prefers the main thread; and where there is no other taker, it is this one. */
	pid_t tgid = (pid_t)status_number(status, "Tgid", 10);
	return tgid == tid || !others_may_take(tgid, tid, shared);
}

bool target_descends_from(pid_t pid, pid_t first)
{
	char status[TARGET_STATUS_ROOM];

	for (unsigned int i = 0; i < ANCESTORS_MAX && pid > 0; i++) {
		if (target_read_status(pid, status) < 0) {
			return false;
		}
		/* Where a process can be named, any of its threads can be. */
		if (pid == first || status_number(status, "Tgid", 10) == first) {
			return true;
		}
		pid = (pid_t)status_number(status, "PPid", 10);
	}
	return false;
}

/* /proc/TID/stat behind its second field: that, the name, may hold anything but ends at the last
 * ')'. NULL if there is no such thread. */
static const char *read_stat(pid_t tid, char *stat, size_t room)
{
	cleanup_fd int fd = target_open_entry(tid, "stat", O_RDONLY);
	ssize_t size = fd < 0 ? -1 : read(fd, stat, room - 1);

	stat[size < 0 ? 0 : size] = '\0';
	const char *name_end = strrchr(stat, ')');
	return name_end ? name_end + 1 : NULL;
}

static int read_terminal_number(pid_t tid, unsigned int *number)
{
	char stat[1024];
	int terminal;
	const char *rest = read_stat(tid, stat, sizeof(stat));

	if (!rest || sscanf(rest, " %*c %*d %*d %*d %d", &terminal) != 1) {
		return -ESRCH;
	}
	*number = (unsigned int)terminal;
	return terminal == 0 ? -ENXIO : 0;
}

int target_start(pid_t tid, uint64_t *ticks)
{
	char stat[1024];
	const char *rest = read_stat(tid, stat, sizeof(stat));

	return rest && sscanf(rest,
			       " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
			       "%*s %*s %*s %" SCNu64,
			       ticks) == 1
		       ? 0
		       : -ESRCH;
}

int target_terminal(pid_t tid, char *path, size_t capacity)
{
	unsigned int number = 0;
	int error = read_terminal_number(tid, &number);

	if (error < 0) {
		return error;
	}
	/* Its encoding is that of new_encode_dev(), which gnu_dev_major() undoes. */
	unsigned int device_major = (number >> 8) & 0xfff;
	unsigned int device_minor = (number & 0xff) | ((number >> 12) & 0xfff00);
	if (device_major >= PTS_MAJOR_FIRST && device_major <= PTS_MAJOR_LAST) {
		unsigned int index = (device_major - PTS_MAJOR_FIRST) * 256 + device_minor;
		(void)snprintf(path, capacity, "/dev/pts/%u", index);
		return 0;
	}
	if (device_major == TTY_MAJOR) {
		bool serial = device_minor >= TTY_SERIAL_MINOR;
		(void)snprintf(path, capacity, serial ? "/dev/ttyS%u" : "/dev/tty%u",
			serial ? device_minor - TTY_SERIAL_MINOR : device_minor);
		return 0;
	}
	return -ENXIO;
}

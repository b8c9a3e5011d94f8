/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outsider FILE DIRECTORY: a process of the same user outside of the session. It holds FILE open
 * and its content in memory and in a memory file, has a child in namespaces of mounts and processes
 * of its own, in which DIRECTORY is a file system of memory with the same content in it, prints
 * "PID:ADDRESS:DESCRIPTOR:DESCRIPTOR:CHILD" (hexadecimal address), and waits for its standard input
 * to end.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int write_file(const char *file, const char *content)
{
	ssize_t length = (ssize_t)strlen(content);
	int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

	return fd < 0 || write(fd, content, (size_t)length) != length || close(fd) < 0 ? -1 : 0;
}

static int write_ids(uid_t user, gid_t group)
{
	char users[64], groups[64];

	snprintf(users, sizeof(users), "%u %u 1", user, user);
	snprintf(groups, sizeof(groups), "%u %u 1", group, group);
	return write_file("/proc/self/uid_map", users) < 0 ||
			       write_file("/proc/self/setgroups", "deny") < 0 ||
			       write_file("/proc/self/gid_map", groups) < 0
		       ? -1
		       : 0;
}

/* As `user`, who is in a user namespace of its own if he is not root. */
static int fill(uid_t user, gid_t group, const char *directory, const char *content)
{
	if ((user && write_ids(user, group) < 0) || unshare(CLONE_NEWNS) < 0 ||
		mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("none", directory, "tmpfs", 0, NULL) < 0 || chdir(directory) < 0) {
		return -1;
	}
	return write_file("file", content);
}

/* It has said that it is ready, or nothing if it cannot be. */
static pid_t start_elsewhere(const char *directory, const char *content)
{
	char byte = '-';
	int ready[2];

	if (pipe2(ready, O_CLOEXEC) < 0) {
		return -1;
	}
	uid_t user = geteuid();
	gid_t group = getegid();
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | (user ? CLONE_NEWUSER : 0) | SIGCHLD,
		NULL, NULL, NULL, NULL);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		byte = fill(user, group, directory, content) < 0 ? 'n' : 'y';
		(void)!write(ready[1], &byte, 1);
		pause();
		_exit(0);
	}
	close(ready[1]);
	(void)!read(ready[0], &byte, 1);
	close(ready[0]);
	return byte == 'y' ? pid : -1;
}

int main(int argc, char **argv)
{
	static char memory[64];
	int fd = argc == 3 ? open(argv[1], O_RDWR) : -1;
	char byte;

	if (fd < 0 || pread(fd, memory, sizeof(memory) - 1, 0) <= 0) {
		perror("outsider");
		return 2;
	}
	int memory_fd = memfd_create("outsider", MFD_CLOEXEC);
	if (memory_fd < 0 || write(memory_fd, memory, strlen(memory)) < 0) {
		perror("outsider");
		return 2;
	}
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	pid_t elsewhere = start_elsewhere(argv[2], memory);
	printf("%d:%lx:%d:%d:%d\n", getpid(), (unsigned long)memory, fd, memory_fd, elsewhere);
	fflush(stdout);
	while (read(0, &byte, 1) > 0) {
	}
	if (elsewhere > 0) {
		kill(elsewhere, SIGKILL);
		waitpid(elsewhere, NULL, 0);
	}
	/* Whether somebody has written to its memory is what it says last. */
	printf("%s", memory);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outsider FILE: a process of the same user outside of the session. It holds FILE open and its
 * content in memory, prints "PID:ADDRESS:DESCRIPTOR" (hexadecimal address), and waits for its
 * standard input to end.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static char memory[64];
	int fd = argc == 2 ? open(argv[1], O_RDWR) : -1;
	char byte;

	if (fd < 0 || pread(fd, memory, sizeof(memory) - 1, 0) <= 0) {
		perror("outsider");
		return 2;
	}
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	printf("%d:%lx:%d\n", getpid(), (unsigned long)memory, fd);
	fflush(stdout);
	while (read(0, &byte, 1) > 0) {
	}
	/* Whether somebody has written to its memory is what it says last. */
	printf("%s", memory);
	return 0;
}

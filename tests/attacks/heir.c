/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heir COMMAND...: a process outside gets the number of one in the session that has died while its
 * call was being made. What the call tells must not be written into the memory of the heir.
 *
 * COMMAND runs this program again, with "inside", in a session. There a message waits for room, its
 * broker is stopped, the sender dies, the heir is born, and room is made. How much was sent is told
 * at an address of the sender's choice. Needs CAP_SYS_ADMIN, by which a number can be chosen, and
 * prints what the heir finds there: 0, as it was.
 */
#include <linux/sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PLACE  0x10000000ul /* of the message header in both */
#define SIZE   66u
#define TO     10 /* descriptors of the session: a number goes out, ... */
#define FROM   11 /* ... and a word comes back when that number has an heir */
#define WAITED 300000u

static void expect(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		_exit(2);
	}
}

static struct mmsghdr *header(void)
{
	void *page = mmap((void *)PLACE, 4096, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	expect(page != MAP_FAILED, "mmap");
	return page;
}

static pid_t start_sender(int socket)
{
	static char data[SIZE];
	static struct iovec part = {data, SIZE};
	pid_t pid = fork();

	if (pid == 0) {
		struct mmsghdr *message = header();
		message->msg_hdr = (struct msghdr){.msg_iov = &part, .msg_iovlen = 1};
		syscall(SYS_sendmmsg, socket, message, 1, 0);
		_exit(0);
	}
	expect(pid > 0, "fork");
	return pid;
}

static int inside(void)
{
	char data[SIZE] = {0};
	pid_t broker = getppid();
	int pair[2];

	expect(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0, "socketpair");
	while (send(pair[0], data, sizeof(data), MSG_DONTWAIT) > 0) {
	}
	pid_t sender = start_sender(pair[0]);
	usleep(WAITED);
	expect(waitpid(sender, NULL, WNOHANG) == 0, "the sender waits");
	kill(broker, SIGSTOP);
	usleep(WAITED);
	kill(sender, SIGKILL);
	waitpid(sender, NULL, 0);
	expect(write(TO, &sender, sizeof(sender)) == sizeof(sender), "write");
	expect(read(FROM, data, 1) == 1, "read");
	while (recv(pair[1], data, sizeof(data), MSG_DONTWAIT) > 0) {
	}
	kill(broker, SIGCONT);
	/* Answered by who has made the call before, and all that belongs to it. */
	expect(send(pair[0], data, sizeof(data), 0) > 0, "send");
	usleep(WAITED);
	return 0;
}

static pid_t start_heir(pid_t number, int told, int over)
{
	struct clone_args arguments = {
		.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&number, .set_tid_size = 1};
	pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
	char byte;

	if (pid == 0) {
		volatile struct mmsghdr *message = header();
		message->msg_len = 0;
		expect(write(told, "g", 1) == 1, "write");
		(void)!read(over, &byte, 1);
		printf("%u\n", message->msg_len);
		fflush(stdout);
		_exit(0);
	}
	expect(pid == number, "clone3");
	return pid;
}

int main(int argc, char **argv)
{
	int out[2], back[2], over[2], status;
	pid_t number;

	if (argc > 1 && strcmp(argv[1], "inside") == 0) {
		return inside();
	}
	expect(argc > 1 && pipe(out) == 0 && pipe(back) == 0 && pipe(over) == 0, "pipe");
	pid_t session = fork();
	if (session == 0) {
		expect(dup2(out[1], TO) == TO && dup2(back[0], FROM) == FROM, "dup2");
		close(out[1]);
		close(over[1]);
		execv(argv[1], argv + 1);
		expect(0, argv[1]);
	}
	close(out[1]);
	expect(read(out[0], &number, sizeof(number)) == sizeof(number), "the session's number");
	pid_t heir = start_heir(number, back[1], over[0]);
	expect(waitpid(session, &status, 0) == session, "waitpid");
	expect(write(over[1], "e", 1) == 1 && waitpid(heir, NULL, 0) == heir, "the heir");
	return status == 0 ? 0 : 1;
}

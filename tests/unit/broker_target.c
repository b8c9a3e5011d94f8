/* SPDX-License-Identifier: Apache-2.0 */
/* See broker_target.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker_target.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/session_memory.h"
#include "daemon/broker/decode.h"
#include "daemon/broker/mounts.h"
#include "daemon/broker/target.h"

struct command {
	struct open_how how;
	char path[PATH_MAX];
};

static void open_here(const struct command *command, struct native_open *native)
{
	char link[32];
	struct stat st;
	cleanup_fd int fd = (int)syscall(
		SYS_openat2, AT_FDCWD, command->path, &command->how, sizeof(command->how));

	*native = (struct native_open){.error = fd < 0 ? errno : 0};
	if (fd < 0 || fstat(fd, &st) < 0) {
		return;
	}
	native->device = st.st_dev;
	native->inode = st.st_ino;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, native->name, sizeof(native->name) - 1);
	native->name[length < 0 ? 0 : length] = '\0';
}

static void obey(int channel)
{
	static struct command command;
	static struct native_open native;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (recv(channel, &command, sizeof(command), 0) == (ssize_t)sizeof(command)) {
		open_here(&command, &native);
		(void)send(channel, &native, sizeof(native), 0);
	}
	_exit(0);
}

static void start_target(struct stage *stage, void (*prepare)(void *), void *argument)
{
	int pair[2];
	char ready = 0;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	stage->target = fork();
	if (stage->target == 0) {
		close(pair[0]);
		if (prepare) {
			prepare(argument);
		}
		(void)send(pair[1], &ready, 1, 0);
		obey(pair[1]);
	}
	close(pair[1]);
	stage->channel = pair[0];
	assert_int_equal(recv(pair[0], &ready, 1, 0), 1);
}

void stage_init(struct stage *stage, void (*prepare)(void *), void *argument)
{
	*stage = (struct stage){.channel = -1};
	start_target(stage, prepare, argument);
	cleanup_fd int memory = session_memory_create(1, &stage->broker.memory);
	assert_true(memory >= 0);
	stage->broker.listener = -1;
	stage->broker.first = stage->target;
	uint64_t start;
	assert_int_equal(target_start(stage->target, &start), 0);
	stage->broker.memory->first_start = start;
	stage->broker.root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	stage->broker.root_name = strdup("");
	stage->broker.pid_levels = 1;
	assert_int_equal(mounts_new(&stage->broker.mounts), 0);
	stage->broker.proc_fds = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(identity_read(&stage->broker.identity, gettid()), 0);
	stage->slot = &stage->broker.memory->slots[0];
	stage->request = calloc(1, sizeof(*stage->request));
	assert_non_null(stage->request);
}

void stage_finish(struct stage *stage)
{
	close(stage->channel);
	kill(stage->target, SIGKILL);
	assert_int_equal(waitpid(stage->target, NULL, 0), stage->target);
	close(stage->broker.root);
	close(stage->broker.proc_fds);
	free(stage->broker.root_name);
	mounts_free(stage->broker.mounts);
	session_memory_unmap(stage->broker.memory);
	free(stage->request);
}

int stage_start(void **state, void (*prepare)(void *))
{
	static struct stage stage;

	stage_init(&stage, prepare, NULL);
	*state = &stage;
	return 0;
}

int stage_set_up(void **state)
{
	return stage_start(state, NULL);
}

int stage_tear_down(void **state)
{
	stage_finish(*state);
	return 0;
}

void stage_call(struct stage *stage, int nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	struct request *request = stage->request;

	/* Whatever the call before has left behind must not matter. */
	memset(request, 1, sizeof(*request)); /* true; no descriptor of anybody */
	stage->slot->notification = (struct seccomp_notif){
		.id = 1, .pid = (uint32_t)stage->target, .data = {.nr = nr, .args = {a, b, c, d}}};
	request->slot = stage->slot;
	request->id = 1;
	request->tid = stage->target;
	request->tgid = 0;
	request->resumed = false;
	request->result = 0;
	request->identity = &stage->broker.identity;
	request->verdict = (struct policy_verdict){.action = POLICY_ALLOW};
	request->place.path[0] = '\0';
}

int stage_decode(struct stage *stage)
{
	int result = decode(&stage->broker, stage->request);

	decode_release(stage->request);
	return result;
}

char *stage_memory(size_t pages)
{
	char *memory = mmap(NULL, (pages + 1) * STAGE_PAGE, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(memory != MAP_FAILED);
	assert_int_equal(munmap(memory + pages * STAGE_PAGE, STAGE_PAGE), 0);
	return memory;
}

uint64_t stage_at(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

void stage_renumber(int fd, int number)
{
	if (fd < 0 || dup2(fd, number) < 0) {
		abort();
	}
	close(fd);
}

void stage_open_natively(struct stage *stage, const char *path, const struct open_how *how,
	struct native_open *native)
{
	static struct command command;

	command.how = *how;
	assert_true(strlen(path) < sizeof(command.path));
	memcpy(command.path, path, strlen(path) + 1);
	/* A fuzzer's clock interrupts. */
	assert_int_equal(TEMP_FAILURE_RETRY(send(stage->channel, &command, sizeof(command), 0)),
		(ssize_t)sizeof(command));
	assert_int_equal(TEMP_FAILURE_RETRY(recv(stage->channel, native, sizeof(*native), 0)),
		(ssize_t)sizeof(*native));
}

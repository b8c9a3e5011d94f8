/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Acting and answering on real notifications: targets under a filter of their own that notifies
 * openat(2), and the broker's stages without its threads.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker_target.h"
#include "daemon/base/cleanup.h"
#include "daemon/broker/act.h"
#include "daemon/broker/answer.h"
#include "daemon/broker/notify.h"
#include "daemon/broker/resolve.h"
#include "daemon/broker/target_fd.h"

#define TARGETS 3
#define OPENS   4000 /* of each */
#define LIMIT   60   /* seconds, then a target was left waiting */

/* What a target does and gets; shared with it. */
static struct scene {
	_Atomic int listener; /* the number in the target; 0: not yet */
	int flags;
	char path[64];
	_Atomic int error, done;
	bool table_is_full;
	int opens;
} * scene;

static int load_filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {.len = array_length(code), .filter = code};

	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return (int)syscall(
		SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

static void open_again_and_again(void)
{
	for (int i = 0; i < scene->opens; i++) {
		int fd = openat(AT_FDCWD, scene->path, scene->flags, 0600);
		if (fd < 0) {
			atomic_store(&scene->error, errno);
		} else {
			close(fd);
		}
	}
	atomic_fetch_add(&scene->done, 1);
}

/* As many targets as are wanted under one filter; one is the group's leader. */
static pid_t start_targets(int count)
{
	pid_t pid = fork();

	if (pid != 0) {
		(void)setpgid(pid, pid);
		while (atomic_load(&scene->listener) == 0) {
			sched_yield();
		}
		return pid;
	}
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	int listener = load_filter();
	if (scene->table_is_full) {
		struct rlimit limit = {(rlim_t)listener + 1, (rlim_t)listener + 1};
		while (dup(0) >= 0 && dup(0) < listener) {
		}
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	atomic_store(&scene->listener, listener);
	for (int i = 1; i < count && fork() != 0; i++) {
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a child's own */
	open_again_and_again();
	for (;;) {
		pause();
	}
}

static void stop_targets(pid_t pid)
{
	kill(-pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void new_scene(int flags, int opens)
{
	memset(scene, 0, sizeof(*scene));
	strcpy(scene->path, "/tmp/answer-XXXXXX");
	cleanup_fd int fd = mkostemp(scene->path, O_CLOEXEC);
	assert_int_equal(write(fd, "precious", 8), 8);
	scene->flags = flags;
	scene->opens = opens;
}

static off_t size_of_file(void)
{
	struct stat st;

	return stat(scene->path, &st) < 0 ? -1 : st.st_size;
}

/* Receives one open and makes it a request that decoding and deciding have passed. */
static void receive(struct stage *stage, unsigned int operations)
{
	struct request *request = stage->request;
	struct seccomp_notif *notification = &stage->slot->notification;

	stage_call(stage, SYS_openat, 0, 0, 0, 0);
	memset(notification, 0, sizeof(*notification));
	assert_int_equal(notify_receive(stage->broker.listener, notification), 0);
	request->id = notification->id;
	request->tid = (pid_t)notification->pid;
	request->call = CALL_OPEN;
	request->open.how = (struct open_how){.flags = (uint64_t)(unsigned int)scene->flags,
		.mode = scene->flags & O_CREAT ? 0600 : 0};
	request->open.operations = operations;
	request->open.only_existing = false;
	request->place.start = request->place.root = request->place.object = -1;
	request->place.directory = -1;
	request->place.directory_owned = false;
	assert_int_equal(resolve(&stage->broker, request, scene->path,
				 (uint64_t)(unsigned int)scene->flags, 0, RESOLVE_FAST_IF_POSSIBLE),
		0);
}

static void serve_one(struct stage *stage)
{
	enum act_outcome outcome = act_open(&stage->broker, NULL, stage->request);

	assert_int_equal(outcome, ACT_DONE);
	answer(&stage->broker, stage->request, outcome);
	resolve_release(stage->request);
	while (atomic_load(&scene->done) == 0) {
		sched_yield();
	}
}

static pid_t begin(struct stage *stage, int count)
{
	pid_t pid = start_targets(count);

	stage->broker.listener = target_take_fd(pid, atomic_load(&scene->listener));
	assert_true(stage->broker.listener >= 0);
	return pid;
}

static void end(struct stage *stage, pid_t pid)
{
	stop_targets(pid);
	close_fd(&stage->broker.listener);
	unlink(scene->path);
}

/* An open that may not create asks whether the file is there: it is not even opened. */
static void what_must_not_exist_is_not_touched(void **state)
{
	struct stage *stage = *state;

	new_scene(O_WRONLY | O_CREAT | O_EXCL | O_TRUNC, 1);
	pid_t pid = begin(stage, 1);
	receive(stage, OPERATION_WRITE | OPERATION_CREATE);
	stage->request->open.only_existing = true;
	serve_one(stage);
	assert_int_equal(scene->error, EEXIST);
	assert_int_equal(size_of_file(), 8);
	end(stage, pid);
}

static void what_is_missing_and_may_not_be_made_is_denied(void **state)
{
	static const int flags[] = {
		O_WRONLY | O_CREAT | O_EXCL | O_TRUNC, O_WRONLY | O_CREAT | O_TRUNC};
	struct stage *stage = *state;

	for (size_t i = 0; i < array_length(flags); i++) {
		new_scene(flags[i], 1);
		unlink(scene->path);
		pid_t pid = begin(stage, 1);
		receive(stage, OPERATION_WRITE | OPERATION_CREATE);
		stage->request->open.only_existing = true;
		stage->request->open.verdict_if_missing =
			(struct policy_verdict){.action = POLICY_DENY, .error = EROFS};
		serve_one(stage);
		assert_int_equal(scene->error, EROFS);
		assert_int_equal(stage->request->verdict.action, POLICY_DENY);
		assert_int_equal(size_of_file(), -1);
		end(stage, pid);
	}
}

/* The kernel looks for a free number first: what it has none for is not emptied. */
static void a_full_table_empties_nothing(void **state)
{
	struct stage *stage = *state;

	new_scene(O_WRONLY | O_TRUNC, 1);
	scene->table_is_full = true;
	pid_t pid = begin(stage, 1);
	receive(stage, OPERATION_WRITE);
	serve_one(stage);
	assert_int_equal(scene->error, EMFILE);
	assert_int_equal(size_of_file(), 8);
	end(stage, pid);
}

static void an_open_that_may_is_done(void **state)
{
	struct stage *stage = *state;

	new_scene(O_WRONLY | O_TRUNC, 1);
	pid_t pid = begin(stage, 1);
	receive(stage, OPERATION_WRITE);
	serve_one(stage);
	assert_int_equal(scene->error, 0);
	assert_int_equal(size_of_file(), 0);
	assert_int_equal(stage->slot->state, SLOT_ANSWERED);
	end(stage, pid);
}

static void handle(int signal)
{
	(void)signal;
}

struct server {
	pthread_t thread;
	int listener;
};

/* The two steps of an answer, for whatever comes. */
static void *serve_all(void *argument)
{
	const struct server *server = argument;
	cleanup_fd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	for (;;) {
		struct seccomp_notif notification = {0};
		int error = notify_receive(server->listener, &notification);
		if (error == -EINTR || error == -ENOENT) {
			if (atomic_load(&scene->done) == TARGETS) {
				return NULL;
			}
			continue;
		}
		int number = notify_install_fd(server->listener, notification.id, null, true, -1);
		(void)notify_answer(server->listener, notification.id, number < 0 ? 0 : number,
			number < 0 ? -number : 0);
	}
}

/* Signals come at any moment of an answer, and each call is answered all the same. */
static void signals_lose_no_answer(void **state)
{
	struct stage *stage = *state;
	struct sigaction action = {.sa_handler = handle}; /* without SA_RESTART */
	struct server servers[2];

	new_scene(O_RDONLY, OPENS);
	sigaction(SIGUSR1, &action, NULL);
	pid_t pid = begin(stage, TARGETS);
	(void)alarm(LIMIT);
	for (size_t i = 0; i < array_length(servers); i++) {
		servers[i].listener = stage->broker.listener;
		assert_int_equal(
			pthread_create(&servers[i].thread, NULL, serve_all, &servers[i]), 0);
	}
	while (atomic_load(&scene->done) < TARGETS) {
		for (size_t i = 0; i < array_length(servers); i++) {
			pthread_kill(servers[i].thread, SIGUSR1);
		}
		usleep(20);
	}
	for (size_t i = 0; i < array_length(servers); i++) {
		while (pthread_kill(servers[i].thread, SIGUSR1) == 0 &&
			pthread_tryjoin_np(servers[i].thread, NULL) != 0) {
			usleep(1000);
		}
	}
	(void)alarm(0);
	assert_int_equal(scene->error, 0);
	end(stage, pid);
}

static int set_up(void **state)
{
	scene = mmap(
		NULL, sizeof(*scene), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return scene == MAP_FAILED ? -1 : stage_set_up(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_must_not_exist_is_not_touched),
		cmocka_unit_test(what_is_missing_and_may_not_be_made_is_denied),
		cmocka_unit_test(a_full_table_empties_nothing),
		cmocka_unit_test(an_open_that_may_is_done),
		cmocka_unit_test(signals_lose_no_answer),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, stage_tear_down);
}

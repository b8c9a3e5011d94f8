/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/programs.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/target.h"

#define KEPT     256u
#define FRESH_NS 1000000000u

struct kept {
	pid_t tid; /* 0: nobody */
	uint64_t noted_ns;
	struct program program;
};

/* Each thread has its place by its number, and takes it from who had it before. */
struct programs {
	pthread_mutex_t mutex;
	struct kept kept[KEPT];
};

struct programs *programs_new(void)
{
	struct programs *programs = calloc(1, sizeof(*programs));

	if (programs) {
		pthread_mutex_init(&programs->mutex, NULL);
	}
	return programs;
}

bool programs_ask(pid_t tid, struct program *program)
{
	cleanup_fd int fd = target_open_entry(tid, "comm", O_RDONLY);
	ssize_t length = fd < 0 ? 0 : read(fd, program->name, sizeof(program->name) - 1);
	program->name[length > 0 ? length - 1 : 0] = '\0';
	program->pid = length > 0 ? target_tgid(tid) : -1;
	return program->pid > 0;
}

static struct kept *place_of(struct programs *programs, pid_t tid)
{
	return &programs->kept[(unsigned int)tid % KEPT];
}

static bool is_fresh(struct programs *programs, pid_t tid, uint64_t now_ns)
{
	pthread_mutex_lock(&programs->mutex);
	const struct kept *kept = place_of(programs, tid);
	bool fresh = kept->tid == tid && now_ns - kept->noted_ns < FRESH_NS;
	pthread_mutex_unlock(&programs->mutex);
	return fresh;
}

void programs_note(struct programs *programs, pid_t tid, uint64_t now_ns)
{
	struct kept kept = {.tid = tid, .noted_ns = now_ns};

	if (!programs || is_fresh(programs, tid, now_ns) || !programs_ask(tid, &kept.program)) {
		return;
	}
	pthread_mutex_lock(&programs->mutex);
	*place_of(programs, tid) = kept;
	pthread_mutex_unlock(&programs->mutex);
}

bool programs_recall(struct programs *programs, pid_t tid, struct program *program)
{
	bool known = false;

	if (programs) {
		pthread_mutex_lock(&programs->mutex);
		const struct kept *kept = place_of(programs, tid);
		known = tid > 0 && kept->tid == tid;
		if (known) {
			*program = kept->program;
		}
		pthread_mutex_unlock(&programs->mutex);
	}
	return known;
}

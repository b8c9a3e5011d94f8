/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/parity/witness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/look.h"
#include "tests/parity/tree.h"

#define TEXT_SIZE 16384

enum task { TASK_MAKE, TASK_MAKE_OLD, TASK_REMEMBER, TASK_TELL, TASK_TELL_TREE, TASK_REMOVE };

struct question {
	uint64_t number;
	enum task task;
	char root[PATH_MAX];
};

struct answer {
	uint64_t number;
	int outcome;
	char text[TEXT_SIZE];
};

/* Cut off behind the name and the text that they hold. */
static size_t length_of_question(const struct question *question)
{
	return offsetof(struct question, root) + strlen(question->root) + 1;
}

static size_t length_of_answer(const struct answer *answer)
{
	return offsetof(struct answer, text) + strlen(answer->text) + 1;
}

static int make(const char *root, bool old)
{
	int error = mkdir(root, 0755) || chdir(root) ? -errno : tree_make(root);

	if (error < 0 || !old) {
		return error;
	}
	look_make_old(root);
	return look_remember(root);
}

/* Consumes the directory; what cannot be removed fails when the directory above it is. */
static void empty(int fd)
{
	DIR *directory = fdopendir(fd);
	struct dirent *entry;

	if (!directory) {
		close(fd);
		return;
	}
	while ((entry = readdir(directory))) {
		const char *name = entry->d_name;
		int child;

		if (!strcmp(name, ".") || !strcmp(name, "..") || !unlinkat(fd, name, 0)) {
			continue;
		}
		(void)fchmodat(fd, name, 0700, 0);
		child = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child >= 0) {
			empty(child);
		}
		(void)unlinkat(fd, name, AT_REMOVEDIR);
	}
	closedir(directory);
}

static int remove_tree(const char *root)
{
	int fd;

	if (chdir("/") || chmod(root, 0700)) {
		return -errno;
	}
	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		return -errno;
	}
	empty(fd);
	return rmdir(root) ? -errno : 0;
}

static int perform(const struct question *question, struct observation *observation)
{
	static char root[PATH_MAX]; /* of the tree that was made last */

	switch (question->task) {
	case TASK_MAKE:
	case TASK_MAKE_OLD:
		snprintf(root, sizeof(root), "%s", question->root);
		return make(question->root, question->task == TASK_MAKE_OLD);
	case TASK_REMEMBER:
		look_make_old(root);
		return look_remember(root);
	case TASK_TELL:
		return look_tell(observation);
	case TASK_TELL_TREE:
		return chdir(question->root) ? -errno : tree_observe_changes(observation);
	case TASK_REMOVE:
		return remove_tree(question->root);
	}
	return -EINVAL;
}

void witness_serve(int fd)
{
	static struct question question;
	static struct answer answer;

	umask(0);
	while (read(fd, &question, sizeof(question)) > 0) {
		struct observation observation = {answer.text, sizeof(answer.text), 0};

		answer.text[0] = '\0';
		answer.number = question.number;
		answer.outcome = perform(&question, &observation);
		if (write(fd, &answer, length_of_answer(&answer)) < 0) {
			break;
		}
	}
}

int witness_start(int fd)
{
	int ends[2] = {fd, -1};
	pid_t parent = getpid(), pid;

	if (fd < 0) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends)) {
			return -errno;
		}
		pid = fork();
		if (pid < 0) {
			return -errno;
		}
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (getppid() == parent) {
				close(ends[0]);
				witness_serve(ends[1]);
			}
			_exit(0);
		}
		close(ends[1]);
	}
	if (dup3(ends[0], WITNESS_FD, O_CLOEXEC) < 0) {
		return -errno;
	}
	close(ends[0]);
	return 0;
}

/* The outcome; what the witness said is added to the scene's line, if there is one. */
static int ask(enum task task, const char *root, struct scene *scene)
{
	static struct question question;
	static struct answer answer;
	static unsigned int count;

	question.number = (uint64_t)getpid() << 32 | ++count;
	question.task = task;
	snprintf(question.root, sizeof(question.root), "%s", root);
	if (write(WITNESS_FD, &question, length_of_question(&question)) < 0) {
		return -errno;
	}
	do {
		ssize_t got = read(WITNESS_FD, &answer, sizeof(answer));
		if (got <= 0) {
			return got < 0 ? -errno : -EPIPE;
		}
	} while (answer.number != question.number);
	if (scene) {
		tell(scene, "%s", answer.text);
	}
	return answer.outcome;
}

int witness_make(const char *root, bool old)
{
	return ask(old ? TASK_MAKE_OLD : TASK_MAKE, root, NULL);
}

int witness_remember(void)
{
	return ask(TASK_REMEMBER, "", NULL);
}

int witness_tell(struct scene *scene)
{
	return ask(TASK_TELL, "", scene);
}

int witness_tell_tree(struct scene *scene, const char *root)
{
	return ask(TASK_TELL_TREE, root, scene);
}

int witness_remove(const char *root)
{
	return ask(TASK_REMOVE, root, NULL);
}

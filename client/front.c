/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front of an embedded session: the process that the shell started and waits for. What the
 * terminal sends to the whole job reaches the program by itself; what somebody sends to us alone is
 * passed on. When the program stops we stop, when it ends we end in the same way.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/commands.h"
#include "client/embedded.h"
#include "daemon/base/cleanup.h"
#include "daemon/base/fdpass.h"
#include "daemon/base/limit.h"
#include "daemon/base/session_memory.h"
#include "daemon/base/wire.h"

#define QUICK_DEATH_SECONDS 10
#define QUICK_DEATHS_MAX    20

struct front {
	struct embedded *session;
	int signals; /* signalfd */
	time_t last_death;
	unsigned int quick_deaths;
	bool ended;
	int status; /* wait status, once ended */
};

static const int caught[] = {SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT,
	SIGTSTP, SIGWINCH, SIGALRM};

static void note_program(struct front *front, int status)
{
	if (WIFSTOPPED(status)) {
		/* Only a stop that cannot be caught tells the shell what happened. */
		raise(SIGSTOP);
	} else if (WIFEXITED(status) || WIFSIGNALED(status)) {
		front->ended = true;
		front->status = status;
	}
}

static bool is_from_outside(int signal)
{
	return signal == SIGKILL || signal == SIGTERM;
}

static void forgive(const struct embedded *session)
{
	struct session_memory *memory = NULL;

	if (session_memory_map(session->memory, &memory) == 0) {
		session_memory_forgive(memory);
		session_memory_unmap(memory);
	}
}

/* A broker that somebody has killed has done nothing wrong. */
static void note_broker(struct front *front, int status)
{
	time_t now = time(NULL);

	if (WIFSIGNALED(status) && is_from_outside(WTERMSIG(status))) {
		forgive(front->session);
		return;
	}
	front->quick_deaths =
		now - front->last_death < QUICK_DEATH_SECONDS ? front->quick_deaths + 1 : 0;
	front->last_death = now;
}

/* The broker is our child always, the program once its broker has died, and with it its orphans. */
static void reap(struct front *front)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
		if (pid == front->session->program) {
			note_program(front, status);
		} else if (pid == front->session->broker) {
			note_broker(front, status);
		}
	}
}

static void on_signal(struct front *front)
{
	struct signalfd_siginfo info;

	if (read(front->signals, &info, sizeof(info)) != sizeof(info)) {
		return;
	}
	if (info.ssi_signo == SIGCHLD) {
		reap(front);
	} else if (info.ssi_code <= 0 && info.ssi_signo != SIGTSTP) {
		/* From a process, not from the terminal, which has sent it to the program, too. */
		kill(front->session->program, (int)info.ssi_signo);
	}
}

/* Brokers that die again and again are replaced more and more slowly, then no more. */
static int replace_broker(struct front *front)
{
	if (front->quick_deaths >= QUICK_DEATHS_MAX || front->session->listener < 0) {
		return -ECONNABORTED;
	}
	if (front->quick_deaths > 2) {
		nanosleep(&(struct timespec){.tv_nsec = 5000000L * front->quick_deaths}, NULL);
	}
	return embedded_start_successor(front->session);
}

/* Without a broker the program can do nothing more. */
static void give_up(const struct front *front, const char *why)
{
	(void)fprintf(stderr, "usher: the broker died and cannot be replaced: %s\n", why);
	close_fd(&front->session->control);
	kill(front->session->program, SIGKILL);
}

static void on_broker_gone(struct front *front)
{
	struct embedded *session = front->session;
	int status;

	/* Its socket closes a moment before it can be waited for. */
	if (session->broker > 0 && waitpid(session->broker, &status, 0) == session->broker) {
		note_broker(front, status);
	}
	reap(front);
	if (front->ended) {
		return;
	}
	int error = replace_broker(front);
	if (error < 0) {
		give_up(front, strerror(-error));
	}
}

static void on_control(struct front *front)
{
	union {
		struct wire_header header;
		struct wire_child child;
		char room[sizeof(struct wire_refused) + WIRE_TEXT_MAX];
	} packet;
	int fds[FDPASS_MAX];
	size_t fd_count;
	ssize_t size =
		fdpass_receive(front->session->control, &packet, sizeof(packet), fds, &fd_count);

	if (size <= 0) {
		on_broker_gone(front);
		return;
	}
	/* A successor says READY, or why not; then it ends and that is noticed above. */
	int error = wire_check(WIRE_PHASE_READY, &packet, (size_t)size, fd_count);
	if (error < 0) {
		fdpass_close_all(fds, fd_count);
		if (error == -EPROTONOSUPPORT) {
			give_up(front, "usher-broker is of another release by now; start the "
				       "program again");
		}
	} else if (wire_type_of(&packet) == WIRE_CHILD) {
		note_program(front, packet.child.status);
	} else if (wire_type_of(&packet) == WIRE_REFUSED) {
		(void)fprintf(stderr, "usher: %s\n", packet.room + sizeof(struct wire_refused));
	}
}

/* Dies as the program died, without a core of our own. */
static int end_like(int status)
{
	const struct rlimit no_core = {0};
	sigset_t all;

	if (!WIFSIGNALED(status)) {
		return WEXITSTATUS(status);
	}
	setrlimit(RLIMIT_CORE, &no_core);
	(void)signal(WTERMSIG(status), SIG_DFL);
	sigfillset(&all);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	raise(WTERMSIG(status));
	return 128 + WTERMSIG(status);
}

void front_lift_file_limit(void)
{
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)limit_to_most(RLIMIT_FSIZE);
}

static int watch(struct front *front)
{
	while (!front->ended) {
		struct pollfd polled[2] = {{.fd = front->signals, .events = POLLIN},
			{.fd = front->session->control, .events = POLLIN}};
		if (poll(polled, 2, -1) < 0 && errno != EINTR) {
			return EXIT_RUN;
		}
		if (polled[1].revents) {
			on_control(front);
		}
		if (polled[0].revents) {
			on_signal(front);
		}
	}
	return end_like(front->status);
}

int front_run(struct embedded *session)
{
	struct front front = {.session = session, .signals = -1};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < array_length(caught); i++) {
		sigaddset(&set, caught[i]);
	}
	sigprocmask(SIG_BLOCK, &set, NULL);
	front.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (front.signals < 0) {
		return EXIT_RUN;
	}
	/* What ended before the signals were caught. */
	reap(&front);
	return watch(&front);
}

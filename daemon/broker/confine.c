/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/confine.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static int raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
		return -errno;
	}
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}

/* Limits of whoever started us are the target's affair: they would strike us with signals. */
static void ignore_signals(void)
{
	static const int ignored[] = {
		SIGPIPE, SIGINT, SIGQUIT, SIGHUP, SIGTSTP, SIGTTOU, SIGTTIN, SIGXFSZ, SIGUSR2};

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) {
		(void)signal(ignored[i], SIG_IGN);
	}
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

int confine(int last_fd)
{
	const struct rlimit no_core = {0};

	ignore_signals();
	umask(0);
	/* As root of a tree of our own: what the terminal sends to the program's group is not for
	 * us. */
	(void)setpgid(0, 0);
	if (close_range((unsigned int)last_fd + 1, ~0u, 0) < 0 ||
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &no_core) < 0) {
		return -errno;
	}
	return raise_descriptor_limit();
}

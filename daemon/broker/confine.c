/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/limit.h"
#include "daemon/broker/confine_calls.h"
#include "daemon/broker/identity.h"

/* A thousand calls at work, with the largest attributes and messages there are, need less. */
#define DATA_MAX (1ull << 30)

#define RSEQ_SIZE_MIN 32u /* of what is registered; the C library tells what of it is used */

/* A sanitizer's shadow of all memory is data, too. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DATA_IS_COUNTED false
#else
#define DATA_IS_COUNTED true
#endif

/* Limits of whoever started us are the target's affair: they would strike us with signals. */
static void ignore_signals(void)
{
	static const int ignored[] = {
		SIGPIPE, SIGINT, SIGQUIT, SIGHUP, SIGTSTP, SIGTTOU, SIGTTIN, SIGXFSZ, SIGUSR2};

	for (size_t i = 0; i < array_length(ignored); i++) {
		(void)signal(ignored[i], SIG_IGN);
	}
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Lowers both limits to `most`; 0 or a negative errno. */
static int limit(__rlimit_resource_t resource, rlim_t most)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0) {
		return -errno;
	}
	limit.rlim_max = limit.rlim_max < most ? limit.rlim_max : most;
	limit.rlim_cur = limit.rlim_cur < limit.rlim_max ? limit.rlim_cur : limit.rlim_max;
	return setrlimit(resource, &limit) < 0 ? -errno : 0;
}

/*
 * No dump of what was read of a target; memory has an end; descriptors as many as there may be, and
 * files as large: what is too large for a target its own limit says (act_object.c).
 * Memory is locked for targets that send without a copy (MSG_ZEROCOPY): their limit is ours.
 */
static int confine_resources(void)
{
	int error = limit(RLIMIT_CORE, 0);

	if (error == 0) {
		error = limit(RLIMIT_MSGQUEUE, 0);
	}
	if (error == 0 && DATA_IS_COUNTED) {
		error = limit(RLIMIT_DATA, DATA_MAX);
	}
	if (error == 0) {
		error = limit_to_most(RLIMIT_NOFILE);
	}
	return error < 0 ? error : limit_to_most(RLIMIT_FSIZE);
}

/* Nothing is inheritable either, which empties the ambient set. */
int confine_capabilities(uint64_t given_up)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &header, data) < 0) {
		return -errno;
	}
	for (unsigned int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		uint32_t lost = (uint32_t)(given_up >> (32 * i));
		data[i].permitted &= ~lost;
		data[i].effective &= ~lost;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static int confine_process(int last_fd)
{
	ignore_signals();
	umask(0);
	/* As root of a tree of our own: what the terminal sends to the program's group is not for
	 * us. */
	(void)setpgid(0, 0);
	if (close_range((unsigned int)last_fd + 1, ~0u, 0) < 0 ||
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) {
		return -errno;
	}
	return 0;
}

/*
 * The C library has the kernel write down for each thread on which processor it runs (rseq(2)),
 * whenever it has been switched to: twice in an open. Nothing here asks for that. A thread that has
 * none makes threads that have none; where it cannot be given up it costs time and no more.
 */
static void forget_processor(void)
{
	unsigned int size = __rseq_size < RSEQ_SIZE_MIN ? RSEQ_SIZE_MIN : __rseq_size;

	if (__rseq_size > 0) {
		(void)syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, size,
			RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
	}
}

int confine(int last_fd)
{
	int error = confine_process(last_fd);

	forget_processor();
	if (error == 0) {
		error = confine_resources();
	}
	if (error == 0) {
		error = confine_capabilities(IDENTITY_CAPABILITIES_UNUSED);
	}
	return error < 0 ? error : confine_calls();
}

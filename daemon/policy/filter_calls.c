/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls that are never notified: a program does not expect them to wait or to fail with EINTR,
 * nobody tries them again, and a session whose broker is gone for a moment must still be able to
 * end, to return from a signal and to let go of a descriptor.
 */
#include "daemon/policy/filter_calls.h"

#include <seccomp.h>
#include <stddef.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/filter.h"

static const int never[] = {
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(pread64),
	SCMP_SYS(preadv),
	SCMP_SYS(preadv2),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(pwrite64),
	SCMP_SYS(pwritev),
	SCMP_SYS(pwritev2),
	SCMP_SYS(close),
	SCMP_SYS(close_range),
	SCMP_SYS(dup),
	SCMP_SYS(dup2),
	SCMP_SYS(dup3),
	SCMP_SYS(fork),
	SCMP_SYS(vfork),
	SCMP_SYS(clone3),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigreturn),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigsuspend),
	SCMP_SYS(rt_sigtimedwait),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(futex),
	SCMP_SYS(mmap),
	SCMP_SYS(munmap),
	SCMP_SYS(mprotect),
	SCMP_SYS(mremap),
	SCMP_SYS(brk),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(select),
	SCMP_SYS(pselect6),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2),
	SCMP_SYS(wait4),
	SCMP_SYS(waitid),
	SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(pause),
	SCMP_SYS(sched_yield),
	SCMP_SYS(kill),
	SCMP_SYS(tkill),
	SCMP_SYS(tgkill),
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(set_tid_address),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
};

static const int conditional_only[] = {
	SCMP_SYS(clone),
	SCMP_SYS(prctl),
	SCMP_SYS(seccomp),
	SCMP_SYS(ptrace),
};

static bool is_among(int nr, const int *numbers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (numbers[i] == nr) {
			return true;
		}
	}
	return false;
}

bool filter_may_notify(int nr)
{
	return !is_among(nr, never, array_length(never));
}

bool filter_clause_may_notify(int nr, bool conditional)
{
	return filter_may_notify(nr) &&
	       (conditional || !is_among(nr, conditional_only, array_length(conditional_only)));
}

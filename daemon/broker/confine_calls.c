/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a table of our own, where the targets have their policy: a broker that has been taken over by
 * the bytes it reads of a target must not become more than what it is. It starts no program, maps
 * nothing executable, traces nobody, and makes no process but helpers that share its memory and run
 * while it waits.
 *
 * A call that is not in the table traps instead of failing silently or killing: a libc that does
 * the same by another call costs one refused operation and a line that names it, and no session.
 */
#include "daemon/broker/confine_calls.h"

#include <errno.h>
#include <linux/nsfs.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <ucontext.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/supervisor.h"
#include "daemon/policy/syscall_younger.h"

#define CALLS_TOLD 1024

/* Of arguments that are flags or numbers: (argument & mask) == value. */
struct condition {
	unsigned int argument;
	uint64_t mask, value;
};

struct allowance {
	int call;
	bool is_conditional;
	struct condition condition;
};

#define CALL(name)                     \
	{                              \
		.call = SCMP_SYS(name) \
	}
#define CALL_IF(name, number, bits, wanted)                                    \
	{                                                                      \
		.call = SCMP_SYS(name), .is_conditional = true, .condition = { \
			.argument = (number),                                  \
			.mask = (bits),                                        \
			.value = (wanted)                                      \
		}                                                              \
	}

#define NUMBER       UINT32_MAX /* of an int */
#define HELPER_FLAGS (CLONE_VM | CLONE_VFORK | CLONE_FILES)

/* Serving: the listener, the supervisor, the loop. First, since the filter is searched in order. */
static const struct allowance serving[] = {
	CALL_IF(ioctl, 1, 0xff00, SECCOMP_IOC_MAGIC << 8),
	CALL_IF(ioctl, 1, NUMBER, FIONBIO),       /* libuv */
	CALL_IF(ioctl, 1, NUMBER, SIOCSIFFLAGS),  /* dns_space.c: its loopback */
	CALL_IF(ioctl, 1, NUMBER, NS_GET_NSTYPE), /* admit.c */
	CALL_IF(ioctl, 1, NUMBER, NS_GET_USERNS), /* namespaces.c */
	CALL_IF(seccomp, 0, NUMBER, SECCOMP_GET_NOTIF_SIZES),
	CALL(close),
	CALL(fcntl),
	CALL(poll),
	CALL(ppoll),
	CALL(epoll_create1),
	CALL(epoll_ctl),
	CALL(epoll_pwait),
	CALL(epoll_wait),
	CALL(eventfd2),
	CALL(pipe2),
	CALL(read),
	CALL(write),
	CALL(readv),
	CALL(writev),
	CALL(sendmsg),
	CALL(sendto),
	CALL(recvmsg),
	CALL(recvfrom),
	CALL(wait4),
	CALL(waitid),
	CALL(pause),
};

/* Looking at a target, and writing results into it. */
static const struct allowance target[] = {
	CALL(process_vm_readv),
	CALL(process_vm_writev),
	CALL(pidfd_open),
	CALL(pidfd_getfd),
	CALL(kcmp), /* epoll_carry.c; and these */
	CALL(dup2),
	CALL(dup3),
	CALL(close_range),
	CALL(pread64),
	CALL(pwrite64),
	CALL(prlimit64),
	CALL(kill),
	CALL(tgkill),
	/* members.c */
	CALL(pidfd_send_signal),
};

/* Being the target: its ids, its umask, its namespaces. */
static const struct allowance identity[] = {
	CALL(capget),
	CALL(capset),
	CALL(setgroups),
	CALL(setresgid),
	CALL(setresuid),
	CALL(setfsgid),
	CALL(setfsuid),
	CALL(umask),
	CALL(unshare),
	CALL(setns),
	CALL(getuid),
	CALL(geteuid),
	CALL(getgid),
	CALL(getegid),
	CALL(getgroups),
	CALL(getresuid),
	CALL(getresgid),
};

/* What is done for a target on files: all that daemon/broker/path_call.c knows. */
static const struct allowance files[] = {
	CALL(openat2),
	CALL(openat),
	CALL(open),
	CALL(statx),
	CALL(fstat),
	CALL(newfstatat),
	CALL(stat),
	CALL(lstat),
	CALL(fstatfs),
	CALL(statfs),
	CALL(readlinkat),
	CALL(readlink),
	CALL(getdents64),
	CALL(lseek),
	CALL(access),
	CALL(faccessat),
	CALL(faccessat2),
	CALL(chdir),
	CALL(fchdir),
	CALL(mkdirat),
	CALL(mknodat),
	CALL(linkat),
	CALL(symlinkat),
	CALL(unlinkat),
	CALL(renameat),
	CALL(renameat2),
	CALL(truncate),
	CALL(ftruncate),
	CALL(fchmod),
	CALL(fchmodat),
	CALL(fchmodat2),
	CALL(chmod),
	CALL(fchown),
	CALL(fchownat),
	CALL(utimensat),
	CALL(getxattr),
	CALL(lgetxattr),
	CALL(fgetxattr),
	CALL(setxattr),
	CALL(lsetxattr),
	CALL(fsetxattr),
	CALL(listxattr),
	CALL(llistxattr),
	CALL(flistxattr),
	CALL(removexattr),
	CALL(lremovexattr),
	CALL(fremovexattr),
	CALL(inotify_add_watch),
	CALL(landlock_create_ruleset), /* act_bind.c */
	CALL(landlock_add_rule),
	CALL(landlock_restrict_self),
	CALL(name_to_handle_at),
};

/* What is done for a target on sockets. */
static const struct allowance sockets[] = {
	CALL(socket),
	CALL(connect),
	CALL(bind),
	CALL(listen),
	CALL(accept4),
	CALL(shutdown),
	CALL(getsockname),
	CALL(getpeername),
	CALL(getsockopt),
	CALL(setsockopt),
};

/* Living: threads, memory, time, signals, the end. Nothing that could be executed is mapped. */
static const struct allowance living[] = {
	CALL(futex),
	CALL_IF(clone, 0, CLONE_THREAD, CLONE_THREAD),
	CALL_IF(clone, 0, HELPER_FLAGS | CLONE_THREAD, HELPER_FLAGS), /* helper.c */
	CALL(set_robust_list),
	CALL(rseq),
	CALL(gettid),
	CALL(getpid),
	CALL(sched_yield),
	CALL(sched_getaffinity),
	CALL_IF(mmap, 2, PROT_EXEC, 0),
	CALL_IF(mprotect, 2, PROT_EXEC, 0),
	CALL(munmap),
	CALL(mremap),
	CALL(madvise),
	CALL(brk),
	CALL(clock_gettime),
	CALL(clock_nanosleep),
	CALL(nanosleep),
	CALL(gettimeofday),
	CALL(getrandom),
	CALL(rt_sigaction),
	CALL(rt_sigprocmask),
	CALL(rt_sigreturn),
	CALL(rt_sigtimedwait),
	CALL(sigaltstack),
	CALL(restart_syscall),
	CALL_IF(prctl, 0, NUMBER, PR_SET_NAME),
	CALL(uname),
	CALL(exit),
	CALL(exit_group),
};

static const struct purpose {
	const struct allowance *allowances;
	size_t count;
} purposes[] = {
	{serving, array_length(serving)},
	{target, array_length(target)},
	{identity, array_length(identity)},
	{files, array_length(files)},
	{sockets, array_length(sockets)},
	{living, array_length(living)},
};

/* As if the kernel had refused the call: the trap has left its number where the result belongs. */
static void set_result(ucontext_t *context, long result)
{
#if defined(__x86_64__)
	context->uc_mcontext.gregs[REG_RAX] = result;
#elif defined(__aarch64__)
	context->uc_mcontext.regs[0] = (unsigned long)result;
#else
#error "where does this machine return the result of a system call?"
#endif
}

static void on_refused(int number, siginfo_t *info, void *context)
{
	static atomic_bool told[CALLS_TOLD];
	unsigned int call = (unsigned int)info->si_syscall;
	char text[128];

	(void)number;
	if (!atomic_exchange(&told[call % CALLS_TOLD], true)) {
		(void)snprintf(text, sizeof(text),
			"it asked for system call %u, which a broker never makes: refused", call);
		(void)supervisor_tell(-EPERM, text);
	}
	set_result(context, -EPERM);
}

static int allow(scmp_filter_ctx filter, const struct allowance *allowance)
{
	const struct condition *condition = &allowance->condition;
	struct scmp_arg_cmp compare = {.arg = condition->argument,
		.op = SCMP_CMP_MASKED_EQ,
		.datum_a = condition->mask,
		.datum_b = condition->value};

	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, allowance->call,
		allowance->is_conditional ? 1 : 0, &compare);
}

static int allow_all(scmp_filter_ctx filter)
{
	int error = 0;

	for (size_t i = 0; i < array_length(purposes) && error == 0; i++) {
		for (size_t j = 0; j < purposes[i].count && error == 0; j++) {
			error = allow(filter, &purposes[i].allowances[j]);
		}
	}
	return error;
}

int confine_calls(void)
{
	struct sigaction action = {.sa_sigaction = on_refused, .sa_flags = SA_SIGINFO};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);

	if (!filter || sigaction(SIGSYS, &action, NULL) < 0) {
		seccomp_release(filter);
		return filter ? -errno : -ENOMEM;
	}
	int error = allow_all(filter);
	if (error == 0) { /* the C library then makes threads by clone, whose flags can be seen */
		error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	}
	/* The listener's ioctls are what each notification needs three times. */
	if (error == 0) {
		error = seccomp_syscall_priority(filter, SCMP_SYS(ioctl), UINT8_MAX);
	}
	if (error == 0) {
		error = seccomp_load(filter);
	}
	seccomp_release(filter);
	return error;
}

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
#include <linux/filter.h>
#include <linux/nsfs.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/supervisor.h"
#include "daemon/policy/filter_program.h"
#include "daemon/policy/syscall_younger.h"

#define CALLS_TOLD 1024

/* Of arguments that are flags or numbers, in their lower halves: (argument & mask) == value. */
struct condition {
	unsigned int argument;
	uint32_t mask, value;
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

/* Serving: the listener, the supervisor, the loop. */
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

#define ALLOWANCES                                                               \
	(array_length(serving) + array_length(target) + array_length(identity) + \
		array_length(files) + array_length(sockets) + array_length(living))
#define CONDITION_INSTRUCTIONS 4

/* The filter in the making: a call with conditions has a block, in which they are tried in turn. */
struct making {
	struct filter_dispatch dispatch;
	struct sock_filter instructions[ALLOWANCES * (CONDITION_INSTRUCTIONS + 1)];
	size_t count;
	size_t starts[ALLOWANCES];
	size_t block_count;
};

static void put(struct making *making, struct sock_filter instruction)
{
	making->instructions[making->count++] = instruction;
}

static void put_condition(struct making *making, const struct condition *condition)
{
	size_t offset = offsetof(struct seccomp_data, args[condition->argument]);

	put(making, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
	put(making, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, condition->mask));
	put(making,
		(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, condition->value, 0, 1));
	put(making, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
}

/* One with conditions; those of one call stand one behind the other. */
static void add_conditional(
	struct making *making, const struct allowance *allowance, bool is_first, bool is_last)
{
	if (is_first) {
		making->dispatch.actions[allowance->call] =
			FILTER_TO_BLOCK | (uint32_t)making->block_count;
		making->starts[making->block_count++] = making->count;
	}
	put_condition(making, &allowance->condition);
	if (is_last) {
		put(making, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP));
	}
}

static void add(struct making *making, const struct purpose *purpose)
{
	const struct allowance *allowances = purpose->allowances;

	for (size_t i = 0; i < purpose->count; i++) {
		int call = allowances[i].call;

		if (call < 0) {
			continue; /* this machine has none of that name */
		}
		if (!allowances[i].is_conditional) {
			making->dispatch.actions[call] = SECCOMP_RET_ALLOW;
			continue;
		}
		add_conditional(making, &allowances[i], i == 0 || allowances[i - 1].call != call,
			i + 1 == purpose->count || allowances[i + 1].call != call);
	}
}

static int make_filter(struct filter *filter)
{
	cleanup_free struct making *making = calloc(1, sizeof(*making));

	if (!making) {
		return -ENOMEM;
	}
	making->dispatch.beyond = SECCOMP_RET_TRAP;
	making->dispatch.foreign = SECCOMP_RET_KILL_PROCESS;
	for (size_t i = 0; i < FILTER_CALLS; i++) {
		making->dispatch.actions[i] = SECCOMP_RET_TRAP;
	}
	for (size_t i = 0; i < array_length(purposes); i++) {
		add(making, &purposes[i]);
	}
	/* The C library then makes threads by clone, whose flags can be seen. */
	making->dispatch.actions[SCMP_SYS(clone3)] = SECCOMP_RET_ERRNO | ENOSYS;
	const struct filter_code blocks = {.instructions = making->instructions,
		.count = making->count,
		.starts = making->starts};
	return filter_program_make(filter, &making->dispatch, &blocks);
}

int confine_calls(void)
{
	struct sigaction action = {.sa_sigaction = on_refused, .sa_flags = SA_SIGINFO};
	struct filter filter;
	int error = make_filter(&filter);

	if (error < 0) {
		return error;
	}
	const struct sock_fprog program = {
		.len = (unsigned short)filter.count, .filter = filter.instructions};
	if (sigaction(SIGSYS, &action, NULL) < 0 ||
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0) {
		error = -errno;
	}
	filter_finish(&filter);
	return error;
}

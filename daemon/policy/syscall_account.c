/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of all calls. Calls with the same reason stand together; numbers that this machine does
 * not have are negative, and nobody's. A call stands once: with the strongest that is true of it
 * (some of what is refused or watched is so with some arguments only).
 */
#include "daemon/policy/syscall_account.h"

#include <assert.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/policy.h"
#include "daemon/policy/syscall_names.h"
#include "daemon/policy/syscall_younger.h"

static const struct {
	enum account_kind kind;
	const char *text;
} reasons[] = {
	[MEDIATED_PATH] = {ACCOUNT_MEDIATED, "takes a path"},
	[MEDIATED_ADDRESS] = {ACCOUNT_MEDIATED, "takes an address"},
	[MEDIATED_LISTEN] = {ACCOUNT_MEDIATED, "binds a socket that is not bound yet"},
	[MEDIATED_SOCKET] = {ACCOUNT_MEDIATED,
		"makes sockets, which [sockets] decides on by numbers alone"},
	[MEDIATED_PROGRAM] = {ACCOUNT_MEDIATED, "starts a program, which Landlock decides on"},
	[WATCHED_PLACE] = {ACCOUNT_WATCHED, "changes where a path begins"},
	[WATCHED_IDENTITY] = {ACCOUNT_WATCHED, "changes on whose behalf the broker acts"},
	[WATCHED_MODE] = {ACCOUNT_WATCHED, "changes the modes of what the broker makes"},
	[WATCHED_REACH] = {ACCOUNT_WATCHED,
		"reaches into another process, which must be of the session"},
	[WATCHED_EPOLL] = {ACCOUNT_WATCHED,
		"watches sockets, which `net = broker` changes for others"},
	[WATCHED_PROBE] = {ACCOUNT_WATCHED,
		"can take rights away only; one of its operations is the probe"},
	[WATCHED_MOUNT] = {ACCOUNT_WATCHED,
		"gives files other names, and is for who has a mount namespace of its own"},
	[REFUSED_YOUNGER] = {ACCOUNT_REFUSED, "does what an older call does, which is mediated"},
	[REFUSED_KERNEL] = {ACCOUNT_REFUSED, "has the kernel itself open what is named"},
	[REFUSED_ROUND] = {ACCOUNT_REFUSED,
		"gets at files and processes without a name that could be judged"},
	[REFUSED_HELPER] = {ACCOUNT_REFUSED,
		"has the kernel start a program outside of the session"},
	[REFUSED_ROUTE] = {ACCOUNT_REFUSED,
		"can lead what is sent by other hosts than the one that was judged"},
	[REFUSED_CORE] = {ACCOUNT_REFUSED, "lets the kernel make a file where a program dies"},
	[REFUSED_LAYER] = {ACCOUNT_REFUSED,
		"confines its caller, and not the broker that acts for it"},
	[HARMLESS_DESCRIPTOR] = {ACCOUNT_HARMLESS,
		"works on descriptors that the caller has already"},
	[HARMLESS_NAMELESS] = {ACCOUNT_HARMLESS, "makes something that has no name"},
	[HARMLESS_MEMORY] = {ACCOUNT_HARMLESS, "is about the caller's own memory"},
	[HARMLESS_SELF] = {ACCOUNT_HARMLESS, "is about the caller only"},
	[HARMLESS_PROCESS] = {ACCOUNT_HARMLESS, "is about processes, which it calls by numbers"},
	[HARMLESS_TIME] = {ACCOUNT_HARMLESS, "is about time"},
	[HARMLESS_OTHER_NAMES] = {ACCOUNT_HARMLESS, "takes names that are not those of files"},
	[HARMLESS_TELLING] = {ACCOUNT_HARMLESS, "tells of the machine what everybody may know"},
	[HARMLESS_MACHINE] = {ACCOUNT_HARMLESS,
		"is for those who rule the machine, whom no policy holds"},
	[HARMLESS_GONE] = {ACCOUNT_HARMLESS, "is in no kernel any more"},
};
static_assert(array_length(reasons) == ACCOUNT_REASONS, "every reason has its words");

struct group {
	struct syscall_account account;
	const int *numbers;
	size_t count;
};

#define N SCMP_SYS
#define GROUP(reason, operations, ...)                                   \
	{                                                                \
		{reason, operations}, (const int[]){__VA_ARGS__},        \
			sizeof((const int[]){__VA_ARGS__}) / sizeof(int) \
	}
/* A hard link must not allow what its file's other name does not: each of these is asked. */
#define OPERATIONS_BROKERED (OPERATIONS_FILES & ~(unsigned int)OPERATION_EXECUTE)

/* clang-format off */
static const struct group groups[] = {
	GROUP(MEDIATED_PATH, OPERATIONS_OPEN | OPERATION_STAT,
		N(open), N(openat), N(openat2)),
	GROUP(MEDIATED_PATH, OPERATION_WRITE | OPERATION_CREATE,
		N(creat)),
	GROUP(MEDIATED_PATH, OPERATION_WRITE,
		N(truncate)),
	GROUP(MEDIATED_PATH, OPERATION_REMOVE,
		N(unlink), N(unlinkat), N(rmdir)),
	GROUP(MEDIATED_PATH, OPERATIONS_BROKERED,
		N(rename), N(renameat), N(renameat2), N(link), N(linkat)),
	GROUP(MEDIATED_PATH, OPERATION_CREATE,
		N(symlink), N(symlinkat), N(mkdir), N(mkdirat), N(mknod), N(mknodat)),
	GROUP(MEDIATED_PATH, OPERATION_METADATA,
		N(chmod), N(fchmod), N(fchown), N(fsetxattr), N(fremovexattr), N(fchmodat), N(fchmodat2), N(chown), N(lchown), N(fchownat), N(utime),
		N(utimes), N(futimesat), N(utimensat), N(setxattr), N(lsetxattr), N(removexattr),
		N(lremovexattr)),
	GROUP(MEDIATED_PATH, OPERATION_STAT,
		N(stat), N(lstat), N(newfstatat), N(statx), N(access), N(faccessat), N(faccessat2),
		N(readlink), N(readlinkat), N(getxattr), N(lgetxattr), N(listxattr), N(llistxattr),
		N(statfs), N(inotify_add_watch), N(name_to_handle_at), N(chdir)),
	GROUP(MEDIATED_ADDRESS, OPERATION_CONNECT,
		N(connect), N(sendto), N(sendmsg), N(sendmmsg)),
	GROUP(MEDIATED_ADDRESS, OPERATION_BIND | OPERATION_CREATE,
		N(bind)),
	GROUP(MEDIATED_LISTEN, OPERATION_BIND,
		N(listen)),
	GROUP(MEDIATED_SOCKET, 0,
		N(socket), N(socketpair)),
	GROUP(MEDIATED_PROGRAM, OPERATION_EXECUTE,
		N(execve), N(execveat)),
	GROUP(WATCHED_PLACE, 0,
		N(chroot), N(unshare), N(setns), N(clone)),
	GROUP(WATCHED_IDENTITY, 0,
		N(setuid), N(setgid), N(setreuid), N(setregid), N(setresuid), N(setresgid),
		N(setfsuid), N(setfsgid), N(setgroups), N(capset), N(prctl)),
	GROUP(WATCHED_MODE, 0,
		N(umask)),
	GROUP(WATCHED_REACH, 0,
		N(ptrace), N(process_vm_readv), N(process_vm_writev)),
	GROUP(WATCHED_EPOLL, 0,
		N(epoll_create), N(epoll_create1)),
	GROUP(WATCHED_PROBE, 0,
		N(seccomp)),
	GROUP(WATCHED_MOUNT, 0,
		N(mount), N(umount2), N(move_mount), N(mount_setattr), N(open_tree),
		N(open_tree_attr), N(fsopen), N(fspick), N(fsconfig), N(fsmount), N(pivot_root)),
	GROUP(REFUSED_YOUNGER, 0,
		N(clone3), N(setxattrat), N(removexattrat), N(getxattrat), N(listxattrat),
		N(file_getattr), N(file_setattr)),
	GROUP(REFUSED_KERNEL, 0,
		N(acct), N(swapon), N(swapoff), N(quotactl), N(uselib), N(bpf)),
	GROUP(REFUSED_ROUND, 0,
		N(io_uring_setup), N(io_uring_enter), N(io_uring_register), N(open_by_handle_at),
		N(fanotify_init), N(fanotify_mark), N(pidfd_getfd), N(perf_event_open),
		N(ioctl)),
	GROUP(REFUSED_HELPER, 0,
		N(request_key)),
	GROUP(REFUSED_ROUTE, 0,
		N(setsockopt)),
	GROUP(REFUSED_CORE, 0,
		N(setrlimit), N(prlimit64)),
	GROUP(REFUSED_LAYER, 0,
		N(landlock_create_ruleset), N(landlock_restrict_self)),
	GROUP(HARMLESS_DESCRIPTOR, 0,
		N(read), N(write), N(close), N(fstat), N(poll), N(lseek), N(pread64),
		N(pwrite64), N(readv), N(writev), N(select), N(dup), N(dup2), N(sendfile),
		N(accept), N(recvfrom), N(recvmsg), N(shutdown), N(getsockname),
		N(getpeername), N(getsockopt), N(fcntl), N(flock), N(fsync),
		N(fdatasync), N(ftruncate), N(getdents), N(fchdir), N(fstatfs), N(readahead),
		N(fgetxattr), N(flistxattr), N(io_setup), N(io_destroy), N(io_getevents),
		N(io_submit), N(io_cancel), N(io_pgetevents), N(getdents64), N(fadvise64),
		N(epoll_wait), N(epoll_ctl), N(inotify_rm_watch), N(pselect6), N(ppoll), N(splice),
		N(tee), N(sync_file_range), N(vmsplice), N(epoll_pwait), N(epoll_pwait2),
		N(fallocate), N(timerfd_settime), N(timerfd_gettime), N(accept4), N(dup3),
		N(preadv), N(pwritev), N(preadv2), N(pwritev2), N(recvmmsg), N(syncfs),
		N(copy_file_range), N(close_range), N(quotactl_fd), N(cachestat)),
	GROUP(HARMLESS_NAMELESS, 0,
		N(pipe), N(pipe2), N(inotify_init),
		N(inotify_init1), N(signalfd), N(signalfd4), N(timerfd_create), N(eventfd),
		N(eventfd2), N(memfd_create), N(memfd_secret), N(userfaultfd)),
	GROUP(HARMLESS_MEMORY, 0,
		N(mmap), N(mprotect), N(munmap), N(brk), N(mremap), N(msync), N(mincore),
		N(madvise), N(mlock), N(munlock), N(mlockall), N(munlockall), N(mlock2),
		N(remap_file_pages), N(mbind), N(set_mempolicy), N(get_mempolicy),
		N(set_mempolicy_home_node), N(pkey_mprotect), N(pkey_alloc), N(pkey_free),
		N(map_shadow_stack), N(mseal), N(membarrier), N(modify_ldt)),
	GROUP(HARMLESS_SELF, 0,
		N(rt_sigaction), N(rt_sigprocmask), N(rt_sigreturn), N(rt_sigpending),
		N(rt_sigsuspend), N(rt_sigtimedwait), N(sigaltstack), N(exit), N(exit_group),
		N(fork), N(vfork), N(getpid), N(getppid), N(gettid), N(getuid), N(getgid),
		N(geteuid), N(getegid), N(getresuid), N(getresgid), N(getgroups), N(getpgrp),
		N(setsid), N(getcwd), N(personality), N(arch_prctl), N(set_tid_address),
		N(restart_syscall), N(set_robust_list), N(rseq), N(capget), N(futex),
		N(futex_waitv), N(futex_wake), N(futex_wait), N(futex_requeue), N(sched_yield),
		N(getcpu), N(getrandom), N(landlock_add_rule),
		N(lsm_get_self_attr), N(lsm_set_self_attr), N(uretprobe),
		N(uprobe)),
	GROUP(HARMLESS_PROCESS, 0,
		N(kill), N(tkill), N(tgkill), N(rt_sigqueueinfo), N(rt_tgsigqueueinfo), N(wait4),
		N(waitid), N(setpgid), N(getpgid), N(getsid), N(getpriority), N(setpriority),
		N(sched_setparam), N(sched_getparam), N(sched_setscheduler), N(sched_getscheduler),
		N(sched_setaffinity), N(sched_getaffinity), N(sched_setattr), N(sched_getattr),
		N(sched_rr_get_interval), N(ioprio_set), N(ioprio_get), N(getrlimit),
		N(getrusage), N(get_robust_list), N(kcmp), N(migrate_pages),
		N(move_pages), N(pidfd_open), N(pidfd_send_signal), N(process_madvise),
		N(process_mrelease)),
	GROUP(HARMLESS_TIME, 0,
		N(pause), N(nanosleep), N(alarm), N(getitimer), N(setitimer), N(gettimeofday),
		N(time), N(times), N(timer_create), N(timer_settime), N(timer_gettime),
		N(timer_getoverrun), N(timer_delete), N(clock_gettime), N(clock_getres),
		N(clock_nanosleep)),
	GROUP(HARMLESS_OTHER_NAMES, 0,
		N(shmget), N(shmat), N(shmctl), N(shmdt), N(semget), N(semop), N(semctl),
		N(semtimedop), N(msgget), N(msgsnd), N(msgrcv), N(msgctl), N(mq_open), N(mq_unlink),
		N(mq_timedsend), N(mq_timedreceive), N(mq_notify), N(mq_getsetattr), N(add_key),
		N(keyctl)),
	GROUP(HARMLESS_TELLING, 0,
		N(uname), N(sysinfo), N(ustat), N(sysfs), N(statmount), N(listmount),
		N(lsm_list_modules), N(sched_get_priority_max), N(sched_get_priority_min)),
	GROUP(HARMLESS_MACHINE, 0,
		N(sync), N(syslog), N(vhangup), N(adjtimex), N(clock_adjtime), N(clock_settime),
		N(settimeofday), N(reboot), N(sethostname), N(setdomainname), N(iopl), N(ioperm),
		N(init_module), N(finit_module), N(delete_module), N(kexec_load), N(kexec_file_load)),
	GROUP(HARMLESS_GONE, 0,
		N(_sysctl), N(create_module), N(get_kernel_syms), N(query_module), N(nfsservctl),
		N(getpmsg), N(putpmsg), N(afs_syscall), N(tuxcall), N(security), N(set_thread_area),
		N(get_thread_area), N(lookup_dcookie), N(epoll_ctl_old), N(epoll_wait_old),
		N(vserver)),
};
/* clang-format on */

static const struct group *by_number[SYSCALL_NUMBERS];
static pthread_once_t by_number_made = PTHREAD_ONCE_INIT;

static void make_by_number(void)
{
	for (size_t i = 0; i < array_length(groups); i++) {
		for (size_t k = 0; k < groups[i].count; k++) {
			int nr = groups[i].numbers[k];

			if (nr >= 0 && nr < SYSCALL_NUMBERS) {
				by_number[nr] = &groups[i];
			}
		}
	}
}

const struct syscall_account *syscall_account(int nr)
{
	pthread_once(&by_number_made, make_by_number);
	if (nr < 0 || nr >= SYSCALL_NUMBERS || !by_number[nr]) {
		return NULL;
	}
	return &by_number[nr]->account;
}

enum account_kind account_kind(enum account_reason reason)
{
	return reasons[reason].kind;
}

const char *account_text(enum account_reason reason)
{
	return reasons[reason].text;
}

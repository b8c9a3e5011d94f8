/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of the calls' arguments, as the kernel's own entry points declare them, with what these
 * cut off at once (a descriptor that is declared long, the flags of clone) as what is left of it.
 * Where a second letter could be argued, it is the one that looks at fewer bits and so lets nothing
 * walk around a denial.
 */
#include "daemon/policy/syscall_arguments.h"

#include <assert.h>
#include <pthread.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/syscall_names.h"
#include "daemon/policy/syscall_younger.h"

/* h: a mode, of which 16 bits count; i: 32 bits; l: 64 bits; p: a pointer. */
struct signature {
	int nr;
	char arguments[SYSCALL_ARGUMENTS + 1];
};

/* clang-format off */
static const struct signature signatures[] = {
	{SCMP_SYS(read), "ipl"}, {SCMP_SYS(write), "ipl"}, {SCMP_SYS(open), "pih"},
	{SCMP_SYS(close), "i"}, {SCMP_SYS(stat), "pp"}, {SCMP_SYS(fstat), "ip"},
	{SCMP_SYS(lstat), "pp"}, {SCMP_SYS(poll), "pii"}, {SCMP_SYS(lseek), "ili"},
	{SCMP_SYS(mmap), "llllil"}, {SCMP_SYS(mprotect), "lll"}, {SCMP_SYS(munmap), "ll"},
	{SCMP_SYS(brk), "l"}, {SCMP_SYS(rt_sigaction), "ippl"}, {SCMP_SYS(rt_sigprocmask), "ippl"},
	{SCMP_SYS(rt_sigreturn), ""}, {SCMP_SYS(ioctl), "iil"}, {SCMP_SYS(pread64), "ipll"},
	{SCMP_SYS(pwrite64), "ipll"}, {SCMP_SYS(readv), "ipl"}, {SCMP_SYS(writev), "ipl"},
	{SCMP_SYS(access), "pi"}, {SCMP_SYS(pipe), "p"}, {SCMP_SYS(select), "ipppp"},
	{SCMP_SYS(sched_yield), ""}, {SCMP_SYS(mremap), "lllll"}, {SCMP_SYS(msync), "lli"},
	{SCMP_SYS(mincore), "llp"}, {SCMP_SYS(madvise), "lli"}, {SCMP_SYS(shmget), "ili"},
	{SCMP_SYS(shmat), "ipi"}, {SCMP_SYS(shmctl), "iip"}, {SCMP_SYS(dup), "i"},
	{SCMP_SYS(dup2), "ii"}, {SCMP_SYS(pause), ""}, {SCMP_SYS(nanosleep), "pp"},
	{SCMP_SYS(getitimer), "ip"}, {SCMP_SYS(alarm), "i"}, {SCMP_SYS(setitimer), "ipp"},
	{SCMP_SYS(getpid), ""}, {SCMP_SYS(sendfile), "iipl"}, {SCMP_SYS(socket), "iii"},
	{SCMP_SYS(connect), "ipi"}, {SCMP_SYS(accept), "ipp"}, {SCMP_SYS(sendto), "iplipi"},
	{SCMP_SYS(recvfrom), "iplipp"}, {SCMP_SYS(sendmsg), "ipi"}, {SCMP_SYS(recvmsg), "ipi"},
	{SCMP_SYS(shutdown), "ii"}, {SCMP_SYS(bind), "ipi"}, {SCMP_SYS(listen), "ii"},
	{SCMP_SYS(getsockname), "ipp"}, {SCMP_SYS(getpeername), "ipp"},
	{SCMP_SYS(socketpair), "iiip"}, {SCMP_SYS(setsockopt), "iiipi"},
	{SCMP_SYS(getsockopt), "iiipp"}, {SCMP_SYS(clone), "ipppl"}, {SCMP_SYS(fork), ""},
	{SCMP_SYS(vfork), ""}, {SCMP_SYS(execve), "ppp"}, {SCMP_SYS(exit), "i"},
	{SCMP_SYS(wait4), "ipip"}, {SCMP_SYS(kill), "ii"}, {SCMP_SYS(uname), "p"},
	{SCMP_SYS(semget), "iii"}, {SCMP_SYS(semop), "ipi"}, {SCMP_SYS(semctl), "iiil"},
	{SCMP_SYS(shmdt), "p"}, {SCMP_SYS(msgget), "ii"}, {SCMP_SYS(msgsnd), "ipli"},
	{SCMP_SYS(msgrcv), "iplli"}, {SCMP_SYS(msgctl), "iip"}, {SCMP_SYS(fcntl), "iil"},
	{SCMP_SYS(flock), "ii"}, {SCMP_SYS(fsync), "i"}, {SCMP_SYS(fdatasync), "i"},
	{SCMP_SYS(truncate), "pl"}, {SCMP_SYS(ftruncate), "il"}, {SCMP_SYS(getdents), "ipi"},
	{SCMP_SYS(getcwd), "pl"}, {SCMP_SYS(chdir), "p"}, {SCMP_SYS(fchdir), "i"},
	{SCMP_SYS(rename), "pp"}, {SCMP_SYS(mkdir), "ph"}, {SCMP_SYS(rmdir), "p"},
	{SCMP_SYS(creat), "ph"}, {SCMP_SYS(link), "pp"}, {SCMP_SYS(unlink), "p"},
	{SCMP_SYS(symlink), "pp"}, {SCMP_SYS(readlink), "ppi"}, {SCMP_SYS(chmod), "ph"},
	{SCMP_SYS(fchmod), "ih"}, {SCMP_SYS(chown), "pii"}, {SCMP_SYS(fchown), "iii"},
	{SCMP_SYS(lchown), "pii"}, {SCMP_SYS(umask), "i"}, {SCMP_SYS(gettimeofday), "pp"},
	{SCMP_SYS(getrlimit), "ip"}, {SCMP_SYS(getrusage), "ip"}, {SCMP_SYS(sysinfo), "p"},
	{SCMP_SYS(times), "p"}, {SCMP_SYS(ptrace), "lill"}, {SCMP_SYS(getuid), ""},
	{SCMP_SYS(syslog), "ipi"}, {SCMP_SYS(getgid), ""}, {SCMP_SYS(setuid), "i"},
	{SCMP_SYS(setgid), "i"}, {SCMP_SYS(geteuid), ""}, {SCMP_SYS(getegid), ""},
	{SCMP_SYS(setpgid), "ii"}, {SCMP_SYS(getppid), ""}, {SCMP_SYS(getpgrp), ""},
	{SCMP_SYS(setsid), ""}, {SCMP_SYS(setreuid), "ii"}, {SCMP_SYS(setregid), "ii"},
	{SCMP_SYS(getgroups), "ip"}, {SCMP_SYS(setgroups), "ip"}, {SCMP_SYS(setresuid), "iii"},
	{SCMP_SYS(getresuid), "ppp"}, {SCMP_SYS(setresgid), "iii"}, {SCMP_SYS(getresgid), "ppp"},
	{SCMP_SYS(getpgid), "i"}, {SCMP_SYS(setfsuid), "i"}, {SCMP_SYS(setfsgid), "i"},
	{SCMP_SYS(getsid), "i"}, {SCMP_SYS(capget), "pp"}, {SCMP_SYS(capset), "pp"},
	{SCMP_SYS(rt_sigpending), "pl"}, {SCMP_SYS(rt_sigtimedwait), "pppl"},
	{SCMP_SYS(rt_sigqueueinfo), "iip"}, {SCMP_SYS(rt_sigsuspend), "pl"},
	{SCMP_SYS(sigaltstack), "pp"}, {SCMP_SYS(utime), "pp"}, {SCMP_SYS(mknod), "phi"},
	{SCMP_SYS(uselib), "p"}, {SCMP_SYS(personality), "i"}, {SCMP_SYS(ustat), "ip"},
	{SCMP_SYS(statfs), "pp"}, {SCMP_SYS(fstatfs), "ip"}, {SCMP_SYS(sysfs), "ill"},
	{SCMP_SYS(getpriority), "ii"}, {SCMP_SYS(setpriority), "iii"},
	{SCMP_SYS(sched_setparam), "ip"}, {SCMP_SYS(sched_getparam), "ip"},
	{SCMP_SYS(sched_setscheduler), "iip"}, {SCMP_SYS(sched_getscheduler), "i"},
	{SCMP_SYS(sched_get_priority_max), "i"}, {SCMP_SYS(sched_get_priority_min), "i"},
	{SCMP_SYS(sched_rr_get_interval), "ip"}, {SCMP_SYS(mlock), "ll"}, {SCMP_SYS(munlock), "ll"},
	{SCMP_SYS(mlockall), "i"}, {SCMP_SYS(munlockall), ""}, {SCMP_SYS(vhangup), ""},
	{SCMP_SYS(modify_ldt), "ipl"}, {SCMP_SYS(pivot_root), "pp"}, {SCMP_SYS(_sysctl), "p"},
	{SCMP_SYS(prctl), "illll"}, {SCMP_SYS(arch_prctl), "il"}, {SCMP_SYS(adjtimex), "p"},
	{SCMP_SYS(setrlimit), "ip"}, {SCMP_SYS(chroot), "p"}, {SCMP_SYS(sync), ""},
	{SCMP_SYS(acct), "p"}, {SCMP_SYS(settimeofday), "pp"}, {SCMP_SYS(mount), "ppplp"},
	{SCMP_SYS(umount2), "pi"}, {SCMP_SYS(swapon), "pi"}, {SCMP_SYS(swapoff), "p"},
	{SCMP_SYS(reboot), "iiip"}, {SCMP_SYS(sethostname), "pi"}, {SCMP_SYS(setdomainname), "pi"},
	{SCMP_SYS(iopl), "i"}, {SCMP_SYS(ioperm), "lli"}, {SCMP_SYS(init_module), "plp"},
	{SCMP_SYS(delete_module), "pi"}, {SCMP_SYS(quotactl), "ipip"}, {SCMP_SYS(gettid), ""},
	{SCMP_SYS(readahead), "ill"}, {SCMP_SYS(setxattr), "pppli"}, {SCMP_SYS(lsetxattr), "pppli"},
	{SCMP_SYS(fsetxattr), "ippli"}, {SCMP_SYS(getxattr), "pppl"}, {SCMP_SYS(lgetxattr), "pppl"},
	{SCMP_SYS(fgetxattr), "ippl"}, {SCMP_SYS(listxattr), "ppl"}, {SCMP_SYS(llistxattr), "ppl"},
	{SCMP_SYS(flistxattr), "ipl"}, {SCMP_SYS(removexattr), "pp"},
	{SCMP_SYS(lremovexattr), "pp"}, {SCMP_SYS(fremovexattr), "ip"}, {SCMP_SYS(tkill), "ii"},
	{SCMP_SYS(time), "p"}, {SCMP_SYS(futex), "piilpi"}, {SCMP_SYS(sched_setaffinity), "iip"},
	{SCMP_SYS(sched_getaffinity), "iip"}, {SCMP_SYS(io_setup), "ip"},
	{SCMP_SYS(io_destroy), "l"}, {SCMP_SYS(io_getevents), "lllpp"},
	{SCMP_SYS(io_submit), "llp"}, {SCMP_SYS(io_cancel), "lpp"},
	{SCMP_SYS(lookup_dcookie), "lpl"}, {SCMP_SYS(epoll_create), "i"},
	{SCMP_SYS(remap_file_pages), "lllll"}, {SCMP_SYS(getdents64), "ipi"},
	{SCMP_SYS(set_tid_address), "p"}, {SCMP_SYS(restart_syscall), ""},
	{SCMP_SYS(semtimedop), "ipip"}, {SCMP_SYS(fadvise64), "illi"},
	{SCMP_SYS(timer_create), "ipp"}, {SCMP_SYS(timer_settime), "iipp"},
	{SCMP_SYS(timer_gettime), "ip"}, {SCMP_SYS(timer_getoverrun), "i"},
	{SCMP_SYS(timer_delete), "i"}, {SCMP_SYS(clock_settime), "ip"},
	{SCMP_SYS(clock_gettime), "ip"}, {SCMP_SYS(clock_getres), "ip"},
	{SCMP_SYS(clock_nanosleep), "iipp"}, {SCMP_SYS(exit_group), "i"},
	{SCMP_SYS(epoll_wait), "ipii"}, {SCMP_SYS(epoll_ctl), "iiip"}, {SCMP_SYS(tgkill), "iii"},
	{SCMP_SYS(utimes), "pp"}, {SCMP_SYS(mbind), "lllpli"}, {SCMP_SYS(set_mempolicy), "ipl"},
	{SCMP_SYS(get_mempolicy), "pplll"}, {SCMP_SYS(mq_open), "pihp"}, {SCMP_SYS(mq_unlink), "p"},
	{SCMP_SYS(mq_timedsend), "iplip"}, {SCMP_SYS(mq_timedreceive), "iplpp"},
	{SCMP_SYS(mq_notify), "ip"}, {SCMP_SYS(mq_getsetattr), "ipp"},
	{SCMP_SYS(kexec_load), "llpl"}, {SCMP_SYS(waitid), "iipip"}, {SCMP_SYS(add_key), "pppli"},
	{SCMP_SYS(request_key), "pppi"}, {SCMP_SYS(keyctl), "illll"}, {SCMP_SYS(ioprio_set), "iii"},
	{SCMP_SYS(ioprio_get), "ii"}, {SCMP_SYS(inotify_init), ""},
	{SCMP_SYS(inotify_add_watch), "ipi"}, {SCMP_SYS(inotify_rm_watch), "ii"},
	{SCMP_SYS(migrate_pages), "ilpp"}, {SCMP_SYS(openat), "ipih"}, {SCMP_SYS(mkdirat), "iph"},
	{SCMP_SYS(mknodat), "iphi"}, {SCMP_SYS(fchownat), "ipiii"}, {SCMP_SYS(futimesat), "ipp"},
	{SCMP_SYS(newfstatat), "ippi"}, {SCMP_SYS(unlinkat), "ipi"}, {SCMP_SYS(renameat), "ipip"},
	{SCMP_SYS(linkat), "ipipi"}, {SCMP_SYS(symlinkat), "pip"}, {SCMP_SYS(readlinkat), "ippi"},
	{SCMP_SYS(fchmodat), "iph"}, {SCMP_SYS(faccessat), "ipi"}, {SCMP_SYS(pselect6), "ippppp"},
	{SCMP_SYS(ppoll), "pippl"}, {SCMP_SYS(unshare), "l"}, {SCMP_SYS(set_robust_list), "pl"},
	{SCMP_SYS(get_robust_list), "ipp"}, {SCMP_SYS(splice), "ipipli"}, {SCMP_SYS(tee), "iili"},
	{SCMP_SYS(sync_file_range), "illi"}, {SCMP_SYS(vmsplice), "ipli"},
	{SCMP_SYS(move_pages), "ilpppi"}, {SCMP_SYS(utimensat), "ippi"},
	{SCMP_SYS(epoll_pwait), "ipiipl"}, {SCMP_SYS(signalfd), "ipl"},
	{SCMP_SYS(timerfd_create), "ii"}, {SCMP_SYS(eventfd), "i"}, {SCMP_SYS(fallocate), "iill"},
	{SCMP_SYS(timerfd_settime), "iipp"}, {SCMP_SYS(timerfd_gettime), "ip"},
	{SCMP_SYS(accept4), "ippi"}, {SCMP_SYS(signalfd4), "ipli"}, {SCMP_SYS(eventfd2), "ii"},
	{SCMP_SYS(epoll_create1), "i"}, {SCMP_SYS(dup3), "iii"}, {SCMP_SYS(pipe2), "pi"},
	{SCMP_SYS(inotify_init1), "i"}, {SCMP_SYS(preadv), "iplll"}, {SCMP_SYS(pwritev), "iplll"},
	{SCMP_SYS(rt_tgsigqueueinfo), "iiip"}, {SCMP_SYS(perf_event_open), "piiil"},
	{SCMP_SYS(recvmmsg), "ipiip"}, {SCMP_SYS(fanotify_init), "ii"},
	{SCMP_SYS(fanotify_mark), "iilip"}, {SCMP_SYS(prlimit64), "iipp"},
	{SCMP_SYS(name_to_handle_at), "ipppi"}, {SCMP_SYS(open_by_handle_at), "ipi"},
	{SCMP_SYS(clock_adjtime), "ip"}, {SCMP_SYS(syncfs), "i"}, {SCMP_SYS(sendmmsg), "ipii"},
	{SCMP_SYS(setns), "ii"}, {SCMP_SYS(getcpu), "ppp"}, {SCMP_SYS(process_vm_readv), "iplpll"},
	{SCMP_SYS(process_vm_writev), "iplpll"}, {SCMP_SYS(kcmp), "iiill"},
	{SCMP_SYS(finit_module), "ipi"}, {SCMP_SYS(sched_setattr), "ipi"},
	{SCMP_SYS(sched_getattr), "ipii"}, {SCMP_SYS(renameat2), "ipipi"},
	{SCMP_SYS(seccomp), "iip"}, {SCMP_SYS(getrandom), "pli"}, {SCMP_SYS(memfd_create), "pi"},
	{SCMP_SYS(kexec_file_load), "iilpl"}, {SCMP_SYS(bpf), "ipi"}, {SCMP_SYS(execveat), "ipppi"},
	{SCMP_SYS(userfaultfd), "i"}, {SCMP_SYS(membarrier), "iii"}, {SCMP_SYS(mlock2), "lli"},
	{SCMP_SYS(copy_file_range), "ipipli"}, {SCMP_SYS(preadv2), "ipllli"},
	{SCMP_SYS(pwritev2), "ipllli"}, {SCMP_SYS(pkey_mprotect), "llli"},
	{SCMP_SYS(pkey_alloc), "ll"}, {SCMP_SYS(pkey_free), "i"}, {SCMP_SYS(statx), "ipiip"},
	{SCMP_SYS(io_pgetevents), "lllppp"}, {SCMP_SYS(rseq), "piii"},
	{SCMP_SYS(pidfd_send_signal), "iipi"}, {SCMP_SYS(io_uring_setup), "ip"},
	{SCMP_SYS(io_uring_enter), "iiiipl"}, {SCMP_SYS(io_uring_register), "iipi"},
	{SCMP_SYS(open_tree), "ipi"}, {SCMP_SYS(move_mount), "ipipi"}, {SCMP_SYS(fsopen), "pi"},
	{SCMP_SYS(fsconfig), "iippi"}, {SCMP_SYS(fsmount), "iii"}, {SCMP_SYS(fspick), "ipi"},
	{SCMP_SYS(pidfd_open), "ii"}, {SCMP_SYS(clone3), "pl"}, {SCMP_SYS(close_range), "iii"},
	{SCMP_SYS(openat2), "ippl"}, {SCMP_SYS(pidfd_getfd), "iii"}, {SCMP_SYS(faccessat2), "ipii"},
	{SCMP_SYS(process_madvise), "iplii"}, {SCMP_SYS(epoll_pwait2), "ipippl"},
	{SCMP_SYS(mount_setattr), "ipipl"}, {SCMP_SYS(quotactl_fd), "iiip"},
	{SCMP_SYS(landlock_create_ruleset), "pli"}, {SCMP_SYS(landlock_add_rule), "iipi"},
	{SCMP_SYS(landlock_restrict_self), "ii"}, {SCMP_SYS(memfd_secret), "i"},
	{SCMP_SYS(process_mrelease), "ii"}, {SCMP_SYS(futex_waitv), "piipi"},
	{SCMP_SYS(set_mempolicy_home_node), "llll"},
	{SCMP_SYS(uretprobe), ""}, {SCMP_SYS(uprobe), ""}, {SCMP_SYS(cachestat), "ippi"},
	{SCMP_SYS(fchmodat2), "iphi"}, {SCMP_SYS(map_shadow_stack), "lli"},
	{SCMP_SYS(futex_wake), "plii"}, {SCMP_SYS(futex_wait), "pllipi"},
	{SCMP_SYS(futex_requeue), "piii"}, {SCMP_SYS(statmount), "ppli"},
	{SCMP_SYS(listmount), "ppli"}, {SCMP_SYS(lsm_get_self_attr), "ippi"},
	{SCMP_SYS(lsm_set_self_attr), "ipii"}, {SCMP_SYS(lsm_list_modules), "ppi"},
	{SCMP_SYS(mseal), "lll"}, {SCMP_SYS(setxattrat), "ipippl"},
	{SCMP_SYS(getxattrat), "ipippl"}, {SCMP_SYS(listxattrat), "ipipl"},
	{SCMP_SYS(removexattrat), "ipip"}, {SCMP_SYS(open_tree_attr), "ipipl"},
	{SCMP_SYS(file_getattr), "ippli"}, {SCMP_SYS(file_setattr), "ippli"},
};
/* clang-format on */

/*
 * Where in the table a number's signature stands, counted from 1; 0 where there is none. A filter
 * is made by many thousand questions. Numbers that this machine does not have are negative.
 */
static uint16_t places[SYSCALL_NUMBERS];
static pthread_once_t places_made = PTHREAD_ONCE_INIT;
static_assert(array_length(signatures) < UINT16_MAX, "a place can be counted");

static void make_places(void)
{
	for (size_t i = 0; i < array_length(signatures); i++) {
		int nr = signatures[i].nr;

		if (nr >= 0 && nr < SYSCALL_NUMBERS) {
			places[nr] = (uint16_t)(i + 1);
		}
	}
}

static const struct signature *find(int nr)
{
	pthread_once(&places_made, make_places);
	if (nr < 0 || nr >= SYSCALL_NUMBERS || !places[nr]) {
		return NULL;
	}
	return &signatures[places[nr] - 1];
}

static char letter(int nr, unsigned int argument)
{
	const struct signature *signature = find(nr);

	if (!signature || argument >= SYSCALL_ARGUMENTS) {
		return 'l';
	}
	return signature->arguments[argument];
}

uint64_t syscall_width(int nr, unsigned int argument)
{
	switch (letter(nr, argument)) {
	case 'h':
		return UINT16_MAX;
	case 'i':
		return UINT32_MAX;
	default:
		return UINT64_MAX;
	}
}

bool syscall_argument_is_pointer(int nr, unsigned int argument)
{
	return letter(nr, argument) == 'p';
}

unsigned int syscall_argument_count(int nr)
{
	const struct signature *signature = find(nr);

	return signature ? (unsigned int)strlen(signature->arguments) : SYSCALL_ARGUMENTS;
}

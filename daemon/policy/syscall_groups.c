/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of the groups: calls by name, of all architectures, and groups within groups, which
 * are as deep as one within another within @system-service. @known is not a table: it is all that
 * has a name here.
 */
#include "daemon/policy/syscall_groups.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/syscall_names.h"
#include "daemon/policy/words.h"

/* Asynchronous IO */
static const char *const aio_group[] = {"io_cancel", "io_destroy", "io_getevents", "io_pgetevents",
	"io_pgetevents_time64", "io_setup", "io_submit", "io_uring_enter", "io_uring_register",
	"io_uring_setup", NULL};

/* Basic IO */
static const char *const basic_io_group[] = {"_llseek", "close", "close_range", "dup", "dup2",
	"dup3", "lseek", "pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2", "read",
	"readv", "write", "writev", NULL};

/* Change ownership of files and directories */
static const char *const chown_group[] = {
	"chown", "chown32", "fchown", "fchown32", "fchownat", "lchown", "lchown32", NULL};

/* Change the system time */
static const char *const clock_group[] = {"adjtimex", "clock_adjtime", "clock_adjtime64",
	"clock_settime", "clock_settime64", "settimeofday", NULL};

/* System calls for CPU emulation functionality */
static const char *const cpu_emulation_group[] = {
	"modify_ldt", "subpage_prot", "switch_endian", "vm86", "vm86old", NULL};

/* Debugging, performance monitoring and tracing functionality */
static const char *const debug_group[] = {"lookup_dcookie", "perf_event_open", "pidfd_getfd",
	"ptrace", "rtas", "s390_runtime_instr", "sys_debug_setcontext", NULL};

/* System calls that are always permitted */
static const char *const default_group[] = {"arch_prctl", "brk", "cacheflush", "clock_getres",
	"clock_getres_time64", "clock_gettime", "clock_gettime64", "clock_nanosleep",
	"clock_nanosleep_time64", "execve", "exit", "exit_group", "futex", "futex_requeue",
	"futex_time64", "futex_wait", "futex_waitv", "futex_wake", "get_robust_list",
	"get_thread_area", "getegid", "getegid32", "geteuid", "geteuid32", "getgid", "getgid32",
	"getgroups", "getgroups32", "getpgid", "getpgrp", "getpid", "getppid", "getrandom",
	"getresgid", "getresgid32", "getresuid", "getresuid32", "getrlimit", "getsid", "gettid",
	"gettimeofday", "getuid", "getuid32", "map_shadow_stack", "membarrier", "mmap", "mmap2",
	"mprotect", "mseal", "munmap", "nanosleep", "pause", "prlimit64", "restart_syscall",
	"riscv_flush_icache", "rseq", "rt_sigreturn", "sched_getaffinity", "sched_yield",
	"set_robust_list", "set_thread_area", "set_tid_address", "set_tls", "sigreturn", "time",
	"ugetrlimit", "uretprobe", NULL};

/* File system operations */
static const char *const file_system_group[] = {"access", "cachestat", "chdir", "chmod", "close",
	"creat", "faccessat", "faccessat2", "fallocate", "fchdir", "fchmod", "fchmodat",
	"fchmodat2", "fcntl", "fcntl64", "fgetxattr", "file_getattr", "file_setattr", "flistxattr",
	"fremovexattr", "fsetxattr", "fstat", "fstat64", "fstatat64", "fstatfs", "fstatfs64",
	"ftruncate", "ftruncate64", "futimesat", "getcwd", "getdents", "getdents64", "getxattr",
	"getxattrat", "inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch",
	"lgetxattr", "link", "linkat", "listmount", "listxattr", "listxattrat", "llistxattr",
	"lremovexattr", "lsetxattr", "lstat", "lstat64", "mkdir", "mkdirat", "mknod", "mknodat",
	"newfstatat", "oldfstat", "oldlstat", "oldstat", "open", "openat", "openat2", "readlink",
	"readlinkat", "removexattr", "removexattrat", "rename", "renameat", "renameat2", "rmdir",
	"setxattr", "setxattrat", "stat", "stat64", "statfs", "statfs64", "statmount", "statx",
	"symlink", "symlinkat", "truncate", "truncate64", "unlink", "unlinkat", "utime",
	"utimensat", "utimensat_time64", "utimes", NULL};

/* Event loop system calls */
static const char *const io_event_group[] = {"_newselect", "epoll_create", "epoll_create1",
	"epoll_ctl", "epoll_ctl_old", "epoll_pwait", "epoll_pwait2", "epoll_wait", "epoll_wait_old",
	"eventfd", "eventfd2", "poll", "ppoll", "ppoll_time64", "pselect6", "pselect6_time64",
	"select", NULL};

/* SysV IPC, POSIX Message Queues or other IPC */
static const char *const ipc_group[] = {"ipc", "memfd_create", "mq_getsetattr", "mq_notify",
	"mq_open", "mq_timedreceive", "mq_timedreceive_time64", "mq_timedsend",
	"mq_timedsend_time64", "mq_unlink", "msgctl", "msgget", "msgrcv", "msgsnd", "pipe", "pipe2",
	"process_madvise", "process_vm_readv", "process_vm_writev", "semctl", "semget", "semop",
	"semtimedop", "semtimedop_time64", "shmat", "shmctl", "shmdt", "shmget", NULL};

/* Kernel keyring access */
static const char *const keyring_group[] = {"add_key", "keyctl", "request_key", NULL};

/* Memory locking control */
static const char *const memlock_group[] = {
	"mlock", "mlock2", "mlockall", "munlock", "munlockall", NULL};

/* Loading and unloading of kernel modules */
static const char *const module_group[] = {"delete_module", "finit_module", "init_module", NULL};

/* Mounting and unmounting of file systems */
static const char *const mount_group[] = {"chroot", "fsconfig", "fsmount", "fsopen", "fspick",
	"mount", "mount_setattr", "move_mount", "open_tree", "open_tree_attr", "pivot_root",
	"umount", "umount2", NULL};

/* Network or Unix socket IO, should not be needed if not network facing */
static const char *const network_io_group[] = {"accept", "accept4", "bind", "connect",
	"getpeername", "getsockname", "getsockopt", "listen", "recv", "recvfrom", "recvmmsg",
	"recvmmsg_time64", "recvmsg", "send", "sendmmsg", "sendmsg", "sendto", "setsockopt",
	"shutdown", "socket", "socketcall", "socketpair", NULL};

/* Unusual, obsolete or unimplemented system calls */
static const char *const obsolete_group[] = {"_sysctl", "afs_syscall", "bdflush", "break",
	"create_module", "ftime", "get_kernel_syms", "getpmsg", "gtty", "idle", "lock", "mpx",
	"prof", "profil", "putpmsg", "query_module", "security", "sgetmask", "ssetmask", "stime",
	"stty", "sysfs", "tuxcall", "ulimit", "uselib", "ustat", "vserver", NULL};

/* System calls used for memory protection keys */
static const char *const pkey_group[] = {"pkey_alloc", "pkey_free", "pkey_mprotect", NULL};

/* All system calls which need super-user capabilities */
static const char *const privileged_group[] = {"@chown", "@clock", "@module", "@raw-io", "@reboot",
	"@swap", "_sysctl", "acct", "bpf", "capset", "chroot", "fanotify_init", "fanotify_mark",
	"nfsservctl", "open_by_handle_at", "pivot_root", "quotactl", "quotactl_fd", "setdomainname",
	"setfsuid", "setfsuid32", "setgroups", "setgroups32", "sethostname", "setresuid",
	"setresuid32", "setreuid", "setreuid32", "setuid", "setuid32", "vhangup", NULL};

/* Process control, execution, namespacing operations */
static const char *const process_group[] = {"capget", "clone", "clone3", "execveat", "fork",
	"getrusage", "kill", "pidfd_open", "pidfd_send_signal", "prctl", "rt_sigqueueinfo",
	"rt_tgsigqueueinfo", "setns", "swapcontext", "tgkill", "times", "tkill", "unshare", "vfork",
	"wait4", "waitid", "waitpid", NULL};

/* Raw I/O port access */
static const char *const raw_io_group[] = {"ioperm", "iopl", "pciconfig_iobase", "pciconfig_read",
	"pciconfig_write", "s390_pci_mmio_read", "s390_pci_mmio_write", NULL};

/* Reboot and reboot preparation/kexec */
static const char *const reboot_group[] = {"kexec_file_load", "kexec_load", "reboot", NULL};

/* Alter resource settings */
static const char *const resources_group[] = {"ioprio_set", "mbind", "migrate_pages", "move_pages",
	"nice", "sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler",
	"set_mempolicy", "set_mempolicy_home_node", "setpriority", "setrlimit", NULL};

/* Restricting oneself */
static const char *const sandbox_group[] = {
	"landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self", "seccomp", NULL};

/* Operations for changing user/group credentials */
static const char *const setuid_group[] = {"setgid", "setgid32", "setgroups", "setgroups32",
	"setregid", "setregid32", "setresgid", "setresgid32", "setresuid", "setresuid32",
	"setreuid", "setreuid32", "setuid", "setuid32", NULL};

/* Process signal handling */
static const char *const signal_group[] = {"rt_sigaction", "rt_sigpending", "rt_sigprocmask",
	"rt_sigsuspend", "rt_sigtimedwait", "rt_sigtimedwait_time64", "sigaction", "sigaltstack",
	"signal", "signalfd", "signalfd4", "sigpending", "sigprocmask", "sigsuspend", NULL};

/* Enable/disable swap devices */
static const char *const swap_group[] = {"swapoff", "swapon", NULL};

/* Synchronize files and memory to storage */
static const char *const sync_group[] = {"fdatasync", "fsync", "msync", "sync", "sync_file_range",
	"sync_file_range2", "syncfs", NULL};

/* General system service operations */
static const char *const system_service_group[] = {"@aio", "@basic-io", "@chown", "@default",
	"@file-system", "@io-event", "@ipc", "@keyring", "@memlock", "@network-io", "@process",
	"@resources", "@sandbox", "@setuid", "@signal", "@sync", "@timer", "arm_fadvise64_64",
	"capget", "capset", "copy_file_range", "fadvise64", "fadvise64_64", "flock",
	"get_mempolicy", "getcpu", "getpriority", "ioctl", "ioprio_get", "kcmp", "madvise",
	"mremap", "name_to_handle_at", "oldolduname", "olduname", "personality", "readahead",
	"readdir", "remap_file_pages", "sched_get_priority_max", "sched_get_priority_min",
	"sched_getattr", "sched_getparam", "sched_getscheduler", "sched_rr_get_interval",
	"sched_rr_get_interval_time64", "sched_yield", "sendfile", "sendfile64", "setfsgid",
	"setfsgid32", "setfsuid", "setfsuid32", "setpgid", "setsid", "splice", "sysinfo", "tee",
	"umask", "uname", "userfaultfd", "vmsplice", NULL};

/* Schedule operations by time */
static const char *const timer_group[] = {"alarm", "getitimer", "setitimer", "timer_create",
	"timer_delete", "timer_getoverrun", "timer_gettime", "timer_gettime64", "timer_settime",
	"timer_settime64", "timerfd_create", "timerfd_gettime", "timerfd_gettime64",
	"timerfd_settime", "timerfd_settime64", "times", NULL};

static const struct {
	const char *name;
	const char *const *members;
} groups[] = {
	{"@aio", aio_group},
	{"@basic-io", basic_io_group},
	{"@chown", chown_group},
	{"@clock", clock_group},
	{"@cpu-emulation", cpu_emulation_group},
	{"@debug", debug_group},
	{"@default", default_group},
	{"@file-system", file_system_group},
	{"@io-event", io_event_group},
	{"@ipc", ipc_group},
	{"@keyring", keyring_group},
	{"@memlock", memlock_group},
	{"@module", module_group},
	{"@mount", mount_group},
	{"@network-io", network_io_group},
	{"@obsolete", obsolete_group},
	{"@pkey", pkey_group},
	{"@privileged", privileged_group},
	{"@process", process_group},
	{"@raw-io", raw_io_group},
	{"@reboot", reboot_group},
	{"@resources", resources_group},
	{"@sandbox", sandbox_group},
	{"@setuid", setuid_group},
	{"@signal", signal_group},
	{"@swap", swap_group},
	{"@sync", sync_group},
	{"@system-service", system_service_group},
	{"@timer", timer_group},
};

static const char known_group[] = "@known";

static const char *const *find(const char *name)
{
	for (size_t i = 0; i < array_length(groups); i++) {
		if (!strcmp(groups[i].name, name)) {
			return groups[i].members;
		}
	}
	return NULL;
}

const char *syscall_group_name(size_t index)
{
	return index < array_length(groups) ? groups[index].name : NULL;
}

static int visit_known(syscall_group_visitor *visit, void *context)
{
	char name[SYSCALL_NAME_MAX];

	for (int nr = 0; nr < SYSCALL_NUMBERS; nr++) {
		if (syscall_name(nr, name, sizeof(name))) {
			visit(name, context);
		}
	}
	return 0;
}

int syscall_group_visit(const char *name, syscall_group_visitor *visit, void *context)
{
	const char *const *members = find(name);

	if (!strcmp(name, known_group)) {
		return visit_known(visit, context);
	}
	if (!members) {
		return -ENOENT;
	}
	for (; *members; members++) {
		if (**members == '@') {
			int error = syscall_group_visit(*members, visit, context);

			if (error) {
				return error;
			}
		} else {
			visit(*members, context);
		}
	}
	return 0;
}

static void mark(const char *name, void *context)
{
	bool *marked = context;
	int nr = syscall_number(name);

	if (nr >= 0 && nr < SYSCALL_NUMBERS) {
		marked[nr] = true;
	}
}

int syscall_group_numbers(const char *name, int **numbersp, size_t *countp)
{
	bool marked[SYSCALL_NUMBERS] = {false};
	int error = syscall_group_visit(name, mark, marked);
	int *numbers;
	size_t count = 0;

	if (error) {
		return error;
	}
	numbers = calloc(SYSCALL_NUMBERS, sizeof(*numbers));
	if (!numbers) {
		return -ENOMEM;
	}
	for (int nr = 0; nr < SYSCALL_NUMBERS; nr++) {
		if (marked[nr]) {
			numbers[count++] = nr;
		}
	}
	*numbersp = numbers;
	*countp = count;
	return 0;
}

void syscall_groups_offer(struct nearest *nearest)
{
	for (size_t i = 0; i < array_length(groups); i++) {
		nearest_offer(nearest, groups[i].name);
	}
	nearest_offer(nearest, known_group);
}

void syscall_groups_offer_calls(struct nearest *nearest)
{
	for (size_t i = 0; i < array_length(groups); i++) {
		for (const char *const *member = groups[i].members; *member; member++) {
			if (**member != '@' && syscall_number(*member) >= 0) {
				nearest_offer(nearest, *member);
			}
		}
	}
}

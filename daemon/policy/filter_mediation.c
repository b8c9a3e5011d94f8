/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a policy the broker must see, and what it must never see pass: one table, in which a row
 * stands for one clause of a call's list. Rows of the same call are tried top down; a row is there
 * only if the policy has all the needs it names.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fanotify.h>
#include <linux/perf_event.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/filter_ioctls.h"
#include "daemon/policy/filter_plan.h"
#include "daemon/policy/filter_sockets.h"
#include "daemon/policy/syscall_younger.h"
#include "daemon/policy/told_options.h"
#include "usher/wire.h"

/* Of linux/in6.h, which does not go with netinet/in.h. */
#define IPV6_FLOWLABEL_MGR_    32
#define FLOWLABEL_REQUEST_SIZE 32 /* behind it in the same option follow extension headers */

#ifndef __O_TMPFILE
#error "__O_TMPFILE is expected from fcntl.h"
#endif

enum need {
	NEED_READ = 1u << 0, /* opens for reading can be answered otherwise than by allow */
	NEED_WRITE = 1u << 1,
	NEED_CREATE = 1u << 2,
	NEED_REMOVE = 1u << 3,
	NEED_METADATA = 1u << 4,
	NEED_STAT = 1u << 5,
	NEED_OPEN = 1u << 6,  /* one of the first three */
	NEED_FILES = 1u << 7, /* one of these six */
	NEED_CONNECT = 1u << 8,
	NEED_BROKER = 1u << 9, /* files or addresses: targets are looked into */
	NEED_ROOT = 1u << 10,  /* the targets are root */
	NEED_USER = 1u << 11,  /* they are not */
	NEED_BIND = 1u << 12,
	NEED_ADDRESS = 1u << 13,  /* connect or bind */
	NEED_MESSAGES = 1u << 14, /* connections, and sockets that take an address by the message */
	NEED_LISTEN = 1u << 15,   /* binding, and sockets that listen(2) can bind */
	NEED_INSIDE = 1u << 16,   /* they live in a network namespace of their own */
	NEED_OUTSIDE = 1u << 17,  /* some sockets of theirs are exchanged for the broker's */
	/* What NEED_READ and the like are about is asked of the broker: it is not Landlock's. */
	ASK_READ = 1u << 18,
	ASK_WRITE = 1u << 19,
	ASK_CREATE = 1u << 20,
	ASK_REMOVE = 1u << 21,
	NEED_NAMES = 1u << 22, /* rules tell names apart: of files, or of unix sockets */
};

struct row {
	int nr;
	unsigned int needs;
	enum filter_answer answer;
	int error;
	struct comparison when[3]; /* a mask of 0 is no condition */
};

#define MASKED(argument_, mask_, value_)                                                \
	{                                                                               \
		.argument = (argument_), .operator= COMPARE_MASKED_EQ, .mask = (mask_), \
		.value = (value_)                                                       \
	}
#define HAS(argument, bit)   MASKED(argument, bit, bit)
#define LACKS(argument, bit) MASKED(argument, bit, 0)
#define IS(argument, value)  MASKED(argument, UINT64_MAX, value)
#define ABOVE(argument_, value_)                                                    \
	{                                                                           \
		.argument = (argument_), .operator= COMPARE_GT, .mask = UINT64_MAX, \
		.value = (value_)                                                   \
	}

/*
 * An open is asked about by its flags: O_PATH gives no access to what it opens, but a look at it
 * (and makes the kernel ignore the other flags); access mode 3 asks for read and write, and gives
 * a descriptor for neither, of which Landlock takes no notice. What O_TMPFILE has beyond
 * O_DIRECTORY is __O_TMPFILE; a file without a name is nothing that Landlock would see created.
 */
#define OPEN_ROWS(nr, flags)                                                    \
	{nr, NEED_STAT, FILTER_NOTIFY, 0, {HAS(flags, O_PATH)}},                \
		{nr, NEED_OPEN, FILTER_ALLOW, 0, {HAS(flags, O_PATH)}},         \
		{nr, ASK_READ | ASK_WRITE, FILTER_NOTIFY, 0, {{0}}},            \
		{nr, NEED_READ, FILTER_NOTIFY, 0, {HAS(flags, O_ACCMODE)}},     \
		{nr, NEED_WRITE, FILTER_NOTIFY, 0, {HAS(flags, O_ACCMODE)}},    \
		{nr, ASK_CREATE, FILTER_NOTIFY, 0, {HAS(flags, O_CREAT)}},      \
		{nr, NEED_CREATE, FILTER_NOTIFY, 0, {HAS(flags, __O_TMPFILE)}}, \
		{nr, ASK_WRITE, FILTER_NOTIFY, 0, {HAS(flags, O_WRONLY)}},      \
		{nr, ASK_WRITE, FILTER_NOTIFY, 0, {HAS(flags, O_RDWR)}},        \
		{nr, ASK_WRITE, FILTER_NOTIFY, 0, {HAS(flags, O_TRUNC)}},       \
		{nr, ASK_READ, FILTER_NOTIFY, 0, {LACKS(flags, O_WRONLY)}},     \
	{                                                                       \
		nr, ASK_READ, FILTER_NOTIFY, 0,                                 \
		{                                                               \
			HAS(flags, O_RDWR)                                      \
		}                                                               \
	}

#define NOTIFY(name, needs, ...)                         \
	{                                                \
		SCMP_SYS(name), needs, FILTER_NOTIFY, 0, \
		{                                        \
			__VA_ARGS__                      \
		}                                        \
	}
#define REFUSE(name, needs, error, ...)                     \
	{                                                   \
		SCMP_SYS(name), needs, FILTER_ERRNO, error, \
		{                                           \
			__VA_ARGS__                         \
		}                                           \
	}
#define LET(name, needs, ...)                           \
	{                                               \
		SCMP_SYS(name), needs, FILTER_ALLOW, 0, \
		{                                       \
			__VA_ARGS__                     \
		}                                       \
	}

/* A core file is made wherever a program dies: root could ask for it again (core_file.h). */
#define CORE_ROWS(need)                                                                      \
	REFUSE(setrlimit, NEED_ROOT | (need), 0, MASKED(0, UINT32_MAX, RLIMIT_CORE)),        \
		LET(prlimit64, NEED_ROOT | (need), IS(2, 0)),                                \
		REFUSE(prlimit64, NEED_ROOT | (need), 0, MASKED(1, UINT32_MAX, RLIMIT_CORE), \
			IS(3, 0)),                                                           \
		REFUSE(prlimit64, NEED_ROOT | (need), EPERM, MASKED(1, UINT32_MAX, RLIMIT_CORE))

/* As on a machine that has no SCTP, which is all that such a type means. */
#define NO_SCTP(family, error, ...) REFUSE(socket, NEED_ADDRESS, error, IS(0, family), __VA_ARGS__)
#define SCTP_ROWS(family)                                                           \
	NO_SCTP(family, ESOCKTNOSUPPORT, MASKED(1, 0xf, SOCK_SEQPACKET), IS(2, 0)), \
		NO_SCTP(family, ESOCKTNOSUPPORT, MASKED(1, 0xf, SOCK_SEQPACKET),    \
			IS(2, IPPROTO_SCTP)),                                       \
		NO_SCTP(family, EPROTONOSUPPORT, IS(2, IPPROTO_SCTP))

static const struct row rows[] = {
	OPEN_ROWS(SCMP_SYS(open), 1),
	OPEN_ROWS(SCMP_SYS(openat), 2),
	NOTIFY(creat, ASK_WRITE),
	NOTIFY(creat, ASK_CREATE),
	NOTIFY(openat2, NEED_OPEN), /* its flags lie in memory */
	NOTIFY(openat2, NEED_STAT),
	NOTIFY(connect, NEED_CONNECT),
	/* What it watches has to be found when a socket is changed for another. */
	NOTIFY(epoll_create, NEED_OUTSIDE),
	NOTIFY(epoll_create1, NEED_OUTSIDE),
	NOTIFY(bind, NEED_BIND),
	NOTIFY(bind, NEED_CREATE), /* a unix socket's name may be a file's */
	NOTIFY(listen, NEED_LISTEN),

	/*
	 * Datagrams, each with an address, and TCP fast open. The address of a message lies in
	 * memory, and so does whether there is one: they are sent by the broker wherever a socket
	 * can exist for which it would matter.
	 */
	LET(sendto, NEED_CONNECT, IS(4, 0)),
	NOTIFY(sendto, NEED_CONNECT),
	NOTIFY(sendmsg, NEED_MESSAGES),
	NOTIFY(sendmmsg, NEED_MESSAGES),
	NOTIFY(sendmsg, NEED_CONNECT, HAS(2, MSG_FASTOPEN)),
	NOTIFY(sendmmsg, NEED_CONNECT, HAS(3, MSG_FASTOPEN)),
	/* SCTP takes addresses in options and binds and connects by them. */
	SCTP_ROWS(AF_INET),
	SCTP_ROWS(AF_INET6),
	/* A route that is written into each packet goes by other hosts than the one named. */
	LET(setsockopt, NEED_CONNECT, IS(4, 0)),
	REFUSE(setsockopt, NEED_CONNECT, EPERM, IS(1, IPPROTO_IP), IS(2, IP_OPTIONS)),
	REFUSE(setsockopt, NEED_CONNECT, EPERM, IS(1, IPPROTO_IPV6), IS(2, IPV6_RTHDR)),
	REFUSE(setsockopt, NEED_CONNECT, EPERM, IS(1, IPPROTO_IPV6), IS(2, IPV6_2292PKTOPTIONS)),
	REFUSE(setsockopt, NEED_CONNECT, EPERM, IS(1, IPPROTO_IPV6), IS(2, IPV6_FLOWLABEL_MGR_),
		ABOVE(4, FLOWLABEL_REQUEST_SIZE)),

	NOTIFY(unlink, ASK_REMOVE),
	NOTIFY(unlinkat, ASK_REMOVE),
	NOTIFY(rmdir, ASK_REMOVE),
	/*
	 * Landlock has conditions of its own for these; the broker has the policy's. A directory
	 * takes what is below it along to where more may be allowed of it, whatever that is.
	 */
	NOTIFY(rename, NEED_NAMES),
	NOTIFY(renameat, NEED_NAMES),
	NOTIFY(renameat2, NEED_NAMES),
	/* What the broker makes has the umask of who asks, which is known until it is changed. */
	NOTIFY(umask, NEED_OPEN),
	NOTIFY(umask, NEED_STAT), /* for openat2 */
	NOTIFY(umask, NEED_BIND),
	/* The new name must not allow what the old one does not, whatever that is. */
	NOTIFY(link, NEED_NAMES),
	NOTIFY(linkat, NEED_NAMES),
	NOTIFY(symlink, ASK_CREATE),
	NOTIFY(symlinkat, ASK_CREATE),
	NOTIFY(mkdir, ASK_CREATE),
	NOTIFY(mkdirat, ASK_CREATE),
	NOTIFY(mknod, ASK_CREATE),
	NOTIFY(mknodat, ASK_CREATE),
	NOTIFY(truncate, ASK_WRITE),

	NOTIFY(chmod, NEED_METADATA),
	NOTIFY(fchmod, NEED_METADATA),
	NOTIFY(fchown, NEED_METADATA),
	NOTIFY(fsetxattr, NEED_METADATA),
	NOTIFY(fremovexattr, NEED_METADATA),
	NOTIFY(fchmodat, NEED_METADATA),
	NOTIFY(fchmodat2, NEED_METADATA),
	NOTIFY(chown, NEED_METADATA),
	NOTIFY(lchown, NEED_METADATA),
	NOTIFY(fchownat, NEED_METADATA),
	NOTIFY(utime, NEED_METADATA),
	NOTIFY(utimes, NEED_METADATA),
	NOTIFY(futimesat, NEED_METADATA),
	NOTIFY(utimensat, NEED_METADATA),
	NOTIFY(setxattr, NEED_METADATA),
	NOTIFY(lsetxattr, NEED_METADATA),
	NOTIFY(removexattr, NEED_METADATA),
	NOTIFY(lremovexattr, NEED_METADATA),
	/* Younger ways to the same, which every program can do without. */
	REFUSE(setxattrat, NEED_METADATA, ENOSYS),
	REFUSE(removexattrat, NEED_METADATA, ENOSYS),
	REFUSE(file_setattr, NEED_METADATA, ENOSYS),

	NOTIFY(stat, NEED_STAT),
	NOTIFY(lstat, NEED_STAT),
	/* Without a name it is fstat(2). */
	LET(newfstatat, NEED_STAT, IS(1, 0)),
	NOTIFY(newfstatat, NEED_STAT),
	LET(statx, NEED_STAT, IS(1, 0)),
	NOTIFY(statx, NEED_STAT),
	NOTIFY(access, NEED_STAT),
	NOTIFY(faccessat, NEED_STAT),
	NOTIFY(faccessat2, NEED_STAT),
	NOTIFY(readlink, NEED_STAT),
	NOTIFY(readlinkat, NEED_STAT),
	NOTIFY(getxattr, NEED_STAT),
	NOTIFY(lgetxattr, NEED_STAT),
	NOTIFY(listxattr, NEED_STAT),
	NOTIFY(llistxattr, NEED_STAT),
	NOTIFY(statfs, NEED_STAT),
	NOTIFY(inotify_add_watch, NEED_STAT),
	NOTIFY(name_to_handle_at, NEED_STAT),
	NOTIFY(chdir, NEED_STAT),
	REFUSE(getxattrat, NEED_STAT, ENOSYS),
	REFUSE(listxattrat, NEED_STAT, ENOSYS),
	REFUSE(file_getattr, NEED_STAT, ENOSYS),
	LET(fanotify_mark, NEED_STAT, IS(4, 0)), /* on a descriptor */
	REFUSE(fanotify_mark, NEED_STAT, EPERM),

	/*
	 * A mount gives what lies in one place another name, and its end brings to light what lay
	 * below; a policy speaks of names. The broker lets only those do it who have a mount
	 * namespace of their own, or go into one of the session (by the flag of it, or by a
	 * descriptor that does not tell its kind: 0), and knows that it has to look behind names.
	 */
	NOTIFY(mount, NEED_BROKER),
	NOTIFY(umount2, NEED_BROKER),
	NOTIFY(move_mount, NEED_BROKER),
	NOTIFY(mount_setattr, NEED_BROKER),
	NOTIFY(open_tree, NEED_BROKER),
	NOTIFY(open_tree_attr, NEED_BROKER),
	NOTIFY(fsopen, NEED_BROKER),
	NOTIFY(fspick, NEED_BROKER),
	NOTIFY(fsconfig, NEED_BROKER),
	NOTIFY(fsmount, NEED_BROKER),
	NOTIFY(pivot_root, NEED_BROKER),

	/* Nor is there a way back into the network that the programs were put out of. */
	REFUSE(setns, NEED_INSIDE, EPERM, HAS(1, CLONE_NEWNET)),
	REFUSE(setns, NEED_INSIDE, EPERM, MASKED(1, UINT32_MAX, 0)),

	/* They change where a path begins and who asks; the broker notes it and lets them go on. */
	NOTIFY(chroot, NEED_BROKER),
	NOTIFY(setns, NEED_BROKER),
	NOTIFY(unshare, NEED_BROKER, HAS(0, CLONE_NEWNS)),
	NOTIFY(unshare, NEED_BROKER, HAS(0, CLONE_NEWUSER)),
	NOTIFY(clone, NEED_BROKER, HAS(0, CLONE_NEWNS)),
	NOTIFY(clone, NEED_BROKER, HAS(0, CLONE_NEWUSER)),
	/* Who has another's descriptors can change them while he waits: see admit.h. */
	NOTIFY(clone, NEED_BROKER, HAS(0, CLONE_FILES), LACKS(0, CLONE_THREAD)),
	/* The same with its flags in memory; every libc falls back to clone. */
	REFUSE(clone3, NEED_BROKER, ENOSYS),

	/* They change on whose behalf the broker acts. */
	NOTIFY(setuid, NEED_BROKER | NEED_ROOT),
	NOTIFY(setgid, NEED_BROKER | NEED_ROOT),
	NOTIFY(setreuid, NEED_BROKER | NEED_ROOT),
	NOTIFY(setregid, NEED_BROKER | NEED_ROOT),
	NOTIFY(setresuid, NEED_BROKER | NEED_ROOT),
	NOTIFY(setresgid, NEED_BROKER | NEED_ROOT),
	NOTIFY(setfsuid, NEED_BROKER | NEED_ROOT),
	NOTIFY(setfsgid, NEED_BROKER | NEED_ROOT),
	NOTIFY(setgroups, NEED_BROKER | NEED_ROOT),
	NOTIFY(capset, NEED_BROKER | NEED_ROOT),
	NOTIFY(prctl, NEED_BROKER | NEED_ROOT, IS(0, PR_CAPBSET_DROP)),
	NOTIFY(prctl, NEED_BROKER | NEED_ROOT, IS(0, PR_SET_SECUREBITS)),
	NOTIFY(prctl, NEED_BROKER | NEED_ROOT, IS(0, PR_CAP_AMBIENT)),
	/* A target that hides its memory could not be served; what it hides it from cannot look. */
	REFUSE(prctl, NEED_BROKER | NEED_USER, 0, IS(0, PR_SET_DUMPABLE), IS(1, 0)),

	/* Other doors to the same rooms: the same work without a call, without a path. */
	REFUSE(io_uring_setup, NEED_BROKER, ENOSYS),
	REFUSE(io_uring_enter, NEED_BROKER, ENOSYS),
	REFUSE(io_uring_register, NEED_BROKER, ENOSYS),
	REFUSE(open_by_handle_at, NEED_BROKER, EPERM),
	/* Events with a file identifier bring no descriptor; others bring one of any file. */
	LET(fanotify_init, NEED_FILES, HAS(0, FAN_REPORT_FID)),
	LET(fanotify_init, NEED_FILES, HAS(0, FAN_REPORT_DIR_FID)),
	REFUSE(fanotify_init, NEED_FILES, EPERM),
	/* Here the kernel itself opens what is named, for one who may do that on a whole machine.
	 */
	REFUSE(acct, NEED_FILES, EPERM),
	REFUSE(swapon, NEED_FILES, EPERM),
	REFUSE(swapoff, NEED_FILES, EPERM),
	REFUSE(quotactl, NEED_FILES, EPERM),
	REFUSE(uselib, NEED_FILES, ENOSYS),
	REFUSE(bpf, NEED_BROKER, EPERM),
	/*
	 * A key that is nowhere is made by a program that the kernel starts, as root and in the
	 * network of the machine: key.dns_resolver(8) asks for any name. As where nobody makes any.
	 */
	REFUSE(request_key, NEED_BROKER, ENOKEY, ABOVE(2, 0)),
	/* Who lets another process dump core, and has it die by a signal, has its memory in a file.
	 */
	REFUSE(prlimit64, NEED_BROKER, EPERM, ABOVE(0, 0), MASKED(1, UINT32_MAX, RLIMIT_CORE),
		ABOVE(2, 0)),
	CORE_ROWS(NEED_CREATE),
	CORE_ROWS(NEED_REMOVE),

	/* A layer of the caller's own would not hold the broker that acts for it: there is none. */
	REFUSE(landlock_create_ruleset, NEED_BROKER, EOPNOTSUPP),
	REFUSE(landlock_restrict_self, NEED_BROKER, EOPNOTSUPP),
	/* A hold on a process that may not be of the session: the broker looks whose it is. */
	REFUSE(pidfd_getfd, NEED_BROKER, EPERM),
	NOTIFY(ptrace, NEED_BROKER, IS(0, PTRACE_ATTACH)),
	NOTIFY(ptrace, NEED_BROKER, IS(0, PTRACE_SEIZE)),
	NOTIFY(process_vm_readv, NEED_BROKER),
	NOTIFY(process_vm_writev, NEED_BROKER),
	/* It takes samples of registers and stacks: of the caller's own, unless a flag makes a
	 * descriptor of the number, that of a control group. */
	LET(perf_event_open, NEED_BROKER, IS(1, 0), LACKS(4, PERF_FLAG_PID_CGROUP)),
	REFUSE(perf_event_open, NEED_BROKER, EACCES),
};

#define OF_FILES (NEED_FILES | NEED_NAMES | NEED_BROKER)
#define OF_OPENS (NEED_OPEN | OF_FILES)

/* What comes with an operation on files that is mediated. */
static const struct {
	enum policy_operation operation;
	unsigned int needs, asks; /* if it is mediated at all, and if the broker does it */
} needs_of_files[] = {
	{OPERATION_READ, NEED_READ | OF_OPENS, ASK_READ},
	{OPERATION_WRITE, NEED_WRITE | OF_OPENS, ASK_WRITE},
	{OPERATION_CREATE, NEED_CREATE | OF_OPENS, ASK_CREATE},
	{OPERATION_REMOVE, NEED_REMOVE | OF_FILES, ASK_REMOVE},
	{OPERATION_METADATA, NEED_METADATA | OF_FILES, 0},
	{OPERATION_STAT, NEED_STAT | OF_FILES, 0},
};

static unsigned int needs_of_file_rules(const struct policy *policy, unsigned int landlock)
{
	unsigned int needs = 0;

	for (size_t i = 0; i < array_length(needs_of_files); i++) {
		if (!policy_mediates_file(policy, needs_of_files[i].operation)) {
			continue;
		}
		needs |= needs_of_files[i].needs;
		if ((landlock & needs_of_files[i].operation) == 0) {
			needs |= needs_of_files[i].asks;
		}
	}
	return needs;
}

static unsigned int needs_of_network(const struct policy *policy)
{
	unsigned int needs = 0;

	if (policy_mediates_endpoint(policy, OPERATION_CONNECT)) {
		needs |= NEED_CONNECT | NEED_ADDRESS | NEED_BROKER;
		needs |= sockets_take_addresses(policy) ? NEED_MESSAGES : 0;
		needs |= policy_names_hosts(policy) ? NEED_OUTSIDE : 0;
		needs |= policy_is_uniform_below(policy, "/") ? 0 : NEED_NAMES;
	}
	if (policy_mediates_endpoint(policy, OPERATION_BIND)) {
		needs |= NEED_BIND | NEED_ADDRESS | NEED_BROKER;
		needs |= sockets_bind_themselves(policy) ? NEED_LISTEN : 0;
	}
	return needs;
}

static unsigned int needs_of(const struct policy *policy, const struct filter_options *options)
{
	unsigned int needs = options->targets_are_root ? NEED_ROOT : NEED_USER;

	needs |= needs_of_file_rules(policy, options->landlock);
	if (policy_network(policy) != WIRE_NETWORK_HOST) {
		needs |= NEED_INSIDE | NEED_BROKER;
		needs |= policy_network(policy) == WIRE_NETWORK_BROKER &&
					 policy_has_section(policy, POLICY_NETWORK)
				 ? NEED_OUTSIDE
				 : 0;
	}
	return needs | needs_of_network(policy);
}

static int add_row(struct plan *plan, const struct row *row)
{
	struct plan_clause clause = {.answer = {row->answer, row->error}};

	for (size_t i = 0; i < array_length(row->when); i++) {
		if (row->when[i].mask) {
			clause.comparisons[clause.count++] = row->when[i];
		}
	}
	return plan_call_add(plan, row->nr, offsetof(struct plan_call, mediation), &clause);
}

/* See told_options.h. */
static int add_told_options(struct plan *plan)
{
	size_t count, level_count;
	const struct socket_option *usual = usual_options(&count);
	const int *levels = told_levels(&level_count);
	int error = 0;

	for (size_t i = 0; i < count && !error; i++) {
		const struct row row = LET(setsockopt, NEED_OUTSIDE,
			IS(1, (unsigned int)usual[i].level), IS(2, (unsigned int)usual[i].name));
		error = add_row(plan, &row);
	}
	for (size_t i = 0; i < level_count && !error; i++) {
		const struct row row =
			NOTIFY(setsockopt, NEED_OUTSIDE, IS(1, (unsigned int)levels[i]));
		error = add_row(plan, &row);
	}
	return error;
}

static int add_probe(struct plan *plan)
{
	const struct plan_clause clause = {
		.comparisons = {IS(0, WIRE_PROBE_OPERATION)},
		.count = 1,
		.answer = {FILTER_NOTIFY, 0},
	};

	return plan_call_add(plan, SCMP_SYS(seccomp), offsetof(struct plan_call, always), &clause);
}

int plan_mediate(
	struct plan *plan, const struct policy *policy, const struct filter_options *options)
{
	unsigned int needs = needs_of(policy, options);
	int error = add_probe(plan);

	plan->refuses_unknown = needs & NEED_BROKER;
	for (size_t i = 0; i < array_length(rows) && !error; i++) {
		if ((rows[i].needs & needs) == rows[i].needs) {
			error = add_row(plan, &rows[i]);
		}
	}
	if (!error && (needs & NEED_FILES)) {
		error = plan_ioctls(plan, needs & NEED_METADATA);
	}
	if (!error && (needs & NEED_OUTSIDE)) {
		error = add_told_options(plan);
	}
	return error < 0 ? error : plan_sockets(plan, policy);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a policy the broker must see, and what it must never see pass: one table, in which a row
 * stands for one clause of a call's list. Rows of the same call are tried top down; a row is there
 * only if the policy has all the needs it names. [sockets] is decided here by numbers alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fanotify.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/filter_plan.h"
#include "usher/wire.h"

#ifndef __O_TMPFILE
#error "__O_TMPFILE is expected from fcntl.h"
#endif

enum need {
	NEED_READ = 1u << 0, /* opens for reading can be answered otherwise than by allow */
	NEED_WRITE = 1u << 1,
	NEED_CREATE = 1u << 2,
	NEED_FILES = 1u << 3, /* one of these three */
	NEED_CONNECT = 1u << 4,
	NEED_BROKER = 1u << 5, /* files or connections: targets are looked into */
	NEED_ROOT = 1u << 6,   /* the targets are root */
	NEED_USER = 1u << 7,   /* they are not */
};

struct row {
	int nr;
	unsigned int needs;
	enum filter_answer answer;
	int error;
	struct comparison when[2]; /* a mask of 0 is no condition */
};

#define MASKED(argument_, mask_, value_)                                                \
	{                                                                               \
		.argument = (argument_), .operator= COMPARE_MASKED_EQ, .mask = (mask_), \
		.value = (value_)                                                       \
	}
#define HAS(argument, bit)   MASKED(argument, bit, bit)
#define LACKS(argument, bit) MASKED(argument, bit, 0)
#define IS(argument, value)  MASKED(argument, UINT64_MAX, value)

/*
 * An open is asked about by its flags: O_PATH gives no access to what it opens (and makes the
 * kernel ignore the other flags); access mode 3 asks for read and write. What O_TMPFILE has beyond
 * O_DIRECTORY is __O_TMPFILE.
 */
#define OPEN_ROWS(nr, flags)                                                    \
	{nr, NEED_FILES, FILTER_ALLOW, 0, {HAS(flags, O_PATH)}},                \
		{nr, NEED_READ | NEED_WRITE, FILTER_NOTIFY, 0, {{0}}},          \
		{nr, NEED_CREATE, FILTER_NOTIFY, 0, {HAS(flags, O_CREAT)}},     \
		{nr, NEED_CREATE, FILTER_NOTIFY, 0, {HAS(flags, __O_TMPFILE)}}, \
		{nr, NEED_WRITE, FILTER_NOTIFY, 0, {HAS(flags, O_WRONLY)}},     \
		{nr, NEED_WRITE, FILTER_NOTIFY, 0, {HAS(flags, O_RDWR)}},       \
		{nr, NEED_WRITE, FILTER_NOTIFY, 0, {HAS(flags, O_TRUNC)}},      \
		{nr, NEED_READ, FILTER_NOTIFY, 0, {LACKS(flags, O_WRONLY)}},    \
	{                                                                       \
		nr, NEED_READ, FILTER_NOTIFY, 0,                                \
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

static const struct row rows[] = {
	OPEN_ROWS(SCMP_SYS(open), 1),
	OPEN_ROWS(SCMP_SYS(openat), 2),
	NOTIFY(creat, NEED_WRITE),
	NOTIFY(creat, NEED_CREATE),
	NOTIFY(openat2, NEED_FILES), /* its flags lie in memory */
	NOTIFY(connect, NEED_CONNECT),

	/*
	 * A mount gives what lies in one place another name, and a policy speaks of names; so does
	 * another root of the mount tree, and another mount namespace (by its flag, or by a
	 * descriptor that does not tell its kind: 0). Other kinds of namespaces can be joined.
	 */
	REFUSE(mount, NEED_FILES, EPERM),
	REFUSE(move_mount, NEED_FILES, EPERM),
	REFUSE(open_tree, NEED_FILES, EPERM),
	REFUSE(fsopen, NEED_FILES, EPERM),
	REFUSE(fspick, NEED_FILES, EPERM),
	REFUSE(fsmount, NEED_FILES, EPERM),
	REFUSE(pivot_root, NEED_FILES, EPERM),
	REFUSE(setns, NEED_FILES, EPERM, HAS(1, CLONE_NEWNS)),
	REFUSE(setns, NEED_FILES, EPERM, MASKED(1, UINT32_MAX, 0)),

	/* They change where a path begins and who asks; the broker notes it and lets them go on. */
	NOTIFY(chroot, NEED_BROKER),
	NOTIFY(pivot_root, NEED_BROKER),
	NOTIFY(setns, NEED_BROKER),
	NOTIFY(unshare, NEED_BROKER, HAS(0, CLONE_NEWNS)),
	NOTIFY(unshare, NEED_BROKER, HAS(0, CLONE_NEWUSER)),
	NOTIFY(clone, NEED_BROKER, HAS(0, CLONE_NEWNS)),
	NOTIFY(clone, NEED_BROKER, HAS(0, CLONE_NEWUSER)),
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
	/* TCP fast open connects without connect(2); where it is switched off, it says so. */
	REFUSE(sendto, NEED_CONNECT, EOPNOTSUPP, HAS(3, MSG_FASTOPEN)),
	REFUSE(sendmsg, NEED_CONNECT, EOPNOTSUPP, HAS(2, MSG_FASTOPEN)),
	REFUSE(sendmmsg, NEED_CONNECT, EOPNOTSUPP, HAS(3, MSG_FASTOPEN)),

	/* A hold on a process that may not be of the session: the broker looks whose it is. */
	REFUSE(pidfd_getfd, NEED_BROKER, EPERM),
	NOTIFY(ptrace, NEED_BROKER, IS(0, PTRACE_ATTACH)),
	NOTIFY(ptrace, NEED_BROKER, IS(0, PTRACE_SEIZE)),
	NOTIFY(process_vm_readv, NEED_BROKER),
	NOTIFY(process_vm_writev, NEED_BROKER),
};

static unsigned int needs_of(const struct policy *policy, const struct filter_options *options)
{
	unsigned int needs = options->targets_are_root ? NEED_ROOT : NEED_USER;

	if (policy_mediates_file(policy, OPERATION_READ)) {
		needs |= NEED_READ | NEED_FILES | NEED_BROKER;
	}
	if (policy_mediates_file(policy, OPERATION_WRITE)) {
		needs |= NEED_WRITE | NEED_FILES | NEED_BROKER;
	}
	if (policy_mediates_file(policy, OPERATION_CREATE)) {
		needs |= NEED_CREATE | NEED_FILES | NEED_BROKER;
	}
	if (policy_mediates_endpoint(policy, OPERATION_CONNECT)) {
		needs |= NEED_CONNECT | NEED_BROKER;
	}
	return needs;
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

static int add_probe(struct plan *plan)
{
	const struct plan_clause clause = {
		.comparisons = {IS(0, WIRE_PROBE_OPERATION)},
		.count = 1,
		.answer = {FILTER_NOTIFY, 0},
	};

	return plan_call_add(plan, SCMP_SYS(seccomp), offsetof(struct plan_call, always), &clause);
}

/* SOCK_CLOEXEC and SOCK_NONBLOCK stand beside the type, of which the kernel takes four bits. */
#define SOCKET_TYPE_MASK 0xfu

static void add_socket_comparison(
	struct plan_clause *clause, unsigned int argument, uint64_t mask, int value)
{
	if (value >= 0) {
		clause->comparisons[clause->count++] =
			(struct comparison)MASKED(argument, mask, (uint32_t)value);
	}
}

static struct plan_answer answer_of_socket_rule(const struct policy_rule *rule, int nr)
{
	if (rule->action == POLICY_KILL) {
		return (struct plan_answer){FILTER_KILL, 0};
	}
	if (rule->audit || (rule->action == POLICY_INJECT && nr == SCMP_SYS(socket))) {
		return (struct plan_answer){FILTER_NOTIFY, 0};
	}
	if (rule->action == POLICY_DENY) {
		return (struct plan_answer){FILTER_ERRNO, rule->error};
	}
	return (struct plan_answer){FILTER_ALLOW, 0};
}

static int add_socket_rule(struct plan *plan, const struct policy_rule *rule, int nr)
{
	struct plan_clause clause = {.answer = answer_of_socket_rule(rule, nr)};
	int error = 0;

	if (rule->is_default) {
		return plan_call_add(plan, nr, offsetof(struct plan_call, mediation), &clause);
	}
	for (size_t i = 0; i < rule->subject_count && !error; i++) {
		const struct socket_subject *subject = &rule->subjects[i].socket;

		clause.count = 0;
		add_socket_comparison(&clause, 0, UINT32_MAX, subject->family);
		add_socket_comparison(&clause, 1, SOCKET_TYPE_MASK, subject->type);
		add_socket_comparison(&clause, 2, UINT32_MAX, subject->protocol);
		error = plan_call_add(plan, nr, offsetof(struct plan_call, mediation), &clause);
	}
	return error;
}

static int add_sockets(struct plan *plan, const struct policy *policy)
{
	size_t count;
	const struct policy_rule *rules = policy_rules(policy, POLICY_SOCKETS, &count);
	int error = 0;

	for (size_t i = 0; i < count && !error; i++) {
		error = add_socket_rule(plan, &rules[i], SCMP_SYS(socket));
		if (!error) {
			error = add_socket_rule(plan, &rules[i], SCMP_SYS(socketpair));
		}
	}
	return error;
}

int plan_mediate(
	struct plan *plan, const struct policy *policy, const struct filter_options *options)
{
	unsigned int needs = needs_of(policy, options);
	int error = add_probe(plan);

	for (size_t i = 0; i < array_length(rows) && !error; i++) {
		if ((rows[i].needs & needs) == rows[i].needs) {
			error = add_row(plan, &rows[i]);
		}
	}
	if (!error && policy_has_section(policy, POLICY_SOCKETS)) {
		error = add_sockets(plan, policy);
	}
	return error;
}

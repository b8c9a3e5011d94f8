/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every system call accounted for: which of them a policy has its hand on, by which operation, and
 * why the others may pass or may not. The table is knowledge about the kernel and not about the
 * filter, which has its own; the tests hold the two against each other, against the names that
 * libseccomp knows and against the numbers that the running kernel answers. A call that is not in
 * the table is not known to this version: the filter refuses it as a kernel without it would.
 */
#pragma once

#include <stdbool.h>

enum account_kind {
	ACCOUNT_MEDIATED, /* it is decided on, by the broker, the filter or Landlock */
	ACCOUNT_WATCHED,  /* the broker is told, and lets it go on */
	ACCOUNT_REFUSED,  /* refused while files or connections are mediated, if not always */
	ACCOUNT_HARMLESS,
};

enum account_reason {
	MEDIATED_PATH,
	MEDIATED_ADDRESS,
	MEDIATED_LISTEN,
	MEDIATED_SOCKET,
	MEDIATED_PROGRAM,
	WATCHED_PLACE,
	WATCHED_IDENTITY,
	WATCHED_MODE,
	WATCHED_REACH,
	WATCHED_EPOLL,
	WATCHED_PROBE,
	WATCHED_MOUNT,
	REFUSED_YOUNGER,
	REFUSED_KERNEL,
	REFUSED_ROUND,
	REFUSED_HELPER,
	REFUSED_ROUTE,
	REFUSED_CORE,
	REFUSED_LAYER,
	HARMLESS_DESCRIPTOR,
	HARMLESS_NAMELESS,
	HARMLESS_MEMORY,
	HARMLESS_SELF,
	HARMLESS_PROCESS,
	HARMLESS_TIME,
	HARMLESS_OTHER_NAMES,
	HARMLESS_TELLING,
	HARMLESS_MACHINE,
	HARMLESS_GONE,
	ACCOUNT_REASONS
};

struct syscall_account {
	enum account_reason reason;
	unsigned int operations; /* MEDIATED: what a policy must speak of, enum policy_operation */
};

/* NULL for a number that no call known to this version has. */
const struct syscall_account *syscall_account(int nr);

enum account_kind account_kind(enum account_reason reason);
/* In words, as it goes on after "it ...". */
const char *account_text(enum account_reason reason);

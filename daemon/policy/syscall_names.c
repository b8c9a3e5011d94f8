/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libseccomp knows the calls of its day; a short table is all that a younger kernel asks for.
 */
#include "daemon/policy/syscall_names.h"

#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/syscall_younger.h"
#include "daemon/policy/words.h"

static const struct word younger_items[] = {
	{"uretprobe", SCMP_SYS(uretprobe)},
	{"uprobe", SCMP_SYS(uprobe)},
	{"cachestat", SCMP_SYS(cachestat)},
	{"fchmodat2", SCMP_SYS(fchmodat2)},
	{"map_shadow_stack", SCMP_SYS(map_shadow_stack)},
	{"futex_wake", SCMP_SYS(futex_wake)},
	{"futex_wait", SCMP_SYS(futex_wait)},
	{"futex_requeue", SCMP_SYS(futex_requeue)},
	{"statmount", SCMP_SYS(statmount)},
	{"listmount", SCMP_SYS(listmount)},
	{"lsm_get_self_attr", SCMP_SYS(lsm_get_self_attr)},
	{"lsm_set_self_attr", SCMP_SYS(lsm_set_self_attr)},
	{"lsm_list_modules", SCMP_SYS(lsm_list_modules)},
	{"mseal", SCMP_SYS(mseal)},
	{"setxattrat", SCMP_SYS(setxattrat)},
	{"getxattrat", SCMP_SYS(getxattrat)},
	{"listxattrat", SCMP_SYS(listxattrat)},
	{"removexattrat", SCMP_SYS(removexattrat)},
	{"open_tree_attr", SCMP_SYS(open_tree_attr)},
	{"file_getattr", SCMP_SYS(file_getattr)},
	{"file_setattr", SCMP_SYS(file_setattr)},
};
static const struct words younger = {younger_items, array_length(younger_items)};

int syscall_number(const char *name)
{
	int nr = seccomp_syscall_resolve_name(name);
	const struct word *word;

	if (nr != SYSCALL_UNKNOWN) {
		return nr;
	}
	word = word_find(&younger, name, strlen(name));
	return word ? (int)word->value : SYSCALL_UNKNOWN;
}

bool syscall_name(int nr, char *name, size_t size)
{
	cleanup_free char *known = NULL;
	const char *found;

	if (nr < 0) {
		return false;
	}
	known = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, nr);
	found = known ? known : word_name(&younger, nr);
	return found && (size_t)snprintf(name, size, "%s", found) < size;
}

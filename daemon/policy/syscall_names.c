/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libseccomp knows the calls of its day. Later ones have the same number on every architecture, so
 * a short table is all that a younger kernel asks for.
 */
#include "daemon/policy/syscall_names.h"

#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/words.h"

static const struct word younger_items[] = {
#ifdef __x86_64__
	{"uretprobe", 335},
#endif
	{"cachestat", 451},
	{"fchmodat2", 452},
	{"map_shadow_stack", 453},
	{"futex_wake", 454},
	{"futex_wait", 455},
	{"futex_requeue", 456},
	{"statmount", 457},
	{"listmount", 458},
	{"lsm_get_self_attr", 459},
	{"lsm_set_self_attr", 460},
	{"lsm_list_modules", 461},
	{"mseal", 462},
	{"setxattrat", 463},
	{"getxattrat", 464},
	{"listxattrat", 465},
	{"removexattrat", 466},
	{"open_tree_attr", 467},
	{"file_getattr", 468},
	{"file_setattr", 469},
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

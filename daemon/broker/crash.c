/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/crash.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "daemon/base/cleanup.h"
#include "usher/session.h"

static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
static struct sigaction before[array_length(faults)];
static _Thread_local struct session_slot *served;

/*
 * A signal that somebody sent has nothing to do with what its receiver was doing. A fault comes
 * again as soon as we return, and is then treated as if we had never been here.
 */
static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (served && info->si_code != SI_USER) {
		atomic_store(&served->blamed, 1);
	}
	for (size_t i = 0; i < array_length(faults); i++) {
		(void)sigaction(faults[i], &before[i], NULL);
	}
	if (info->si_code <= 0) {
		(void)raise(number);
	}
}

void crash_watch(void)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};

	for (size_t i = 0; i < array_length(faults); i++) {
		(void)sigaction(faults[i], &action, &before[i]);
	}
}

void crash_blame(struct session_slot *slot)
{
	served = slot;
}

static bool is_in_use(const struct session_slot *slot)
{
	return slot->notification.id != 0 && atomic_load(&slot->state) != SLOT_ANSWERED;
}

void crash_count(struct session_memory *memory)
{
	bool is_known = false;

	for (size_t i = 0; i < SESSION_SLOTS; i++) {
		is_known = is_known || atomic_load(&memory->slots[i].blamed);
	}
	for (size_t i = 0; i < SESSION_SLOTS; i++) {
		struct session_slot *slot = &memory->slots[i];
		if (is_in_use(slot)) {
			slot->crashes += !is_known || atomic_load(&slot->blamed);
			atomic_store(&slot->blamed, 0);
		}
	}
}

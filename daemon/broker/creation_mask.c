/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/creation_mask.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/stat.h>

#include "daemon/broker/broker.h"
#include "daemon/broker/target.h"
#include "usher/session.h"

#define BITS 0777u /* that umask(2) takes notice of */

void creation_mask_note(const struct broker *broker, pid_t tid)
{
	uint32_t none = 0;
	mode_t mask;

	if (target_read_umask(tid, &mask) == 0) {
		(void)atomic_compare_exchange_strong(
			&broker->memory->umask, &none, (mask & BITS) | SESSION_UMASK_NOTED);
	}
}

bool creation_mask_changes(const struct broker *broker, mode_t mask)
{
	return atomic_load(&broker->memory->umask) != ((mask & BITS) | SESSION_UMASK_NOTED);
}

int creation_mask_of(const struct broker *broker, pid_t tid, mode_t *mask)
{
	uint32_t noted = atomic_load_explicit(&broker->memory->umask, memory_order_relaxed);

	if (!(noted & SESSION_UMASK_NOTED) || broker_knows(broker, SESSION_UMASKS_VARY)) {
		return target_read_umask(tid, mask);
	}
	*mask = noted & BITS;
	return 0;
}

int creation_mask_take(const struct broker *broker, pid_t tid)
{
	mode_t mask = 0;
	int error = creation_mask_of(broker, tid, &mask);

	if (error == 0) {
		umask(mask);
	}
	return error;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Calls after which less is known of the session than before (usher/session.h has the facts). */
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "daemon/broker/act.h"
#include "daemon/broker/admit.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/creation_mask.h"
#include "daemon/broker/epoll_carry.h"
#include "daemon/broker/request.h"
#include "daemon/policy/told_options.h"

/* What is known no longer when somebody makes such a namespace, or goes to one. */
static uint32_t facts_of_namespaces(uint64_t flags)
{
	uint32_t facts =
		flags & (CLONE_NEWNS | CLONE_NEWUSER) ? SESSION_ROOTS_VARY | SESSION_IDS_VARY : 0;

	return facts | (flags & CLONE_NEWNS ? SESSION_MOUNTS_VARY : 0);
}

/*
 * setresuid(2) and its like with what is so already: posix_spawn(3) makes them where the effective
 * ids are to be the real ones again, as make(1) wants of each of its children. While ids do not
 * vary (and if they do this is known) the caller has those of the start, which are ours.
 */
static bool sets_what_is_set(const __u64 *args, uint32_t effective, uint32_t of_files)
{
	const uint32_t keep = UINT32_MAX, wanted = (uint32_t)args[1];

	return (uint32_t)args[0] == keep && (uint32_t)args[2] == keep &&
	       (wanted == keep || wanted == effective) && effective == of_files;
}

static uint32_t facts_of_ids(const struct identity *own, const struct seccomp_data *data)
{
	bool is_same = (data->nr == SYS_setresuid &&
			       sets_what_is_set(data->args, own->effective_uid, own->uid)) ||
		       (data->nr == SYS_setresgid &&
			       sets_what_is_set(data->args, own->effective_gid, own->gid));

	return is_same ? 0 : SESSION_IDS_VARY;
}

enum act_outcome act_forget(const struct broker *broker, struct request *request)
{
	const struct seccomp_data *data = &request->slot->notification.data;
	uint32_t facts = 0;

	switch (data->nr) {
	case SYS_chroot:
		facts = SESSION_ROOTS_VARY;
		break;
	case SYS_epoll_create:
	case SYS_epoll_create1:
		facts = SESSION_EPOLLS;
		epoll_memory_outdate(broker->epolls);
		break;
	case SYS_setsockopt:
		atomic_fetch_or(&broker->memory->told,
			told_option_bit((int)data->args[1], (int)data->args[2]));
		break;
	case SYS_umask:
		facts = creation_mask_changes(broker, (mode_t)data->args[0]) ? SESSION_UMASKS_VARY
									     : 0;
		break;
	case SYS_setns:
		facts = facts_of_namespaces(CLONE_NEWUSER);
		facts |= admit_is_asked((unsigned int)data->args[1]) ? SESSION_MOUNTS_VARY : 0;
		break;
	case SYS_unshare:
		facts = facts_of_namespaces(data->args[0]);
		break;
	case SYS_clone:
		facts = facts_of_namespaces(data->args[0]);
		facts |= data->args[0] & CLONE_FILES ? SESSION_TABLES_SHARED : 0;
		break;
	default:
		facts = facts_of_ids(&broker->identity, data);
		break;
	}
	atomic_fetch_or(&broker->memory->facts, facts);
	return ACT_CONTINUE;
}

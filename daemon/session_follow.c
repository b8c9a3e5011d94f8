/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/session_follow.h"

#include "daemon/base/cleanup.h"
#include "daemon/child.h"
#include "daemon/session.h"
#include "daemon/session_keep.h"

int session_filter_snapshot(const struct session *session)
{
	return session->first_snapshot >= 0 ? session->first_snapshot : session->snapshot;
}

int session_follow(struct session *session, int *snapshot, uint64_t number)
{
	if (session->first_snapshot < 0) {
		session->first_snapshot = steal_fd(&session->snapshot);
	}
	close_fd(&session->snapshot);
	session->snapshot = steal_fd(snapshot);
	session->policy_number = number;
	/* Another usherd would find the one before: in its session, that still is a policy. */
	(void)session_keep(session);
	if (!session->child || session->state != SESSION_RUNNING) {
		return 0;
	}
	/* One that cannot be told has a successor that need not be. */
	if (child_send_policy(session->child, number, session->snapshot) < 0) {
		child_replace(session->child);
	}
	return 1;
}

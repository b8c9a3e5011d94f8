/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/table.h"

#include "daemon/broker/broker.h"
#include "daemon/broker/target.h"

bool table_is_own(const struct broker *broker, pid_t tid)
{
	return !broker_knows(broker, SESSION_TABLES_SHARED) && target_has_one_thread(tid);
}

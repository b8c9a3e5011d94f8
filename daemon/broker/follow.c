/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/follow.h"

#include <errno.h>
#include <stdlib.h>
#include <uv.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/dns.h"
#include "daemon/broker/workers.h"

#define LOOK_MS 20u

/* One that new calls do not begin with, until the last of the old has ended. */
struct retired {
	uv_timer_t timer;
	const struct broker *broker;
	bool is_first;
	struct workers_grace *grace;
};

static void on_closed(uv_handle_t *handle)
{
	free(container_of((uv_timer_t *)handle, struct retired, timer));
}

static void on_look(uv_timer_t *timer)
{
	struct retired *retired = container_of(timer, struct retired, timer);

	if (!workers_have_left(retired->broker->workers, retired->grace)) {
		return;
	}
	policy_free(retired->broker->policy);
	if (!retired->is_first) {
		free((void *)retired->broker);
	}
	free(retired->grace);
	uv_close((uv_handle_t *)timer, on_closed);
}

int follow_policy(struct follow *follow, int snapshot)
{
	cleanup_policy struct policy *policy = NULL;
	cleanup_free struct retired *retired = calloc(1, sizeof(*retired));
	cleanup_free struct broker *broker = malloc(sizeof(*broker));
	cleanup_free struct workers_grace *grace = workers_grace_new();

	if (!retired || !broker || !grace) {
		return -ENOMEM;
	}
	int result = policy_from_snapshot(&policy, snapshot);
	if (result == 0) {
		result = uv_timer_init(follow->loop, &retired->timer);
	}
	if (result < 0) {
		return result;
	}
	*broker = *follow->current;
	broker->policy = policy;
	result = dns_follow(broker, follow->loop);
	if (result < 0) {
		uv_close((uv_handle_t *)&retired->timer, on_closed);
		steal_pointer(&retired);
		return result;
	}
	steal_pointer(&policy);
	retired->broker = follow->current;
	retired->is_first = follow->current == follow->first;
	retired->grace = steal_pointer(&grace);
	follow->current = steal_pointer(&broker);
	workers_switch(follow->current->workers, follow->current, retired->grace);
	uv_timer_start(&retired->timer, on_look, LOOK_MS, LOOK_MS);
	steal_pointer(&retired);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "client/top_model.h"

#include <assert.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/session_table.h"
#include "daemon/base/cleanup.h"

static const char *const order_names[] = {
	[TOP_BY_RATE] = "rate",
	[TOP_BY_DENIED] = "denied",
	[TOP_BY_DELAY] = "delay",
	[TOP_BY_AGE] = "age",
	[TOP_BY_SESSION] = "session",
};
static_assert(array_length(order_names) == TOP_ORDERS, "a name for each order");

const char *top_order_name(enum top_order order)
{
	return order_names[order];
}

static struct json_object *member(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(object, key, &value);
	return value;
}

static uint64_t number(struct json_object *object, const char *key)
{
	return json_object_get_uint64(member(object, key));
}

static void take_text(char *text, struct json_object *object, const char *key)
{
	session_table_text(text, TOP_TEXT_MAX, json_object_get_string(member(object, key)));
}

/* The bound of the bucket below which so many of a hundred lie; 0 where there are none. */
static uint64_t percentile(const uint64_t *delays, size_t count, unsigned int percent)
{
	uint64_t all = 0, below = 0;

	for (size_t i = 0; i < count; i++) {
		all += delays[i];
	}
	for (size_t i = 0; i < count; i++) {
		below += delays[i];
		if (all > 0 && below * 100 >= all * percent) {
			return (uint64_t)1 << (i < 63 ? i : 63);
		}
	}
	return 0;
}

static void take_delays(struct top_session *session, struct json_object *list)
{
	size_t count =
		json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	session->delay_count = count < TOP_DELAYS_MAX ? count : TOP_DELAYS_MAX;
	for (size_t i = 0; i < session->delay_count; i++) {
		session->delays[i] = json_object_get_uint64(json_object_array_get_idx(list, i));
	}
}

static void take_session(struct top_session *session, struct json_object *object)
{
	session->id = number(object, "id");
	session->pid = number(object, "pid");
	session->age = number(object, "age");
	session->allowed = number(object, "allowed");
	session->denied = number(object, "denied");
	session->answers = number(object, "answers");
	take_text(session->policy, object, "policy");
	take_text(session->user, object, "user");
	take_text(session->state, object, "state");
	take_text(session->command, object, "command");
	take_delays(session, member(object, "delays"));
}

static const struct top_session *find(const struct top_model *model, uint64_t id)
{
	for (size_t i = 0; i < model->count; i++) {
		if (model->sessions[i].id == id) {
			return &model->sessions[i];
		}
	}
	return NULL;
}

/* What is new since the look before; of a session that was not there then, all. */
static void compare(struct top_session *now, const struct top_session *before, double seconds)
{
	uint64_t delays[TOP_DELAYS_MAX];
	uint64_t answers = before ? before->answers : 0;

	for (size_t i = 0; i < now->delay_count; i++) {
		uint64_t old = before ? before->delays[i] : 0;
		delays[i] = now->delays[i] > old ? now->delays[i] - old : 0;
	}
	now->rate = seconds > 0 && now->answers > answers
			    ? (double)(now->answers - answers) / seconds
			    : 0;
	now->median = percentile(delays, now->delay_count, 50);
	now->slowest = percentile(delays, now->delay_count, 99);
}

int top_model_look(struct top_model *model, struct json_object *status, double seconds)
{
	struct json_object *list = member(status, "sessions");
	struct json_object *daemon = member(status, "daemon");
	size_t count =
		json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
	struct top_session *sessions = calloc(count + 1, sizeof(*sessions));

	if (!sessions) {
		return -ENOMEM;
	}
	model->rate = 0;
	for (size_t i = 0; i < count; i++) {
		take_session(&sessions[i], json_object_array_get_idx(list, i));
		compare(&sessions[i], find(model, sessions[i].id), seconds);
		model->rate += sessions[i].rate;
	}
	free(model->sessions);
	model->sessions = sessions;
	model->count = count;
	model->limit = number(daemon, "sessions_limit");
	model->age = (uint64_t)time(NULL) - number(daemon, "started");
	return 0;
}

/* The place of the name; where there is none left, that of the one with the fewest. */
static struct top_denied *place_of(struct top_model *model, const char *name, const char *policy)
{
	struct top_denied *fewest = &model->denied[0];

	for (size_t i = 0; i < model->denied_count; i++) {
		struct top_denied *one = &model->denied[i];
		if (strcmp(one->name, name) == 0 && strcmp(one->policy, policy) == 0) {
			return one;
		}
		fewest = one->count < fewest->count ? one : fewest;
	}
	if (model->denied_count < TOP_DENIED_MAX) {
		fewest = &model->denied[model->denied_count++];
	}
	*fewest = (struct top_denied){.count = 0};
	memcpy(fewest->name, name, strlen(name) + 1);
	memcpy(fewest->policy, policy, strlen(policy) + 1);
	return fewest;
}

void top_model_event(struct top_model *model, struct json_object *event)
{
	const char *kind = json_object_get_string(member(event, "event"));
	char name[TOP_TEXT_MAX], policy[TOP_TEXT_MAX];

	if (kind && strcmp(kind, "left-out") == 0) {
		model->untold += number(event, "count");
	}
	if (!kind || strcmp(kind, "decision") != 0) {
		return;
	}
	take_text(name, event, member(event, "resolved") ? "resolved" : "asked");
	take_text(policy, event, "policy");
	place_of(model, name, policy)->count++;
}

#define COMPARE(a, b) ((a) < (b) ? 1 : (a) > (b) ? -1 : 0)

static int by_id(const struct top_session *a, const struct top_session *b)
{
	return COMPARE(b->id, a->id);
}

static int in_order(const void *left, const void *right, void *order)
{
	const struct top_session *a = left, *b = right;
	int result = 0;

	switch (*(const enum top_order *)order) {
	case TOP_BY_RATE:
		result = COMPARE(a->rate, b->rate);
		break;
	case TOP_BY_DENIED:
		result = COMPARE(a->denied, b->denied);
		break;
	case TOP_BY_DELAY:
		result = COMPARE(a->slowest, b->slowest);
		break;
	case TOP_BY_AGE:
		result = COMPARE(a->age, b->age);
		break;
	case TOP_BY_SESSION:
	case TOP_ORDERS:
		break;
	}
	return result ? result : by_id(a, b);
}

static int by_count(const void *left, const void *right)
{
	const struct top_denied *a = left, *b = right;

	return COMPARE(a->count, b->count);
}

void top_model_sort(struct top_model *model)
{
	if (model->count > 0) {
		qsort_r(model->sessions, model->count, sizeof(*model->sessions), in_order,
			&model->order);
	}
	qsort(model->denied, model->denied_count, sizeof(*model->denied), by_count);
}

void top_model_finish(struct top_model *model)
{
	free(model->sessions);
	model->sessions = NULL;
	model->count = 0;
}

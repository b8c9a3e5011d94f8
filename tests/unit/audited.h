/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open that was denied, as the audit gets it, and what a line of the log says of it. To be
 * included after <cmocka.h>.
 */
#pragma once

#include <errno.h>
#include <json-c/json.h>
#include <string.h>
#include <sys/syscall.h>

#include "broker_target.h"
#include "daemon/base/clock.h"

/* The stage's request becomes it. */
static inline struct request *audited_open(
	struct stage *stage, const char *asked, const char *resolved)
{
	static const struct policy_rule rule = {.section = POLICY_FILES,
		.origin = {.file = "/p/a.ini", .line = 7, .text = "deny = /x"}};
	struct request *request = stage->request;

	stage_call(stage, SYS_openat, 0, 0, 0, 0);
	request->received_ns = clock_ns(CLOCK_BOOTTIME);
	request->call = CALL_OPEN;
	request->open.operations = OPERATION_READ | OPERATION_WRITE;
	strcpy(request->open.path, asked);
	strcpy(request->place.path, resolved);
	request->verdict = (struct policy_verdict){
		.action = POLICY_DENY, .error = EACCES, .log = true, .rule = &rule};
	request->result = -EACCES;
	return request;
}

/* NULL if the line has no such key. */
static inline const char *audited_text(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	return json_object_object_get_ex(object, key, &value) ? json_object_get_string(value)
							      : NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What a command that asks no usherd says as JSON. */
#pragma once

struct json_object;

/* In several lines, on standard output. 0, or -ENOMEM, told in the name of `command`. */
int json_print(struct json_object *object, const char *command);

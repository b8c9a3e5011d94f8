/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings in /proc/sys that each namespace has its own of. Which one's a file there is, is decided
 * by the namespace of who opens it, and that is the broker: what a target means for its own must
 * not change ours. Reading them tells of ours.
 */
#pragma once

#include <stdbool.h>

struct broker;
struct request;

/*
 * Does the request open a setting to write it, called `below` in a procfs ("/sys/net/..."), of
 * which its caller has another than we? Also if that cannot be told.
 */
bool procfs_is_setting_elsewhere(
	const struct broker *broker, const struct request *request, const char *below);

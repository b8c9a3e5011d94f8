/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names that the system itself knows: hosts(5), read again when it has changed, and localhost,
 * which is always this machine (RFC 6761). What the administrator has written there is believed,
 * also of loopback. Kept are the names that a rule speaks of, or the default allows, up to
 * DNS_HOSTS_MAX.
 */
#pragma once

#include <sys/stat.h>

#include "daemon/broker/dns_message.h"
#include "daemon/policy/policy.h"

#define DNS_HOSTS_MAX 4096u

struct dns_host {
	struct dns_address address; /* canonical */
	char *name;                 /* canonical */
};

struct dns_hosts {
	struct stat seen; /* of the file, when it was read */
	struct dns_host *items;
	size_t count;
};

/* Reads the file if it is another than the last time. What cannot be read says nothing. */
void dns_hosts_refresh(struct dns_hosts *hosts, const char *path, const struct policy *policy);
void dns_hosts_finish(struct dns_hosts *hosts);

/* Adds the addresses of the name for A or AAAA. True if it is known, if only by the other type. */
bool dns_hosts_answer(
	const struct dns_hosts *hosts, const char *name, int type, struct dns_answer *answer);

/* As dns_memory_find(). */
size_t dns_hosts_find(const struct dns_hosts *hosts, const struct dns_address *address,
	const char **names, size_t capacity);

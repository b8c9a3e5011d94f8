/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/dns_hosts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/dns_memory.h"

#define BLANKS " \t\r\n"

static const struct dns_host localhosts[] = {
	{{AF_INET, {127, 0, 0, 1}}, "localhost"},
	{{AF_INET6, {[15] = 1}}, "localhost"},
};

static bool is_same(const struct dns_address *a, const struct dns_address *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static bool read_address(struct dns_address *address, const char *text)
{
	struct dns_address read = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};

	if (inet_pton(read.family, text, read.bytes) != 1) {
		return false; /* one with a zone, too: it is of a link */
	}
	*address = dns_address_canonical(&read);
	return true;
}

static void add(struct dns_hosts *hosts, const struct policy *policy,
	const struct dns_address *address, const char *text)
{
	char name[POLICY_NAME_MAX + 1];

	if (hosts->count == DNS_HOSTS_MAX || policy_canonical_name(name, text) < 0) {
		return;
	}
	struct policy_verdict verdict = policy_decide_name(policy, name);
	if (verdict.action == POLICY_DENY && !verdict.subject) {
		return; /* no rule speaks of it */
	}
	struct dns_host *items =
		reallocarray(hosts->items, hosts->count + 1, sizeof(*hosts->items));
	char *copy = strdup(name);
	if (items) {
		hosts->items = items;
	}
	if (!items || !copy) {
		free(copy);
		return;
	}
	hosts->items[hosts->count++] = (struct dns_host){*address, copy};
}

/* ADDRESS NAME... # comment */
static void read_line(struct dns_hosts *hosts, const struct policy *policy, char *line)
{
	struct dns_address address;
	char *rest = line;

	line[strcspn(line, "#")] = '\0';
	char *word = strtok_r(line, BLANKS, &rest);
	if (!word || !read_address(&address, word)) {
		return;
	}
	while ((word = strtok_r(NULL, BLANKS, &rest))) {
		add(hosts, policy, &address, word);
	}
}

void dns_hosts_finish(struct dns_hosts *hosts)
{
	for (size_t i = 0; i < hosts->count; i++) {
		free(hosts->items[i].name);
	}
	free(hosts->items);
	hosts->items = NULL;
	hosts->count = 0;
}

static bool is_unchanged(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

void dns_hosts_refresh(struct dns_hosts *hosts, const char *path, const struct policy *policy)
{
	cleanup_free char *line = NULL;
	struct stat st = {0};
	size_t capacity = 0;

	(void)stat(path, &st); /* a file that is not there is an empty one */
	if (is_unchanged(&st, &hosts->seen)) {
		return;
	}
	dns_hosts_finish(hosts);
	hosts->seen = st;
	cleanup_file FILE *file = fopen(path, "re");
	while (file && getline(&line, &capacity, file) >= 0) {
		read_line(hosts, policy, line);
	}
}

static bool answer_of(const struct dns_host *items, size_t count, const char *name, int type,
	struct dns_answer *answer)
{
	int family = type == ns_t_a ? AF_INET : AF_INET6;
	bool known = false;

	for (size_t i = 0; i < count; i++) {
		if (strcmp(items[i].name, name) != 0) {
			continue;
		}
		known = true;
		if (items[i].address.family == family) {
			(void)dns_add_address(answer, family, items[i].address.bytes);
		}
	}
	return known;
}

bool dns_hosts_answer(
	const struct dns_hosts *hosts, const char *name, int type, struct dns_answer *answer)
{
	return answer_of(hosts->items, hosts->count, name, type, answer) ||
	       answer_of(localhosts, array_length(localhosts), name, type, answer);
}

static size_t names_of(const struct dns_host *items, size_t count,
	const struct dns_address *address, const char **names, size_t capacity)
{
	size_t found = 0;

	for (size_t i = 0; i < count && found < capacity; i++) {
		if (is_same(&items[i].address, address)) {
			names[found++] = items[i].name;
		}
	}
	return found;
}

size_t dns_hosts_find(const struct dns_hosts *hosts, const struct dns_address *address,
	const char **names, size_t capacity)
{
	size_t found = names_of(hosts->items, hosts->count, address, names, capacity);

	return found + names_of(localhosts, array_length(localhosts), address, names + found,
			       capacity - found);
}

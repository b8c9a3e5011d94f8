/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/dns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/audit.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/dns_askers.h"
#include "daemon/broker/dns_cache.h"
#include "daemon/broker/dns_hosts.h"
#include "daemon/broker/dns_memory.h"
#include "daemon/broker/dns_message.h"
#include "daemon/broker/dns_server.h"
#include "daemon/broker/dns_space.h"
#include "daemon/broker/dns_upstream.h"
#include "daemon/broker/outside.h"
#include "daemon/broker/start.h"

#define HOSTS       "/etc/hosts"
#define RESOLV_CONF "/etc/resolv.conf"
#define NAMES_MAX   (SESSION_HOSTS + DNS_HOSTS_MAX)
#define HOSTS_TTL   60u

struct dns {
	struct audit *audit;
	struct session_memory *memory;
	const struct policy *policy; /* written under the mutex by the main thread */
	struct dns_space space;
	struct dns_askers askers;
	struct dns_server *server;
	struct dns_upstream *upstream;
	struct dns_cache cache;
	pthread_mutex_t mutex; /* of `hosts`, `names`, and the names in the session's memory;
				* workers have `policy` under it, too */
	struct dns_hosts hosts;
	const char *names[NAMES_MAX]; /* that lead to the address which is judged at present */
};

/* A question on its way to the system's resolver. */
struct asked {
	struct dns *dns;
	struct dns_origin origin;
	struct dns_question question;
};

static int64_t now_in_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec;
}

/* ---- answering ---- */

static void tell(struct dns *dns, const struct dns_origin *origin,
	const struct dns_question *question, const struct dns_answer *answer,
	const struct policy_verdict *verdict)
{
	struct audit_name event = {.tid = dns_askers_find(&dns->askers, origin),
		.name = question->asked,
		.type = question->type,
		.answer = answer,
		.verdict = verdict};

	audit_name(dns->audit, &event);
}

static void send_answer(const struct dns_origin *origin, const struct dns_question *question,
	const struct dns_answer *answer)
{
	static uint8_t reply[DNS_MESSAGE_MAX]; /* of the main thread */
	size_t room = origin->stream ? sizeof(reply) : question->room;

	dns_server_reply(origin, reply, dns_reply_write(reply, room, question, answer));
}

/* An answer of a single code. */
static void send_code(
	const struct dns_origin *origin, const struct dns_question *question, int code)
{
	static const struct dns_answer nothing;
	struct dns_answer answer = nothing;

	answer.code = code;
	send_answer(origin, question, &answer);
}

static void remember_name(
	struct dns *dns, const char *name, const struct dns_answer *answer, int64_t now)
{
	for (size_t i = 0; i < answer->address_count; i++) {
		struct dns_address address = dns_address_canonical(&answer->addresses[i]);

		if (!dns_address_is_special(&address)) {
			dns_memory_remember(dns->memory, name, &address, answer->ttl, now);
		}
	}
}

/* Before it is sent: who is fast connects at once. */
static void remember(struct dns *dns, const char *name, const struct dns_answer *answer)
{
	int64_t now = now_in_seconds();

	pthread_mutex_lock(&dns->mutex);
	remember_name(dns, name, answer, now);
	for (const char *alias = dns_next_alias(answer, NULL); alias;
		alias = dns_next_alias(answer, alias)) {
		remember_name(dns, alias, answer, now);
	}
	pthread_mutex_unlock(&dns->mutex);
}

static bool lets(const struct policy_verdict *verdict)
{
	return verdict->action == POLICY_ALLOW || verdict->action == POLICY_INJECT;
}

/* The policy may be another by now: it is asked again. */
static void on_upstream(void *user, const struct dns_answer *answer)
{
	struct asked *asked = user;
	struct dns *dns = asked->dns;
	const struct dns_question *question = &asked->question;
	struct policy_verdict verdict = policy_decide_name(dns->policy, question->name);

	if (answer && lets(&verdict)) {
		dns_cache_put(
			&dns->cache, question->name, question->type, answer, now_in_seconds());
		remember(dns, question->name, answer);
		tell(dns, &asked->origin, question, answer, &verdict);
		send_answer(&asked->origin, question, answer);
	} else {
		send_code(&asked->origin, question, ns_r_servfail);
	}
	free(asked);
}

static void ask_upstream(
	struct dns *dns, const struct dns_origin *origin, const struct dns_question *question)
{
	struct asked *asked = malloc(sizeof(*asked));

	if (asked) {
		*asked = (struct asked){dns, *origin, *question};
	}
	if (!asked || dns_upstream_ask(dns->upstream, question->name, question->type, on_upstream,
			      asked) < 0) {
		free(asked);
		send_code(origin, question, ns_r_servfail);
	}
}

static bool answer_from_hosts(
	struct dns *dns, const struct dns_question *question, struct dns_answer *answer)
{
	pthread_mutex_lock(&dns->mutex);
	dns_hosts_refresh(&dns->hosts, HOSTS, dns->policy);
	bool known = dns_hosts_answer(&dns->hosts, question->name, question->type, answer);
	pthread_mutex_unlock(&dns->mutex);
	answer->ttl = HOSTS_TTL;
	return known;
}

static void answer_from_outside(
	struct dns *dns, const struct dns_origin *origin, const struct dns_question *question)
{
	struct dns_answer answer = {.code = ns_r_noerror};

	/* Whatever else there is of a name that hosts(5) has, its addresses are those. */
	if (!dns_records_are_of(question->type) && answer_from_hosts(dns, question, &answer)) {
		send_answer(origin, question, &answer);
	} else if (dns_cache_find(&dns->cache, question->name, question->type, now_in_seconds(),
			   &answer)) {
		remember(dns, question->name, &answer);
		send_answer(origin, question, &answer);
	} else {
		ask_upstream(dns, origin, question);
	}
}

/* The names that lead to an address. Under the mutex. */
static size_t find_names(struct dns *dns, const struct dns_address *address)
{
	size_t found =
		dns_memory_find(dns->memory, address, now_in_seconds(), dns->names, NAMES_MAX);

	dns_hosts_refresh(&dns->hosts, HOSTS, dns->policy);
	return found + dns_hosts_find(&dns->hosts, address, dns->names + found, NAMES_MAX - found);
}

/* Only names that the session knows anyway; whose address it is otherwise is asked of nobody. */
static void answer_pointer(
	struct dns *dns, const struct dns_origin *origin, const struct dns_question *question)
{
	struct dns_answer answer = {.code = ns_r_nxdomain, .ttl = HOSTS_TTL};
	struct dns_address address;

	if (dns_read_reverse(question->name, &address)) {
		pthread_mutex_lock(&dns->mutex);
		if (find_names(dns, &address) > 0) {
			answer.code = ns_r_noerror;
			(void)snprintf(answer.pointer, sizeof(answer.pointer), "%s", dns->names[0]);
		}
		pthread_mutex_unlock(&dns->mutex);
	}
	send_answer(origin, question, &answer);
}

static void refuse(struct dns *dns, const struct dns_origin *origin,
	const struct dns_question *question, int code, struct policy_verdict verdict)
{
	struct dns_answer answer = {.code = code};

	verdict.action = POLICY_DENY;
	tell(dns, origin, question, &answer, &verdict);
	send_answer(origin, question, &answer);
}

/*
 * Which types are answered: those by which programs find where to connect. A name without the
 * others is an ordinary name.
 */
static void answer_type(
	struct dns *dns, const struct dns_origin *origin, const struct dns_question *question)
{
	switch (question->type) {
	case ns_t_a:
	case ns_t_aaaa:
	case ns_t_mx:
	case ns_t_srv:
	case ns_t_txt:
		answer_from_outside(dns, origin, question);
		break;
	case ns_t_any:
	case ns_t_axfr:
	case ns_t_ixfr:
		send_code(origin, question, ns_r_refused);
		break;
	default:
		send_code(origin, question, ns_r_noerror);
		break;
	}
}

static void on_question(
	void *user, const struct dns_origin *origin, const uint8_t *message, size_t size)
{
	struct dns *dns = user;
	struct dns_question question;
	int code = dns_question_read(&question, message, size);

	if (code < 0) {
		dns_server_reply(origin, NULL, 0);
		return;
	}
	if (code > 0 && code != ns_r_nxdomain) {
		send_code(origin, &question, code);
		return;
	}
	if (code == 0 && question.type == ns_t_ptr) {
		answer_pointer(dns, origin, &question);
		return;
	}
	/* What is no name of a host is allowed by no rule. */
	struct policy_verdict verdict = policy_decide_name(dns->policy, question.name);
	if (code > 0 || !lets(&verdict)) {
		verdict.log = verdict.log || code > 0;
		refuse(dns, origin, &question, ns_r_nxdomain, verdict);
		return;
	}
	answer_type(dns, origin, &question);
}

/* ---- for the workers ---- */

struct policy_verdict dns_decide(struct dns *dns, const struct policy *policy,
	enum policy_operation operation, const struct policy_endpoint *endpoint,
	char name[POLICY_NAME_MAX + 1])
{
	struct policy_endpoint named = *endpoint;
	struct dns_address address = {.family = endpoint->family};

	name[0] = '\0';
	if (!dns || operation != OPERATION_CONNECT ||
		(endpoint->kind != ENDPOINT_TCP && endpoint->kind != ENDPOINT_UDP)) {
		return policy_decide_endpoint(policy, operation, endpoint);
	}
	memcpy(address.bytes, endpoint->address, sizeof(address.bytes));
	address = dns_address_canonical(&address);
	pthread_mutex_lock(&dns->mutex);
	named.name_count = find_names(dns, &address);
	named.names = dns->names;
	struct policy_verdict verdict = policy_decide_endpoint(policy, operation, &named);
	if (named.name_count > 0) {
		(void)snprintf(name, POLICY_NAME_MAX + 1, "%s", named.names[0]);
	}
	pthread_mutex_unlock(&dns->mutex);
	return verdict;
}

bool dns_owns(const struct dns *dns, int socket)
{
	return dns_space_owns(&dns->space, socket);
}

int dns_socket(struct dns *dns, int like, pid_t tid)
{
	cleanup_fd int fd = dns_space_socket_like(&dns->space, like);

	if (fd >= 0) {
		dns_askers_note(&dns->askers, fd, tid);
	}
	return steal_fd(&fd);
}

/* ---- the beginning ---- */

static int open_all(struct dns *dns, uv_loop_t *loop, struct start_failure *failure)
{
	struct dns_space_sockets sockets;
	int error = dns_space_open(&dns->space, &sockets);

	if (error < 0) {
		(void)snprintf(failure->text, sizeof(failure->text),
			"the policy names hosts, and the network namespace in which the broker "
			"answers for names cannot be made: %s; allow user namespaces (see 'usher "
			"doctor'), or name addresses instead",
			strerror(-error));
		return error;
	}
	error = dns_server_new(&dns->server, loop, &sockets, on_question, dns);
	if (error == 0) {
		error = dns_upstream_new(&dns->upstream, loop, RESOLV_CONF);
	}
	if (error < 0) {
		(void)snprintf(failure->text, sizeof(failure->text),
			"the broker cannot answer for names: %s", strerror(-error));
	}
	return error;
}

static int make(struct broker *broker, uv_loop_t *loop, struct start_failure *failure)
{
	struct dns *dns = calloc(1, sizeof(*dns)); /* for the life of the broker */

	if (!dns) {
		return -ENOMEM;
	}
	dns->audit = broker->audit;
	dns->memory = broker->memory;
	dns->policy = broker->policy;
	pthread_mutex_init(&dns->mutex, NULL);
	int error = open_all(dns, loop, failure);
	broker->dns = error < 0 ? NULL : dns;
	return error;
}

int dns_start(struct broker *broker, uv_loop_t *loop, struct start_failure *failure)
{
	if (!policy_names_hosts(broker->policy)) {
		return 0;
	}
	int error = broker->outside ? 0 : outside_new(&broker->outside);
	return error < 0 ? error : make(broker, loop, failure);
}

int dns_follow(struct broker *broker, uv_loop_t *loop)
{
	struct start_failure failure;
	struct dns *dns = broker->dns;

	if (!dns) {
		return dns_start(broker, loop, &failure);
	}
	pthread_mutex_lock(&dns->mutex);
	dns->policy = broker->policy;
	dns_hosts_finish(&dns->hosts);
	dns->hosts.seen = (struct stat){.st_ino = 0};
	pthread_mutex_unlock(&dns->mutex);
	return 0;
}

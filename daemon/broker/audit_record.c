/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/audit_record.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/clock.h"
#include "daemon/base/escape.h"
#include "daemon/base/json.h"
#include "daemon/broker/audit.h"
#include "daemon/broker/dns_message.h"
#include "daemon/broker/path_call.h"
#include "daemon/broker/request.h"
#include "daemon/broker/target.h"

static char *endpoint_text(const struct policy_endpoint *endpoint)
{
	char host[INET6_ADDRSTRLEN] = "?";
	char *text = NULL;
	int length = -1;

	switch (endpoint->kind) {
	case ENDPOINT_TCP:
	case ENDPOINT_UDP:
		inet_ntop(endpoint->family, endpoint->address, host, sizeof(host));
		length = asprintf(&text, endpoint->family == AF_INET6 ? "%s [%s]:%u" : "%s %s:%u",
			endpoint->kind == ENDPOINT_TCP ? "tcp" : "udp", host, endpoint->port);
		break;
	case ENDPOINT_UNIX_PATH:
		length = asprintf(&text, "unix %s", endpoint->path);
		break;
	case ENDPOINT_UNIX_ABSTRACT:
		length = asprintf(&text, "unix @%.*s", (int)endpoint->path_length, endpoint->path);
		break;
	case ENDPOINT_OTHER:
		length = asprintf(&text, "family %d", endpoint->family);
		break;
	}
	return length < 0 ? NULL : text;
}

static char *address_text(const struct address_request *address)
{
	return address->operation ? endpoint_text(&address->endpoint) : strdup("");
}

static char *path_text(const struct path_request *path)
{
	char *text = NULL;

	if (path->call->path_second == NO_ARGUMENT) {
		return strdup(path->path);
	}
	return asprintf(&text, "%s -> %s", path->path, path->second_path) < 0 ? NULL : text;
}

static char *asked_text(const struct request *request)
{
	char *text = NULL;

	switch (request->call) {
	case CALL_OPEN:
		return strdup(request->open.path);
	case CALL_PATH:
		return path_text(&request->path);
	case CALL_CONNECT:
	case CALL_BIND:
	case CALL_LISTEN:
	case CALL_SEND:
		return address_text(&request->address);
	case CALL_SOCKET:
		return asprintf(&text, "family %d type %d protocol %d", request->socket.family,
			       request->socket.type, request->socket.protocol) < 0
			       ? NULL
			       : text;
	default:
		return strdup("");
	}
}

static void copy_rule(struct audit_record *record, const struct policy_rule *rule)
{
	if (rule) {
		bool stands_somewhere = rule->origin.file && rule->origin.file[0];
		record->rule_file = stands_somewhere ? strdup(rule->origin.file) : NULL;
		record->rule_line = rule->origin.line;
	}
}

static bool names_address(const struct request *request)
{
	return request->call == CALL_CONNECT || request->call == CALL_BIND ||
	       request->call == CALL_LISTEN || request->call == CALL_SEND;
}

static const char *operation_of(const struct request *request)
{
	if (request->call == CALL_OPEN) {
		unsigned int operations = request->open.operations;
		const char *const names[] = {"none", "read", "write", "read write", "create",
			"read create", "write create", "read write create"};
		return names[operations & 7u];
	}
	if (request->call == CALL_PATH && request->path.call->operations) {
		return policy_operation_name(request->path.call->operations);
	}
	return names_address(request) && request->address.operation
		       ? policy_operation_name(request->address.operation)
		       : "";
}

/* What was decided on, where that is not what was asked for. */
static char *resolved_text(const struct request *request, const char *asked)
{
	const char *injected = policy_inject_text(&request->verdict);
	char *text = NULL;

	if (injected && request->call != CALL_OPEN) {
		return strdup(injected);
	}
	if (request->call == CALL_PATH && request->path.call->path_second != NO_ARGUMENT) {
		if (asprintf(&text, "%s -> %s", request->place.path, request->second.path) < 0) {
			return NULL;
		}
	} else if (request->call == CALL_OPEN || request->call == CALL_PATH ||
		   (names_address(request) &&
			   request->address.endpoint.kind == ENDPOINT_UNIX_PATH)) {
		text = strdup(request->place.path);
	} else if (names_address(request)) {
		text = strdup(request->address.host);
	}
	if (text && (text[0] == '\0' || (asked && strcmp(text, asked) == 0))) {
		free(text);
		return NULL;
	}
	return text;
}

struct audit_record *audit_record_new(const struct request *request, bool for_log)
{
	struct audit_record *record = calloc(1, sizeof(*record));

	if (!record) {
		return NULL;
	}
	clock_gettime(CLOCK_REALTIME, &record->time);
	record->for_log = for_log;
	record->tid = request->tid;
	record->nr = request->slot->notification.data.nr;
	record->operation = operation_of(request);
	record->action = request->verdict.action;
	record->verdict = policy_action_name(record->action);
	record->error = request->result < 0 ? -request->result : 0;
	record->value = request->result < 0 ? -1 : request->result;
	record->microseconds =
		(unsigned int)((clock_ns(CLOCK_BOOTTIME) - request->received_ns) / 1000);
	copy_rule(record, request->verdict.rule);
	record->reason = request->slot->crashes >= SESSION_CRASHES_MAX
				 ? "two brokers died over this call"
				 : NULL;
	record->asked = asked_text(request);
	record->resolved = resolved_text(request, record->asked);
	return record;
}

static void print_addresses(FILE *out, const struct dns_answer *answer)
{
	char text[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < answer->address_count; i++) {
		const struct dns_address *address = &answer->addresses[i];

		(void)fprintf(out, "%s%s", i ? " " : "",
			inet_ntop(address->family, address->bytes, text, sizeof(text)));
	}
}

/* The chain of names and the addresses at its end, or why there are none. */
static char *answer_text(const struct dns_answer *answer)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out) {
		return NULL;
	}
	for (const char *alias = dns_next_alias(answer, NULL); alias;
		alias = dns_next_alias(answer, alias)) {
		(void)fprintf(out, "%s ", alias);
	}
	print_addresses(out, answer);
	if (answer->records.count > 0) {
		(void)fprintf(out, "%zu records", answer->records.count);
	} else if (answer->address_count == 0) {
		(void)fputs(answer->code == ns_r_nxdomain  ? "NXDOMAIN"
			    : answer->code == ns_r_noerror ? "no address"
							   : "SERVFAIL",
			out);
	}
	return fclose(out) == 0 ? text : NULL;
}

static const struct {
	int type;
	const char *name;
} dns_types[] = {
	{ns_t_a, "A"}, {ns_t_aaaa, "AAAA"}, {ns_t_mx, "MX"}, {ns_t_srv, "SRV"}, {ns_t_txt, "TXT"}};

static char *question_text(const struct audit_name *event)
{
	char number[16];
	const char *type = number;
	char *text = NULL;

	(void)snprintf(number, sizeof(number), "%d", event->type);
	for (size_t i = 0; i < array_length(dns_types); i++) {
		type = dns_types[i].type == event->type ? dns_types[i].name : type;
	}
	return asprintf(&text, "%s %s", event->name, type) < 0 ? NULL : text;
}

struct audit_record *audit_record_new_name(const struct audit_name *event, bool for_log)
{
	struct audit_record *record = calloc(1, sizeof(*record));

	if (!record) {
		return NULL;
	}
	clock_gettime(CLOCK_REALTIME, &record->time);
	record->for_log = for_log;
	record->tid = event->tid;
	record->call = "dns";
	record->operation = "resolve";
	record->action = event->verdict->action;
	record->verdict = policy_action_name(event->verdict->action);
	copy_rule(record, event->verdict->rule);
	record->asked = question_text(event);
	record->resolved = answer_text(event->answer);
	return record;
}

void audit_record_free(struct audit_record *record)
{
	if (record) {
		free(record->asked);
		free(record->resolved);
		free(record->rule_file);
		free(record);
	}
}

void audit_record_look_up(struct audit_record *record, struct programs *programs)
{
	if (!programs_ask(record->tid, &record->program) &&
		!programs_recall(programs, record->tid, &record->program)) {
		record->program = (struct program){.pid = record->tid, .name = "?"};
	}
}

static void iso_time(const struct timespec *time, char *text, size_t capacity)
{
	struct tm parts;
	char seconds[32];

	gmtime_r(&time->tv_sec, &parts);
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &parts);
	(void)snprintf(text, capacity, "%s.%06ldZ", seconds, time->tv_nsec / 1000);
}

static void add_text(struct json_object *object, const char *key, const char *bytes)
{
	cleanup_free char *text = bytes ? escape_bytes(bytes) : NULL;

	if (text) {
		json_add(object, key, json_object_new_string(text));
	}
}

static void add_number(struct json_object *object, const char *key, int64_t number)
{
	json_add(object, key, json_object_new_int64(number));
}

static char *call_name(const struct audit_record *record)
{
	char *name = record->call ? strdup(record->call)
				  : seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, record->nr);

	return name ? name : strdup("?");
}

static void add_rule(struct json_object *object, const struct audit_record *record)
{
	cleanup_free char *rule = NULL;

	if (record->rule_file &&
		asprintf(&rule, "%s:%u", record->rule_file, record->rule_line) >= 0) {
		add_text(object, "rule", rule);
	}
}

char *audit_record_to_json(const struct audit_record *record, uint64_t session, uint64_t dropped)
{
	struct json_object *object = json_object_new_object();
	cleanup_free char *call = call_name(record);
	char *line = NULL;
	char time[64];

	if (!object) {
		return NULL;
	}
	iso_time(&record->time, time, sizeof(time));
	add_text(object, "time", time);
	add_number(object, "session", (int64_t)session);
	add_number(object, "pid", record->program.pid);
	add_number(object, "tid", record->tid);
	add_text(object, "program", record->program.name);
	add_text(object, "call", call);
	add_text(object, "operation", record->operation[0] ? record->operation : NULL);
	add_text(object, "asked", record->asked);
	add_text(object, "resolved", record->resolved);
	add_text(object, "verdict", record->verdict);
	add_text(object, "errno", record->error ? policy_errno_name(record->error) : NULL);
	add_rule(object, record);
	add_text(object, "reason", record->reason);
	add_number(object, "microseconds", record->microseconds);
	if (dropped) {
		add_number(object, "dropped", (int64_t)dropped);
	}
	const char *text = json_text(object);
	if (!text || asprintf(&line, "%s\n", text) < 0) {
		line = NULL;
	}
	json_object_put(object);
	return line;
}

char *audit_record_to_text(const struct audit_record *record, uint64_t dropped)
{
	cleanup_free char *call = call_name(record);
	cleanup_free char *asked = escape_bytes(record->asked ? record->asked : "");
	cleanup_free char *resolved = record->resolved ? escape_bytes(record->resolved) : NULL;
	cleanup_free char *program =
		escape_bytes(record->program.name); /* prctl(2) takes any bytes */
	const char *error = record->error ? policy_errno_name(record->error) : NULL;
	const char *file = record->rule_file ? strrchr(record->rule_file, '/') : NULL;
	/* connect and bind are both the call and the operation: once is enough. */
	const char *operation =
		call && strcmp(call, record->operation) == 0 ? "" : record->operation;
	char *line = NULL;
	char left_out[64] = "";

	if (dropped) {
		(void)snprintf(left_out, sizeof(left_out), "usher: %llu decisions left out\n",
			(unsigned long long)dropped);
	}
	file = file ? file + 1 : record->rule_file;
	int length = asprintf(&line, "%susher: %s %s%s%s %s%s%s%s%s [%s %d] %s%s%.0u\n", left_out,
		record->verdict, call, operation[0] ? " " : "", operation, asked ? asked : "?",
		resolved ? " = " : "", resolved ? resolved : "", error ? ": " : "",
		error ? error : "", program ? program : "?", record->program.pid,
		file             ? file
		: record->reason ? record->reason
				 : "",
		file ? ":" : "", file ? record->rule_line : 0);
	return length < 0 ? NULL : line;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of DNS: the input is an answer of a resolver to a known question, and a question of a
 * session. What is taken of the answer is written for a question, and must be read again as the
 * same; what is answered to a question that could be read asks the same.
 */
#include <stdbool.h>
#include <sys/socket.h>

#include "daemon/broker/dns_message.h"
#include "tests/fuzz/fuzz.h"

static const char name[] = "www.example.org";

/* All that an answer may hold whatever was sent. */
static void check(const struct dns_answer *answer, int family)
{
	size_t aliases = 0;
	char canonical[POLICY_NAME_MAX + 1];

	must(answer->address_count <= DNS_ADDRESSES_MAX);
	for (size_t i = 0; i < answer->address_count; i++) {
		must(answer->addresses[i].family == family);
	}
	for (const char *alias = dns_next_alias(answer, NULL); alias;
		alias = dns_next_alias(answer, alias)) {
		must(policy_canonical_name(canonical, alias) == 0);
		must(strcmp(canonical, alias) == 0);
		aliases++;
	}
	must(aliases == answer->alias_count && aliases <= DNS_ALIASES_MAX);
}

static void write_and_read(const struct dns_question *question, const struct dns_answer *answer)
{
	static uint8_t reply[DNS_MESSAGE_MAX];
	static struct dns_answer again;
	size_t size = dns_reply_write(reply, sizeof(reply), question, answer);

	must(size <= sizeof(reply));
	must(dns_answer_read(&again, name, question->type, reply, size) == 0);
	must(again.code == answer->code);
	must(again.alias_count == answer->alias_count);
	must(memcmp(again.aliases, answer->aliases, answer->aliases_size) == 0);
	must(again.records.count == answer->records.count);
	must(again.records.size == answer->records.size);
	must(memcmp(again.records.bytes, answer->records.bytes, answer->records.size) == 0);
	must(again.address_count == answer->address_count);
	must(memcmp(again.addresses, answer->addresses,
		     answer->address_count * sizeof(*answer->addresses)) == 0);
	for (size_t room = 512; room < 2048; room += 97) {
		must(dns_reply_write(reply, room, question, answer) <= room);
	}
}

static void check_answer(const uint8_t *data, size_t size, int type)
{
	static const uint8_t echo[] = "\3www\7example\3org\0\0\0\0\1";
	static struct dns_answer answer;
	struct dns_question question = {.type = type, .room = 512};

	if (dns_answer_read(&answer, name, type, data, size) < 0) {
		return;
	}
	check(&answer, type == ns_t_a ? AF_INET : AF_INET6);
	memcpy(question.name, name, sizeof(name));
	memcpy(question.echo, echo, sizeof(echo) - 1);
	question.echo_size = sizeof(echo) - 1;
	question.echo[question.echo_size - 3] = (uint8_t)type;
	write_and_read(&question, &answer);
}

static void check_question(const uint8_t *data, size_t size)
{
	static const struct dns_answer nothing = {.code = ns_r_nxdomain};
	struct dns_question question, again;
	uint8_t reply[NS_PACKETSZ];
	int code = dns_question_read(&question, data, size);

	must((question.name[0] != '\0') == (code == 0));
	if (code < 0) {
		return;
	}
	size_t written = dns_reply_write(reply, sizeof(reply), &question, &nothing);
	must(memcmp(reply, data, 2) == 0);
	if (code == 0) {
		reply[2] &= 0x7f; /* as if it were a question */
		reply[3] = 0;
		must(dns_question_read(&again, reply, written) == 0);
		must(again.type == question.type && strcmp(again.name, question.name) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_question(data, size);
	check_answer(data, size, ns_t_a);
	check_answer(data, size, ns_t_aaaa);
	check_answer(data, size, ns_t_mx);
	check_answer(data, size, ns_t_srv);
	check_answer(data, size, ns_t_txt);
	return 0;
}

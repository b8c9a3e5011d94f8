/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of DNS: questions, good and bad, answers of a resolver and what is taken of them, and
 * that what is written can be read again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/dns_message.h"

/* Written piece by piece, so that a test shows its bytes. */
struct message {
	uint8_t bytes[2048];
	size_t size;
};

static void put(struct message *message, const void *bytes, size_t size)
{
	assert_true(message->size + size <= sizeof(message->bytes));
	memcpy(message->bytes + message->size, bytes, size);
	message->size += size;
}

static void put_number(struct message *message, unsigned int number)
{
	put(message, (uint8_t[]){(uint8_t)(number >> 8), (uint8_t)number}, 2);
}

static void put_name(struct message *message, const char *name)
{
	while (*name) {
		size_t length = strcspn(name, ".");

		put(message, (uint8_t[]){(uint8_t)length}, 1);
		put(message, name, length);
		name += length + (name[length] == '.');
	}
	put(message, "", 1);
}

static struct message begin(unsigned int flags, unsigned int answers, unsigned int authorities)
{
	struct message message = {.size = 0};

	put_number(&message, 0x1234);
	put_number(&message, flags);
	put_number(&message, 1);
	put_number(&message, answers);
	put_number(&message, authorities);
	put_number(&message, 0);
	return message;
}

static void put_question(struct message *message, const char *name, int type)
{
	put_name(message, name);
	put_number(message, (unsigned int)type);
	put_number(message, ns_c_in);
}

static void put_record(struct message *message, const char *name, int type, unsigned int ttl,
	const void *data, size_t size)
{
	put_name(message, name);
	put_number(message, (unsigned int)type);
	put_number(message, ns_c_in);
	put_number(message, ttl >> 16);
	put_number(message, ttl & 0xffff);
	put_number(message, (unsigned int)size);
	put(message, data, size);
}

static void put_alias(struct message *message, const char *name, unsigned int ttl, const char *to)
{
	struct message data = {.size = 0};

	put_name(&data, to);
	put_record(message, name, ns_t_cname, ttl, data.bytes, data.size);
}

static void put_address(
	struct message *message, const char *name, unsigned int ttl, const char *address)
{
	int family = strchr(address, ':') ? AF_INET6 : AF_INET;
	uint8_t bytes[16];

	assert_int_equal(inet_pton(family, address, bytes), 1);
	put_record(message, name, family == AF_INET ? ns_t_a : ns_t_aaaa, ttl, bytes,
		family == AF_INET ? 4 : 16);
}

static void reads_questions(void **state)
{
	struct message message = begin(0x0100, 0, 0);
	struct dns_question question;

	(void)state;
	put_question(&message, "WWW.Example.org", ns_t_aaaa);
	assert_int_equal(dns_question_read(&question, message.bytes, message.size), 0);
	assert_int_equal(question.id, 0x1234);
	assert_int_equal(question.type, ns_t_aaaa);
	assert_string_equal(question.name, "www.example.org");
	assert_string_equal(question.asked, "WWW.Example.org");
	assert_true(question.recursion_desired);
	assert_false(question.has_edns);
	assert_int_equal(question.room, 512);
	/* As it was asked, letter by letter. */
	assert_memory_equal(question.echo, message.bytes + 12, question.echo_size);

	message.bytes[11] = 1;
	put(&message, "\0\0\x29\x10\0\0\0\0\0\0\0", 11);
	assert_int_equal(dns_question_read(&question, message.bytes, message.size), 0);
	assert_true(question.has_edns);
	assert_int_equal(question.room, 1232);
}

static const struct {
	const char *bytes; /* behind the number: flags, counts and what follows */
	size_t size;
	int code;
} bad[] = {
	{"\x81\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1", 17, -EBADMSG}, /* an answer */
	{"\1\0\0\1\0\0\0\0\0", 9, -EBADMSG},                   /* shorter than a header */
	{"\x28\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1", 17, ns_r_notimpl},
	{"\1\0\0\0\0\0\0\0\0\0", 10, ns_r_formerr},
	{"\1\0\0\2\0\0\0\0\0\0\1a\0\0\1\0\1\1a\0\0\1\0\1", 24, ns_r_formerr},
	{"\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0", 16, ns_r_formerr},
	{"\1\0\0\1\0\0\0\0\0\0\1a", 12, ns_r_formerr},
	{"\1\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1", 16, ns_r_formerr}, /* a pointer to itself */
	{"\1\0\0\1\0\0\0\0\0\0\1a\xc0\x0c\0\1\0\1", 18, ns_r_formerr},
	{"\1\0\0\1\0\0\0\0\0\0\x40\0\0\1\0\1", 16, ns_r_formerr},
	{"\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\3", 17, ns_r_refused}, /* of Chaosnet */
	{"\1\0\0\1\0\0\0\0\0\0\3a.b\0\0\1\0\1", 19, ns_r_nxdomain},
	{"\1\0\0\1\0\0\0\0\0\0\3a\0b\0\0\1\0\1", 19, ns_r_nxdomain},
	{"\1\0\0\1\0\0\0\0\0\0\2a\\\0\0\1\0\1", 18, ns_r_nxdomain},
	{"\1\0\0\1\0\0\0\0\0\0\0\0\1\0\1", 15, ns_r_nxdomain}, /* the root */
};

static void refuses_bad_questions(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(bad); i++) {
		struct message message = {.size = 0};
		struct dns_question question;

		put_number(&message, 0x1234);
		put(&message, bad[i].bytes, bad[i].size);
		int code = dns_question_read(&question, message.bytes, message.size);
		if (code != bad[i].code || question.name[0] != '\0') {
			fail_msg("case %zu: %d '%s'", i, code, question.name);
		}
	}
}

/* Any bytes, and any part of a message: it must not be read beyond its end (by ASan's word). */
static void survives_any_bytes(void **state)
{
	struct message good = begin(0x8180, 2, 0);

	(void)state;
	srand(5);
	put_question(&good, "a.example", ns_t_a);
	put_alias(&good, "a.example", 60, "b.example");
	put_address(&good, "b.example", 60, "192.0.2.1");
	for (unsigned int i = 0; i < 20000; i++) {
		size_t size = (size_t)rand() % (good.size + 1);
		cleanup_free uint8_t *bytes = malloc(size ? size : 1);
		struct dns_question question;
		struct dns_answer answer;

		assert_non_null(bytes);
		memcpy(bytes, good.bytes, size);
		for (unsigned int k = 0; size > 0 && k < i % 8; k++) {
			bytes[(size_t)rand() % size] = (uint8_t)rand();
		}
		(void)dns_question_read(&question, bytes, size);
		(void)dns_answer_read(&answer, "a.example", ns_t_a, bytes, size);
		assert_true(answer.address_count <= DNS_ADDRESSES_MAX);
	}
}

static void takes_the_chain_and_nothing_else(void **state)
{
	struct message message = begin(0x8180, 7, 0);
	struct dns_answer answer;

	(void)state;
	put_question(&message, "www.example.org", ns_t_a);
	put_address(&message, "end.example.net", 50, "192.0.2.2");
	put_address(&message, "bank.example", 10, "192.0.2.66"); /* nobody has asked for it */
	put_alias(&message, "Middle.example.net", 70, "END.example.net");
	put_alias(&message, "www.example.org", 60, "middle.example.net");
	put_alias(&message, "bank.example", 1, "evil.example");
	put_address(&message, "end.example.net", 40, "192.0.2.3");
	put_address(&message, "end.example.net", 5, "2001:db8::1"); /* another type */
	assert_int_equal(
		dns_answer_read(&answer, "www.example.org", ns_t_a, message.bytes, message.size),
		0);
	assert_int_equal(answer.code, ns_r_noerror);
	assert_int_equal(answer.ttl, 40);
	const char *alias = dns_next_alias(&answer, NULL);
	assert_string_equal(alias, "middle.example.net");
	alias = dns_next_alias(&answer, alias);
	assert_string_equal(alias, "end.example.net");
	assert_null(dns_next_alias(&answer, alias));
	assert_int_equal(answer.address_count, 2);
	assert_memory_equal(answer.addresses[0].bytes, "\xc0\0\2\2", 4);
	assert_memory_equal(answer.addresses[1].bytes, "\xc0\0\2\3", 4);
}

static void refuses_chains_without_end(void **state)
{
	struct message around = begin(0x8180, 2, 0), long_one = begin(0x8180, 17, 0),
		       odd = begin(0x8180, 1, 0), wrong_size = begin(0x8180, 1, 0);
	struct dns_answer answer;
	char from[32], to[32];

	(void)state;
	put_question(&around, "a.example", ns_t_a);
	put_alias(&around, "a.example", 60, "b.example");
	put_alias(&around, "b.example", 60, "a.example");
	assert_int_equal(
		dns_answer_read(&answer, "a.example", ns_t_a, around.bytes, around.size), -EBADMSG);
	put_question(&long_one, "a0.example", ns_t_a);
	for (unsigned int i = 0; i < 17; i++) {
		snprintf(from, sizeof(from), "a%u.example", i);
		snprintf(to, sizeof(to), "a%u.example", i + 1);
		put_alias(&long_one, from, 60, to);
	}
	assert_int_equal(
		dns_answer_read(&answer, "a0.example", ns_t_a, long_one.bytes, long_one.size),
		-EBADMSG);
	put_question(&odd, "a.example", ns_t_a);
	put_alias(&odd, "a.example", 60, "no host.example");
	assert_int_equal(
		dns_answer_read(&answer, "a.example", ns_t_a, odd.bytes, odd.size), -EBADMSG);
	put_question(&wrong_size, "a.example", ns_t_a);
	put_record(&wrong_size, "a.example", ns_t_a, 60, "\1\2\3", 3);
	assert_int_equal(
		dns_answer_read(&answer, "a.example", ns_t_a, wrong_size.bytes, wrong_size.size),
		-EBADMSG);
}

static void takes_the_time_of_what_is_not_there(void **state)
{
	struct message message = begin(0x8183, 0, 1), bare = begin(0x8183, 0, 0);
	struct message data = {.size = 0};
	struct dns_answer answer;

	(void)state;
	put_name(&data, "ns.example");
	put_name(&data, "root.example");
	for (unsigned int i = 0; i < 5; i++) {
		put_number(&data, 0);
		put_number(&data, i == 4 ? 30 : 9999);
	}
	put_question(&message, "a.example", ns_t_a);
	put_record(&message, "example", ns_t_soa, 900, data.bytes, data.size);
	assert_int_equal(
		dns_answer_read(&answer, "a.example", ns_t_a, message.bytes, message.size), 0);
	assert_int_equal(answer.code, ns_r_nxdomain);
	assert_int_equal(answer.ttl, 30);
	put_question(&bare, "a.example", ns_t_a);
	assert_int_equal(dns_answer_read(&answer, "a.example", ns_t_a, bare.bytes, bare.size), 0);
	assert_int_equal(answer.ttl, 0);
}

static void writes_what_it_reads(void **state)
{
	struct message asked = begin(0x0100, 0, 0);
	struct dns_question question;
	struct dns_answer answer = {.ttl = 77}, read;
	uint8_t reply[DNS_MESSAGE_MAX];
	uint8_t address[4] = {192, 0, 2, 0};

	(void)state;
	put_question(&asked, "wWw.example.org", ns_t_a);
	assert_int_equal(dns_question_read(&question, asked.bytes, asked.size), 0);
	assert_int_equal(dns_add_alias(&answer, "www.example.net"), 0);
	assert_int_equal(dns_add_alias(&answer, "a.b.c.example.net"), 0);
	for (unsigned int i = 0; i < DNS_ADDRESSES_MAX; i++) {
		address[3] = (uint8_t)i;
		assert_true(dns_add_address(&answer, AF_INET, address));
	}
	assert_false(dns_add_address(&answer, AF_INET, address));
	size_t size = dns_reply_write(reply, sizeof(reply), &question, &answer);
	assert_memory_equal(reply, "\x12\x34\x81\x80\0\1\0\x42\0\0\0\0", 12);
	assert_memory_equal(reply + 12, asked.bytes + 12, asked.size - 12);
	assert_int_equal(dns_answer_read(&read, "www.example.org", ns_t_a, reply, size), 0);
	assert_int_equal(read.ttl, 77);
	assert_int_equal(read.alias_count, 2);
	assert_memory_equal(read.aliases, answer.aliases, answer.aliases_size);
	assert_int_equal(read.address_count, DNS_ADDRESSES_MAX);
	assert_memory_equal(read.addresses, answer.addresses, sizeof(answer.addresses));

	/* Too much for a datagram: nothing, and a mark. */
	question.has_edns = true;
	size = dns_reply_write(reply, 512, &question, &answer);
	assert_memory_equal(reply, "\x12\x34\x83\x80\0\1\0\0\0\0\0\1", 12);
	assert_int_equal(size, asked.size + 11);
	for (size_t room = 512; room < 1400; room++) {
		assert_true(dns_reply_write(reply, room, &question, &answer) <= room);
	}
}

static void put_data(struct message *message, const char *name, int type, const void *numbers,
	size_t size, const char *host)
{
	struct message data = {.size = 0};

	put(&data, numbers, size);
	put_name(&data, host);
	put_record(message, name, type, 50, data.bytes, data.size);
}

static void check_records(const struct message *message, const char *name, int type,
	const struct dns_records *expected)
{
	struct dns_question question;
	struct dns_answer *answer = calloc(2, sizeof(*answer));
	struct message asked = begin(0x0100, 0, 0);
	uint8_t reply[1024];

	put_question(&asked, name, type);
	assert_int_equal(dns_question_read(&question, asked.bytes, asked.size), 0);
	assert_int_equal(dns_answer_read(answer, name, type, message->bytes, message->size), 0);
	assert_int_equal(answer->ttl, 50);
	assert_int_equal(answer->records.count, expected->count);
	assert_int_equal(answer->records.size, expected->size);
	assert_memory_equal(answer->records.bytes, expected->bytes, expected->size);
	size_t size = dns_reply_write(reply, sizeof(reply), &question, answer);
	assert_int_equal(dns_answer_read(answer + 1, name, type, reply, size), 0);
	assert_int_equal(answer[1].records.size, expected->size);
	assert_memory_equal(answer[1].records.bytes, expected->bytes, expected->size);
	free(answer);
}

/* Names spelled out, what is no host's left out, and so is what stands beside. */
static void takes_records_that_lead_on(void **state)
{
	static const struct dns_records exchanges = {2, 20, "\0\x0d\0\5\1b\7example\0\0\3\0\6\0"};
	static const struct dns_records services = {1, 19, "\0\x11\0\1\0\2\x14\x66\1b\7example"};
	static const struct dns_records texts = {1, 7, "\0\5\2hi\1x"};
	struct message mail = begin(0x8180, 4, 0), service = begin(0x8180, 1, 0);
	struct message text = begin(0x8180, 1, 0);

	(void)state;
	put_question(&mail, "a.example", ns_t_mx);
	put_record(&mail, "a.example", ns_t_mx, 50, "\0\5\1B\xc0\x0e", 6);
	put_data(&mail, "a.example", ns_t_mx, "\0\6", 2, "");
	put_data(&mail, "a.example", ns_t_mx, "\0\7", 2, "no host.example");
	put_data(&mail, "other.example", ns_t_mx, "\0\1", 2, "b.example");
	check_records(&mail, "a.example", ns_t_mx, &exchanges);
	put_question(&service, "_x._tcp.example", ns_t_srv);
	put_data(&service, "_x._tcp.example", ns_t_srv, "\0\1\0\2\x14\x66", 6, "b.example");
	check_records(&service, "_x._tcp.example", ns_t_srv, &services);
	put_question(&text, "a.example", ns_t_txt);
	put_record(&text, "a.example", ns_t_txt, 50, "\2hi\1x", 5);
	check_records(&text, "a.example", ns_t_txt, &texts);
}

static void refuses_broken_records(void **state)
{
	static const struct {
		int type;
		const char *data;
		size_t size;
	} broken[] = {{ns_t_mx, "\0", 1}, {ns_t_mx, "\0\1", 2}, {ns_t_mx, "\0\1\1b", 4},
		{ns_t_mx, "\0\1\1b\0x", 6}, {ns_t_srv, "\0\1\0\2\x14\x66", 6},
		{ns_t_mx, "\0\1\xc0\xff", 4}, {ns_t_txt, "", 0}, {ns_t_txt, "\3hi", 3},
		{ns_t_txt, "\2hi\1", 4}};
	struct dns_answer *answer = malloc(sizeof(*answer));

	(void)state;
	for (size_t i = 0; i < array_length(broken); i++) {
		struct message message = begin(0x8180, 1, 0);

		put_question(&message, "a.example", broken[i].type);
		put_record(
			&message, "a.example", broken[i].type, 50, broken[i].data, broken[i].size);
		assert_int_equal(dns_answer_read(answer, "a.example", broken[i].type, message.bytes,
					 message.size),
			-EBADMSG);
	}
	free(answer);
}

static void reads_names_of_addresses(void **state)
{
	struct dns_address address;

	(void)state;
	assert_true(dns_read_reverse("4.3.2.1.in-addr.arpa", &address));
	assert_int_equal(address.family, AF_INET);
	assert_memory_equal(address.bytes, "\1\2\3\4", 4);
	assert_true(dns_read_reverse("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0."
				     "0.2.ip6.arpa",
		&address));
	assert_int_equal(address.family, AF_INET6);
	assert_memory_equal(address.bytes, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	assert_false(dns_read_reverse("3.2.1.in-addr.arpa", &address));
	assert_false(dns_read_reverse("256.3.2.1.in-addr.arpa", &address));
	assert_false(dns_read_reverse("4.3.2.1.in-addr.arpa.example", &address));
	assert_false(dns_read_reverse("10.0.ip6.arpa", &address));
	assert_false(dns_read_reverse("-1.3.2.1.in-addr.arpa", &address));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_questions),
		cmocka_unit_test(refuses_bad_questions),
		cmocka_unit_test(survives_any_bytes),
		cmocka_unit_test(takes_the_chain_and_nothing_else),
		cmocka_unit_test(refuses_chains_without_end),
		cmocka_unit_test(takes_the_time_of_what_is_not_there),
		cmocka_unit_test(writes_what_it_reads),
		cmocka_unit_test(takes_records_that_lead_on),
		cmocka_unit_test(refuses_broken_records),
		cmocka_unit_test(reads_names_of_addresses),
	};

	return cmocka_run_group_tests_name("dns_message", tests, NULL, NULL);
}

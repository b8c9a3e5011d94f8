/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protocol 0 is the one by which nearly every program asks for the type's own protocol, so a
 * subject that names the protocol becomes two: the filter and the verdicts compare plain numbers.
 * So does one that names a type which the kernel takes another for: datagrams of the unix family
 * are made of SOCK_RAW, too, and netlink knows no difference (unix_create() of its
 * net/unix/af_unix.c, netlink_create()).
 */
#include "daemon/policy/socket_subject.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/words.h"

/* Which protocol a socket has that is asked for with protocol 0. */
static const struct socket_subject own_protocols[] = {
	{AF_INET, SOCK_STREAM, IPPROTO_TCP},
	{AF_INET6, SOCK_STREAM, IPPROTO_TCP},
	{AF_INET, SOCK_DGRAM, IPPROTO_UDP},
	{AF_INET6, SOCK_DGRAM, IPPROTO_UDP},
	{AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP},
	{AF_INET6, SOCK_SEQPACKET, IPPROTO_SCTP},
	{AF_INET, SOCK_DCCP, IPPROTO_DCCP},
	{AF_INET6, SOCK_DCCP, IPPROTO_DCCP},
};

/* Which type is as good as another in a family. */
static const struct alias {
	int family, type, other;
	bool is_meant_by_any; /* by a subject for any family as well */
} aliases[] = {
	{AF_UNIX, SOCK_DGRAM, SOCK_RAW, true},
	{AF_NETLINK, SOCK_RAW, SOCK_DGRAM, false},
	{AF_NETLINK, SOCK_DGRAM, SOCK_RAW, false},
};

static int read_word(int *value, const struct words *words, const char *what, const char *text,
	size_t offset, size_t length, struct mistake *mistake)
{
	const struct word *word;
	struct nearest nearest = NEAREST_TO(text + offset, length);
	char hint[NEAREST_HINT_MAX];

	if (length == 1 && text[offset] == '*') {
		*value = -1;
		return 0;
	}
	word = words ? word_find(words, text + offset, length) : NULL;
	if (word) {
		*value = (int)word->value;
		return 0;
	}
	if (words) {
		nearest_offer_words(&nearest, words);
	}
	return mistake_set(mistake, offset, "unknown %s '%.*s'%s", what,
		(int)(length < 60 ? length : 60), text + offset,
		nearest_hint(&nearest, hint, sizeof(hint)));
}

static const struct words *protocols_of(int family)
{
	switch (family) {
	case AF_INET:
	case AF_INET6:
	case -1:
		return &internet_protocol_words;
	case AF_NETLINK:
		return &netlink_protocol_words;
	default:
		return NULL;
	}
}

static int read_protocol(
	struct socket_subject *subject, const char *text, size_t offset, struct mistake *mistake)
{
	char *end;
	long number;

	if (text[offset] >= '0' && text[offset] <= '9') {
		errno = 0;
		number = strtol(text + offset, &end, 10);
		if (errno != 0 || *end != '\0' || number > 0xffff) {
			return mistake_set(mistake, offset, "bad protocol '%.60s'", text + offset);
		}
		subject->protocol = (int)number;
		return 0;
	}
	return read_word(&subject->protocol, protocols_of(subject->family), "protocol", text,
		offset, strlen(text + offset), mistake);
}

static int read_subject(struct socket_subject *subject, const char *text, struct mistake *mistake)
{
	size_t family_length = strcspn(text, "/");
	size_t type = family_length + 1, type_length;
	int r;

	r = read_word(&subject->family, &socket_family_words, "address family", text, 0,
		family_length, mistake);
	if (r < 0 || text[family_length] == '\0') {
		return r;
	}
	type_length = strcspn(text + type, "/");
	r = read_word(&subject->type, &socket_type_words, "socket type", text, type, type_length,
		mistake);
	if (r < 0 || text[type + type_length] == '\0') {
		return r;
	}
	return read_protocol(subject, text, type + type_length + 1, mistake);
}

static bool is_meant(const struct alias *alias, const struct socket_subject *subject)
{
	return subject->type == alias->type &&
	       (subject->family == alias->family ||
		       (subject->family < 0 && alias->is_meant_by_any));
}

int socket_subject_parse(struct socket_subject subjects[SOCKET_SUBJECTS_MAX], const char *text,
	struct mistake *mistake)
{
	struct socket_subject *subject = &subjects[0];
	int count = 1, r;

	*subject = (struct socket_subject){-1, -1, -1};
	r = read_subject(subject, text, mistake);
	if (r < 0) {
		return r;
	}
	for (size_t i = 0; i < array_length(aliases); i++) {
		if (is_meant(&aliases[i], subject)) {
			subjects[count++] = (struct socket_subject){
				aliases[i].family, aliases[i].other, subject->protocol};
		}
	}
	for (size_t i = 0; subject->protocol > 0 && i < array_length(own_protocols); i++) {
		const struct socket_subject *own = &own_protocols[i];

		if (socket_subject_covers(subject, own) && count < SOCKET_SUBJECTS_MAX) {
			subjects[count++] = (struct socket_subject){own->family, own->type, 0};
		}
	}
	return count;
}

bool socket_subject_covers(const struct socket_subject *wide, const struct socket_subject *narrow)
{
	return (wide->family < 0 || wide->family == narrow->family) &&
	       (wide->type < 0 || wide->type == narrow->type) &&
	       (wide->protocol < 0 || wide->protocol == narrow->protocol);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/record.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/json.h"
#include "daemon/parcel.h"
#include "daemon/session.h"
#include "usher/wire.h"

/* Of brokers whose records do not tell. */
#define WIRE_FIRST 1

/* Under which names descriptors stand in a record. */
static const struct descriptor {
	const char *name;
	size_t offset;
	bool is_required;
} descriptors[] = {
#define GIVEN(i)                                                                        \
	{                                                                               \
		"given-" #i, offsetof(struct session, given) + (i) * sizeof(int), false \
	}
	{"listener", offsetof(struct session, listener), true},
	{"memory", offsetof(struct session, memory_fd), true},
	{"snapshot", offsetof(struct session, snapshot), true},
	{"first-snapshot", offsetof(struct session, first_snapshot), false},
	{"log-parcel", offsetof(struct session, log), false},
	{"verbose-parcel", offsetof(struct session, verbose), false},
	{"audit", offsetof(struct session, audit), false},
	GIVEN(0),
	GIVEN(1),
	GIVEN(2),
	GIVEN(3),
	GIVEN(4),
	GIVEN(5),
	GIVEN(6),
	GIVEN(7),
#undef GIVEN
};
static_assert(WIRE_GIVEN_MAX == 8, "all that are given are told");

/* What earlier builds did not put into parcels. */
static const struct bare {
	const char *name, *now;
} bares[] = {{"log", "log-parcel"}, {"verbose", "verbose-parcel"}};

/* The numbers and strings of a record. A number that an older build has not told is 0. */
static const struct number {
	const char *name;
	size_t offset, size;
} numbers[] = {
#define NUMBER(name, member)                                                                     \
	{                                                                                        \
		name, offsetof(struct session, member), sizeof(((struct session *)NULL)->member) \
	}
	NUMBER("id", id),
	NUMBER("tid", tid),
	NUMBER("started", started),
	NUMBER("pid", peer.pid),
	NUMBER("uid", peer.uid),
	NUMBER("gid", peer.gid),
	NUMBER("capabilities", peer.capabilities),
	NUMBER("process_started", peer.started),
	NUMBER("policy_number", policy_number),
	NUMBER("landlock", landlock),
#undef NUMBER
};

static const struct string {
	const char *name;
	size_t offset;
	bool is_required;
} strings[] = {
	{"policy", offsetof(struct session, policy), true},
	{"command", offsetof(struct session, command), true},
	{"user", offsetof(struct session, user), false},
};

static void *member(const struct session *session, size_t offset)
{
	return (char *)session + offset;
}

size_t record_descriptors(const struct session *session, int *fds)
{
	size_t count = 0;

	for (size_t i = 0; i < array_length(descriptors); i++) {
		int fd = *(int *)member(session, descriptors[i].offset);
		if (fd >= 0) {
			fds[count++] = fd;
		}
	}
	return count;
}

/* ---- writing ---- */

static uint64_t get_number(const struct session *session, const struct number *number)
{
	const void *value = member(session, number->offset);

	return number->size == sizeof(uint64_t) ? *(const uint64_t *)value
						: *(const uint32_t *)value;
}

static struct json_object *list_groups(const struct peer *peer)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < peer->group_count; i++) {
		json_append(list, json_object_new_uint64(peer->groups[i]));
	}
	return list;
}

static struct json_object *list_descriptors(const struct session *session)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < array_length(descriptors); i++) {
		if (*(int *)member(session, descriptors[i].offset) >= 0) {
			json_append(list, json_object_new_string(descriptors[i].name));
		}
	}
	return list;
}

static char *to_text(struct json_object *record)
{
	const char *text = json_text(record);
	char *copy = text ? strdup(text) : NULL;

	json_object_put(record);
	return copy;
}

char *record_write(const struct session *session)
{
	struct json_object *record = json_object_new_object();

	json_add(record, "version", json_object_new_int(RECORD_VERSION));
	for (size_t i = 0; i < array_length(numbers); i++) {
		json_add(record, numbers[i].name,
			json_object_new_uint64(get_number(session, &numbers[i])));
	}
	for (size_t i = 0; i < array_length(strings); i++) {
		const char *value = *(char **)member(session, strings[i].offset);
		if (value) {
			json_add(record, strings[i].name, json_object_new_string(value));
		}
	}
	json_add(record, "groups", list_groups(&session->peer));
	json_add(record, "descriptors", list_descriptors(session));
	return to_text(record);
}

char *record_write_broker(pid_t pid)
{
	struct json_object *record = json_object_new_object();

	json_add(record, "version", json_object_new_int(RECORD_VERSION));
	json_add(record, "pid", json_object_new_int(pid));
	json_add(record, "wire", json_object_new_int(WIRE_VERSION));
	return to_text(record);
}

/* ---- reading ---- */

static int parse(const char *text, struct json_object **recordp)
{
	struct json_object *version, *record = json_tokener_parse(text);

	if (!record || !json_object_object_get_ex(record, "version", &version)) {
		json_object_put(record);
		return -EBADMSG;
	}
	if (json_object_get_int(version) != RECORD_VERSION) {
		json_object_put(record);
		return -EPROTONOSUPPORT;
	}
	*recordp = record;
	return 0;
}

static int read_number(
	struct session *session, const struct number *number, struct json_object *record)
{
	struct json_object *value;

	if (!json_object_object_get_ex(record, number->name, &value)) {
		return 0;
	}
	if (!json_object_is_type(value, json_type_int)) {
		return -EBADMSG;
	}
	if (number->size == sizeof(uint64_t)) {
		*(uint64_t *)member(session, number->offset) = json_object_get_uint64(value);
	} else {
		*(uint32_t *)member(session, number->offset) =
			(uint32_t)json_object_get_uint64(value);
	}
	return 0;
}

static int read_string(
	struct session *session, const struct string *string, struct json_object *record)
{
	struct json_object *value;

	if (!json_object_object_get_ex(record, string->name, &value)) {
		return string->is_required ? -EBADMSG : 0;
	}
	if (!json_object_is_type(value, json_type_string)) {
		return -EBADMSG;
	}
	char *copy = strdup(json_object_get_string(value));
	*(char **)member(session, string->offset) = copy;
	return copy ? 0 : -ENOMEM;
}

static int read_groups(struct peer *peer, struct json_object *record)
{
	struct json_object *list;

	if (!json_object_object_get_ex(record, "groups", &list) ||
		!json_object_is_type(list, json_type_array)) {
		return -EBADMSG;
	}
	size_t count = json_object_array_length(list);
	peer->groups = calloc(count + 1, sizeof(*peer->groups));
	if (!peer->groups) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++) {
		struct json_object *group = json_object_array_get_idx(list, i);
		peer->groups[peer->group_count++] = (gid_t)json_object_get_uint64(group);
	}
	return 0;
}

/* Its name today, as which it can be taken. */
static const char *wrapped(const char *name, int *fd)
{
	for (size_t i = 0; name && i < array_length(bares); i++) {
		if (strcmp(bares[i].name, name) == 0) {
			return parcel_wrap(fd) == 0 ? bares[i].now : NULL;
		}
	}
	return name;
}

/* One that we do not know is of a later build, and closed by the caller. */
static void take_descriptor(struct session *session, const char *known_as, int *fd)
{
	const char *name = wrapped(known_as, fd);

	for (size_t i = 0; name && i < array_length(descriptors); i++) {
		int *place = member(session, descriptors[i].offset);
		if (strcmp(descriptors[i].name, name) == 0 && *place < 0) {
			*place = steal_fd(fd);
		}
	}
}

static int read_descriptors(
	struct session *session, struct json_object *record, int *fds, size_t fd_count)
{
	struct json_object *list;

	if (!json_object_object_get_ex(record, "descriptors", &list) ||
		!json_object_is_type(list, json_type_array) ||
		json_object_array_length(list) != fd_count) {
		return -EBADMSG;
	}
	for (size_t i = 0; i < fd_count; i++) {
		take_descriptor(session, json_object_get_string(json_object_array_get_idx(list, i)),
			&fds[i]);
	}
	for (size_t i = 0; i < array_length(descriptors); i++) {
		if (descriptors[i].is_required &&
			*(int *)member(session, descriptors[i].offset) < 0) {
			return -EBADMSG;
		}
	}
	return 0;
}

static int read_members(
	struct session *session, struct json_object *record, int *fds, size_t fd_count)
{
	int result = 0;

	for (size_t i = 0; i < array_length(numbers) && result == 0; i++) {
		result = read_number(session, &numbers[i], record);
	}
	for (size_t i = 0; i < array_length(strings) && result == 0; i++) {
		result = read_string(session, &strings[i], record);
	}
	if (result == 0) {
		result = read_groups(&session->peer, record);
	}
	return result == 0 ? read_descriptors(session, record, fds, fd_count) : result;
}

int record_read(struct session *session, const char *text, int *fds, size_t fd_count)
{
	struct json_object *record = NULL;
	int result = parse(text, &record);

	for (size_t i = 0; i < array_length(descriptors); i++) {
		*(int *)member(session, descriptors[i].offset) = -1;
	}
	session->peer.pidfd = -1;
	if (result == 0) {
		result = read_members(session, record, fds, fd_count);
		json_object_put(record);
	}
	return result;
}

int record_read_broker(const char *text, pid_t *pid)
{
	struct json_object *value, *record = NULL;
	int result = parse(text, &record);

	if (result < 0) {
		return result;
	}
	*pid = json_object_object_get_ex(record, "pid", &value) ? json_object_get_int(value) : 0;
	int wire = json_object_object_get_ex(record, "wire", &value) ? json_object_get_int(value)
								     : WIRE_FIRST;
	json_object_put(record);
	if (wire != WIRE_VERSION) {
		return -EPROTONOSUPPORT;
	}
	return *pid > 0 ? 0 : -EBADMSG;
}

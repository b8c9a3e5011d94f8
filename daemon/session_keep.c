/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/session_keep.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/fdpass.h"
#include "daemon/child.h"
#include "daemon/context.h"
#include "daemon/parcel.h"
#include "daemon/record.h"
#include "daemon/session.h"
#include "daemon/store.h"

#define NAME_ROOM 64

/* A session's parcels; and room for sockets, and for a parcel while it changes. */
#define SLOTS_OF_SESSION 2u
#define SLOTS_SPARE      8u

static const char *const kinds[] = {"session", "broker"};

unsigned int session_keep_capacity(const struct store *store)
{
	if (!store->is_there) {
		return UINT_MAX;
	}
	return store->room > SLOTS_SPARE ? (store->room - SLOTS_SPARE) / SLOTS_OF_SESSION : 0;
}

bool session_name_parse(struct session_name *parsed, const char *name)
{
	char again[NAME_ROOM];

	for (size_t i = 0; i < array_length(kinds); i++) {
		size_t length = strlen(kinds[i]);
		if (strncmp(name, kinds[i], length) == 0 &&
			sscanf(name + length, "-%" SCNu64 "-%u", &parsed->session,
				&parsed->generation) == 2) {
			parsed->is_broker = i == 1;
			session_name_write(again, sizeof(again), parsed);
			return strcmp(name, again) == 0;
		}
	}
	return false;
}

void session_name_write(char *name, size_t size, const struct session_name *parsed)
{
	(void)snprintf(name, size, "%s-%" PRIu64 "-%u", kinds[parsed->is_broker], parsed->session,
		parsed->generation);
}

static void remove_name(const struct session *session, bool is_broker, unsigned int generation)
{
	char name[NAME_ROOM];
	const struct session_name parsed = {is_broker, session->id, generation};

	if (generation > 0) {
		session_name_write(name, sizeof(name), &parsed);
		store_remove(&session->context->store, name);
	}
}

/* Puts the parcel under the next name, and takes the one before away. */
static int put(const struct session *session, bool is_broker, unsigned int *generation,
	const char *text, const int *fds, size_t fd_count)
{
	char name[NAME_ROOM];
	const struct session_name parsed = {is_broker, session->id, *generation + 1};
	cleanup_fd int parcel = text ? parcel_make(text, fds, fd_count) : -ENOMEM;

	if (parcel < 0) {
		return parcel;
	}
	session_name_write(name, sizeof(name), &parsed);
	int result = store_put(&session->context->store, name, parcel);
	if (result == 0) {
		remove_name(session, is_broker, *generation);
		*generation = parsed.generation;
	}
	return result;
}

int session_keep(struct session *session)
{
	int fds[FDPASS_MAX];

	if (!session->context->store.is_there) {
		return 0;
	}
	cleanup_free char *text = record_write(session);
	size_t count = record_descriptors(session, fds);
	return put(session, false, &session->kept, text, fds, count);
}

int session_keep_broker(struct session *session)
{
	int fds[2];

	if (!session->context->store.is_there) {
		return 0;
	}
	child_descriptors(session->child, &fds[0], &fds[1]);
	if (fds[0] < 0 || fds[1] < 0) {
		return -EPIPE;
	}
	cleanup_free char *text = record_write_broker(child_pid(session->child));
	return put(session, true, &session->broker_kept, text, fds, array_length(fds));
}

int session_keep_again(struct session *session)
{
	session->kept = session->broker_kept = 0;
	int result = session_keep(session);
	/* Of one that is not there yet the next daemon starts another. */
	if (result == 0 && session->child) {
		(void)session_keep_broker(session);
	}
	return result;
}

void session_unkeep_broker(struct session *session)
{
	remove_name(session, true, session->broker_kept);
	session->broker_kept = 0;
}

void session_unkeep(struct session *session)
{
	session_unkeep_broker(session);
	remove_name(session, false, session->kept);
	session->kept = 0;
}

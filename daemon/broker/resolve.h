/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Third stage: which object a name means. Two ways give the same answers:
 *
 *   the fast way   takes a clean name as it is: decide on it, then open it with
 * RESOLVE_NO_SYMLINKS; what succeeds had no link in it, so the name was the resolved one
 *                  (place.provisional); ELOOP says to take the long way
 *   the long way   walks component by component on pinned directories (walk.h), as the kernel would
 *                  for the target: its root, its /proc/self, its links
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct broker;
struct place;
struct request;
struct stat;
struct walk_options;

enum resolve_way {
	RESOLVE_FAST_IF_POSSIBLE,
	RESOLVE_LONG_WAY,
	RESOLVE_TO_OBJECT, /* the long way, but a clean name is tried as it is, and pinned */
};

/*
 * Fills request->place from `path`, a name to be used with `flags` (open(2)) and `resolve`
 * (openat2(2)). 0 or a negative errno; an errno that the kernel would give because the name leads
 * nowhere is place->error instead, so that a denial can go before it.
 */
int resolve(const struct broker *broker, struct request *request, const char *path, uint64_t flags,
	uint64_t resolve_flags, enum resolve_way way);

/* The same for any of the request's places, and for calls that do not open. */
int resolve_place(const struct broker *broker, struct request *request, const char *path,
	const struct walk_options *options, enum resolve_way way);

/* A descriptor's own object, request->place.start. As resolve(). */
int resolve_descriptor(const struct broker *broker, struct request *request);

/*
 * One look at a provisional name that is going to be opened, or linked: of what kind is it? False:
 * it is a link, or means something else to the target, and only the long way can tell.
 */
bool resolve_look(struct place *place);

/* Closes what resolve has opened, so that it can be called again. */
void resolve_release(struct request *request);

/* Notes of what kind the object is: may opening it wait, is it the terminal's alias? */
void resolve_note_kind(struct place *place, const struct stat *st);

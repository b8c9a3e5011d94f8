/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A resolved place made fast: a descriptor of the directory and its entry's name, or one of the
 * object. What was decided on is what is acted on: nobody resolves a path after this.
 */
#pragma once

#include <stdbool.h>

struct broker;
struct place;
struct seen;

struct entry {
	int directory;
	bool owned;       /* ours to close */
	const char *name; /* in the place */
};

/* An outcome beside 0 and a negative errno, upon which the long way is to be gone: the provisional
 * name had a link in it, or lies in a procfs; or another mount has come over it. */
#define PIN_LINK_MET 1

/* 0, PIN_LINK_MET, or a negative errno. Ended by pin_release_entry(). */
int pin_entry(const struct place *place, struct entry *entry);
void pin_release_entry(struct entry *entry);

/* An O_PATH descriptor in `*object`, the caller's. `follow`: a link in the last component is
 * PIN_LINK_MET. */
int pin_object(struct seen *seen, const struct place *place, bool follow, int *object);

/* Would a provisional name be no PIN_LINK_MET? For a verdict that opens nothing. */
bool pin_leads_straight(struct seen *seen, const struct place *place, bool follow);

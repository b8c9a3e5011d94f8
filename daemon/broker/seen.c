/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/seen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/broker/procfs.h"
#include "daemon/broker/request.h"
#include "daemon/broker/target.h"
#include "daemon/policy/order_table.h"

#define PLACES 4096u
/* Of a print: */
#define REFUTED 1u /* the name is always looked at */
#define LINK    2u /* it leads over a link */
#define MARKS   (REFUTED | LINK)

/* One print of a name in each place; any two names may have the same. */
struct seen {
	_Atomic uint32_t prints[PLACES];
};

static bool has_terminal(void)
{
	char name[64];

	return target_terminal(getpid(), name, sizeof(name)) != -ENXIO;
}

struct seen *seen_new(void)
{
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool is_useful = root >= 0 && !procfs_is(root) && !has_terminal();

	if (root >= 0) {
		close(root);
	}
	return is_useful ? calloc(1, sizeof(struct seen)) : NULL;
}

static _Atomic uint32_t *place_of(struct seen *seen, const struct place *place, uint32_t *print)
{
	uint64_t hash = order_hash(place->name, strlen(place->name));

	*print = (uint32_t)hash & ~MARKS;
	return &seen->prints[hash >> 32 & (PLACES - 1)];
}

/* Only names in our own root: of others no flag says in which mount they begin. */
static bool is_spoken_of(const struct seen *seen, const struct place *place)
{
	return seen && place->directory == AT_FDCWD;
}

static void set_print(struct seen *seen, const struct place *place, uint32_t mark)
{
	uint32_t print;
	_Atomic uint32_t *known = place_of(seen, place, &print);

	atomic_store_explicit(known, print | mark, memory_order_relaxed);
}

enum seen_word seen_ask(struct seen *seen, const struct place *place)
{
	uint32_t print;

	if (!is_spoken_of(seen, place)) {
		return SEEN_NOT;
	}
	uint32_t known = atomic_load_explicit(place_of(seen, place, &print), memory_order_relaxed);
	if ((known & ~MARKS) != print || known == 0) {
		return SEEN_NOT;
	}
	return known & REFUTED ? SEEN_REFUTED : known & LINK ? SEEN_LINK : SEEN_PLAIN;
}

void seen_note(struct seen *seen, const struct place *place)
{
	if (is_spoken_of(seen, place) && !place->may_wait && place->seen != SEEN_REFUTED) {
		set_print(seen, place, 0);
	}
}

void seen_refute(struct seen *seen, const struct place *place)
{
	if (is_spoken_of(seen, place)) {
		set_print(seen, place, REFUTED);
	}
}

bool seen_may_prove(const struct seen *seen, const struct place *place)
{
	return is_spoken_of(seen, place) && place->seen != SEEN_REFUTED;
}

void seen_note_link(struct seen *seen, const struct place *place)
{
	if (is_spoken_of(seen, place)) {
		set_print(seen, place, LINK);
	}
}

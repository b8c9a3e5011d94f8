/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/detached.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/mount_table.h"

#define REMEMBERED_MAX 1024u /* mounts; a namespace mostly has some fifty */

struct remembered {
	uint64_t id;
	dev_t device;
	char *root; /* NULL: nothing is remembered here */
};

/* A ring: what was noted last is the likeliest to be asked for. */
struct detached {
	pthread_mutex_t mutex;
	struct remembered *ring; /* NULL until something is noted: few sessions need it */
	size_t next;
};

struct detached *detached_new(void)
{
	struct detached *detached = calloc(1, sizeof(*detached));

	if (detached) {
		pthread_mutex_init(&detached->mutex, NULL);
	}
	return detached;
}

/* The latest of that number, or NULL. Under the mutex. */
static const struct remembered *find(const struct detached *detached, uint64_t id)
{
	for (size_t i = 1; i <= REMEMBERED_MAX && detached->ring; i++) {
		const struct remembered *one =
			&detached->ring[(detached->next + REMEMBERED_MAX - i) % REMEMBERED_MAX];
		if (one->root && one->id == id) {
			return one;
		}
	}
	return NULL;
}

/* Under the mutex. */
static bool is_known(const struct detached *detached, const struct mount *mount)
{
	const struct remembered *known = find(detached, mount->id);

	return known && known->device == mount->device && strcmp(known->root, mount->root) == 0;
}

/* What there is no memory for is as if it had not been seen. Under the mutex. */
static void remember(struct detached *detached, const struct mount *mount)
{
	struct remembered *oldest = &detached->ring[detached->next];

	free(oldest->root);
	*oldest = (struct remembered){
		.id = mount->id, .device = mount->device, .root = strdup(mount->root)};
	detached->next = (detached->next + 1) % REMEMBERED_MAX;
}

/* Which mount the call names is in memory that may change: so all that the thread sees. */
void detached_note(struct detached *detached, pid_t tid)
{
	struct mount_table table;

	if (!detached || mount_table_read_of(&table, tid) < 0) {
		return;
	}
	pthread_mutex_lock(&detached->mutex);
	if (!detached->ring) {
		detached->ring = calloc(REMEMBERED_MAX, sizeof(*detached->ring));
	}
	for (size_t i = 0; detached->ring && i < table.count && i < REMEMBERED_MAX; i++) {
		if (!is_known(detached, &table.mounts[i])) {
			remember(detached, &table.mounts[i]);
		}
	}
	pthread_mutex_unlock(&detached->mutex);
	mount_table_finish(&table);
}

int detached_find(struct detached *detached, uint64_t id, dev_t device, char *root, size_t capacity)
{
	int found = 0;

	if (!detached) {
		return 0;
	}
	pthread_mutex_lock(&detached->mutex);
	const struct remembered *one = find(detached, id);
	if (one && one->device == device) {
		size_t length = strlen(one->root);
		found = length < capacity ? 1 : -ENAMETOOLONG;
		if (found > 0) {
			memcpy(root, one->root, length + 1);
		}
	}
	pthread_mutex_unlock(&detached->mutex);
	return found;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/pin.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/procfs.h"
#include "daemon/broker/request.h"
#include "daemon/broker/seen.h"

static int open_path(int directory, const char *name, uint64_t flags, uint64_t resolve)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | flags, .resolve = RESOLVE_NO_SYMLINKS | resolve};
	int fd = (int)syscall(SYS_openat2, directory, name, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

/* The last component of a clean name, a trailing slash included. */
static const char *last_component(const char *name)
{
	size_t length = strlen(name);

	if (length > 1 && name[length - 1] == '/') {
		length--;
	}
	while (length > 0 && name[length - 1] != '/') {
		length--;
	}
	return name + length;
}

static int open_parent(const struct place *place, const char *last)
{
	char parent[NAME_ROOM];
	size_t length = (size_t)(last - place->name);

	if (length == 0) {
		return open_path(place->directory, ".", O_DIRECTORY, 0);
	}
	memcpy(parent, place->name, length);
	parent[length] = '\0';
	return open_path(place->directory, parent, O_DIRECTORY, 0);
}

int pin_entry(const struct place *place, struct entry *entry)
{
	*entry = (struct entry){.directory = place->directory, .name = place->name};
	if (!place->provisional) {
		return 0;
	}
	entry->name = last_component(place->name);
	int parent = open_parent(place, entry->name);
	if (parent == -ELOOP) {
		return PIN_LINK_MET;
	}
	if (parent < 0) {
		return parent;
	}
	entry->directory = parent;
	entry->owned = true;
	return procfs_is(parent) ? PIN_LINK_MET : 0;
}

void pin_release_entry(struct entry *entry)
{
	if (entry->owned) {
		close(entry->directory);
	}
	entry->owned = false;
}

/* `*proved`: what was opened is in the mount of our root, and so in no procfs. */
static int open_provisional(
	struct seen *seen, const struct place *place, uint64_t flags, bool *proved)
{
	*proved = seen_may_prove(seen, place);
	int fd = open_path(place->directory, place->name, flags, *proved ? RESOLVE_NO_XDEV : 0);
	if (fd == -EXDEV && *proved) {
		seen_refute(seen, place);
		*proved = false;
		fd = open_path(place->directory, place->name, flags, 0);
	}
	return fd;
}

bool pin_leads_straight(struct seen *seen, const struct place *place, bool follow)
{
	uint64_t flags = follow ? 0 : O_NOFOLLOW;

	/* As a directory: what is none is refused at the end of its way, and nothing was opened. */
	if (seen_may_prove(seen, place)) {
		cleanup_fd int fd = open_path(
			place->directory, place->name, flags | O_DIRECTORY, RESOLVE_NO_XDEV);
		if (fd != -EXDEV) {
			return fd != -ELOOP;
		}
		seen_refute(seen, place);
	}
	cleanup_fd int fd = open_path(place->directory, place->name, flags, 0);
	return fd != -ELOOP && !(fd >= 0 && procfs_is(fd));
}

int pin_object(struct seen *seen, const struct place *place, bool follow, int *object)
{
	uint64_t flags = follow ? 0 : O_NOFOLLOW;
	bool proved = false;

	if (place->kind == PLACE_OBJECT) {
		*object = fcntl(place->object, F_DUPFD_CLOEXEC, 0);
		return *object < 0 ? -errno : 0;
	}
	/* After the long way a link in the last place is one that is not to be followed. */
	bool meets_links = place->provisional || follow;
	*object = place->provisional ? open_provisional(seen, place, flags, &proved)
				     : open_path(place->directory, place->name, flags,
					       place->is_bound ? RESOLVE_NO_XDEV : 0);
	if ((*object == -ELOOP && meets_links) || (*object == -EXDEV && place->is_bound)) {
		return PIN_LINK_MET;
	}
	if (*object < 0) {
		return *object;
	}
	return place->provisional && !proved && procfs_is(*object) ? PIN_LINK_MET : 0;
}

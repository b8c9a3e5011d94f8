/* SPDX-License-Identifier: Apache-2.0 */
/* What obstacles (mechanism.h) are called. */
#include <assert.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/mechanism.h"

static const struct {
	const char *name, *text;
} obstacles[] = {
	[OBSTACLE_NONE] = {"", ""},
	[OBSTACLE_ASKED] = {"asked", "[policy] says 'mechanism = broker'"},
	[OBSTACLE_MOUNTS] = {"mounts",
		"Landlock refuses mounts and knows no other roots: let [syscalls] say "
		"'deny EPERM = @mount' first"},
	[OBSTACLE_MOVES] = {"moves",
		"everything may be created and removed, and Landlock would refuse some renames"},
	[OBSTACLE_SUBJECTS] = {"subjects", "there are more than 512 paths: name directories"},
	[OBSTACLE_DEFAULT] = {"default",
		"Landlock knows no denials, so all that is not allowed has to be denied: let the "
		"default be 'quiet deny EACCES'"},
	[OBSTACLE_ACTION] = {"action", "Landlock can only allow and deny"},
	[OBSTACLE_LOGGED] = {"logged", "it belongs into the log: 'quiet deny' would not"},
	[OBSTACLE_ERRNO] = {"errno", "Landlock denies with EACCES and nothing else"},
	[OBSTACLE_PATTERN] = {"pattern", "Landlock knows files and whole directories"},
	[OBSTACLE_SINGLE] = {"single", "Landlock knows creating and removing in whole directories"},
	[OBSTACLE_INSIDE] = {"inside", "it denies inside of what a later rule allows"},
	[OBSTACLE_PROCESSES] = {"processes", "files of /proc depend on who asks"},
	[OBSTACLE_TOP] = {"top", "the directory itself may be created or removed, too: say 'quiet "
				 "deny create remove "
				 "= DIRECTORY' before"},
	[OBSTACLE_MOVABLE] = {"movable",
		"it may be renamed or removed, or a directory above: say 'quiet deny remove = ...' "
		"of these before"},
	[OBSTACLE_LINKS] = {"links",
		"a hard link to it may be created where rules deny this, and Landlock would let it "
		"pass: name its directory"},
	[OBSTACLE_EXECUTE] = {"execute",
		"Landlock wants what is executed to be readable: say 'execute' of what may be, and "
		"allow it to be read"},
	[OBSTACLE_UNREADABLE] = {"unreadable",
		"what is created there may not be read or not be written, and Landlock would leave "
		"the empty file behind"},
	[OBSTACLE_SIZE] = {"size", "the paths come to more than 12 KiB: name directories"},
};
static_assert(array_length(obstacles) == OBSTACLES, "a text for each obstacle");

const char *mechanism_obstacle_text(enum mechanism_obstacle obstacle)
{
	return obstacles[obstacle].text;
}

const char *mechanism_obstacle_name(enum mechanism_obstacle obstacle)
{
	return obstacles[obstacle].name;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve_world.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/act.h"
#include "daemon/broker/target.h"

#define TRIES_MAX 4

void must(int result)
{
	if (result < 0) {
		fail_msg("the tree cannot be made: %s", strerror(errno));
	}
}

void world_pin(struct world *world, const char *path, const struct open_how *how)
{
	struct place *place = &world->stage.request->place;
	bool scoped = how->resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT);

	place->root = world->chrooted ? target_open_root(world->stage.target) : -1;
	place->start = path[0] != '/' || scoped ? target_open_cwd(world->stage.target) : -1;
	place->directory = place->object = -1;
	place->directory_owned = false;
}

/* One way, resolved and opened, as serve.c does it. */
static enum act_outcome go(
	struct world *world, const char *path, enum resolve_way way, struct answer *answer)
{
	struct stage *stage = &world->stage;
	struct request *request = stage->request;
	const struct open_how *how = &request->open.how;
	enum act_outcome outcome = ACT_DONE;

	request->result = resolve(&stage->broker, request, path, how->flags, how->resolve, way);
	if (request->result == 0) {
		outcome = act_open(&stage->broker, NULL, request);
	}
	if (way == RESOLVE_LONG_WAY) {
		assert_false(request->place.provisional);
	}
	answer->error = request->result < 0 ? -request->result : 0;
	strcpy(answer->path, request->place.path);
	resolve_release(request);
	return outcome;
}

void world_ask(struct world *world, const char *path, const struct open_how *how,
	enum resolve_way way, struct answer *answer)
{
	struct request *request = world->stage.request;
	struct stat st;

	*answer = (struct answer){0};
	stage_call(&world->stage, SYS_openat, 0, 0, 0, 0);
	request->call = CALL_OPEN;
	request->open.how = *how;
	request->open.operations = OPERATION_READ;
	request->open.only_existing = false;
	strcpy(request->open.path, path);
	world_pin(world, path, how);
	enum act_outcome outcome = ACT_TAKE_LONG_WAY;
	for (int i = 0; i < TRIES_MAX && outcome == ACT_TAKE_LONG_WAY; i++) {
		outcome = go(world, path, way, answer);
		way = RESOLVE_LONG_WAY;
	}
	assert_int_equal(outcome, ACT_DONE);
	if (answer->error == 0) {
		assert_int_equal(fstat(request->result, &st), 0);
		answer->device = st.st_dev;
		answer->inode = st.st_ino;
		close(request->result);
	}
	close_fd(&request->place.start);
	close_fd(&request->place.root);
}

/* The kernel's name, as policies would have it. */
static void as_policies_name(const struct world *world, char *name)
{
	char own[64], text[PATH_MAX];

	(void)snprintf(own, sizeof(own), "/proc/%d", world->stage.target);
	size_t length = strlen(own);
	if (strncmp(name, own, length) == 0 && (name[length] == '/' || !name[length])) {
		(void)snprintf(text, sizeof(text), "/proc/self%s", name + length);
		strcpy(name, text);
	} else if (world->chrooted && name[0] == '/') {
		(void)snprintf(text, sizeof(text), "%s%s", world->tree, name[1] ? name : "");
		strcpy(name, text);
	}
}

/* Agreed? The name of what is not there is only compared between the two ways. */
static void compare(struct world *world, const char *path, const struct open_how *how)
{
	static struct answer fast, slow, pinned;
	static struct native_open native;

	world_ask(world, path, how, RESOLVE_FAST_IF_POSSIBLE, &fast);
	world_ask(world, path, how, RESOLVE_LONG_WAY, &slow);
	world_ask(world, path, how, RESOLVE_TO_OBJECT, &pinned);
	/* A rename or mount anywhere in the system meanwhile is EAGAIN where ".." is scoped
	 * (openat2(2)), and has the kernel begin anew with the links counted that it has met. */
	for (int i = 0; i < TRIES_MAX; i++) {
		stage_open_natively(&world->stage, path, how, &native);
		if (native.error != EAGAIN && native.error != ELOOP) {
			break;
		}
	}
	as_policies_name(world, native.name);
	if (fast.error != native.error || slow.error != native.error) {
		fail_msg("'%s' flags %llo resolve %llx: fast %s, long %s, the kernel %s", path,
			(unsigned long long)how->flags, (unsigned long long)how->resolve,
			strerrorname_np(fast.error), strerrorname_np(slow.error),
			strerrorname_np(native.error));
	}
	if (strcmp(fast.path, slow.path) != 0) {
		fail_msg(
			"'%s' is '%s' the fast way, '%s' the long way", path, fast.path, slow.path);
	}
	if (pinned.error != slow.error || strcmp(pinned.path, slow.path) != 0 ||
		pinned.device != slow.device || pinned.inode != slow.inode) {
		fail_msg("'%s' is '%s' (%s) where it is pinned, '%s' (%s) the long way", path,
			pinned.path, strerrorname_np(pinned.error), slow.path,
			strerrorname_np(slow.error));
	}
	if (native.error) {
		return;
	}
	if (fast.inode != native.inode || slow.inode != native.inode ||
		fast.device != native.device || slow.device != native.device) {
		fail_msg("'%s' is another file than the kernel's '%s'", path, native.name);
	}
	if (native.name[0] == '/' && strcmp(slow.path, native.name) != 0) {
		fail_msg("'%s' is called '%s', the kernel's name is '%s'", path, slow.path,
			native.name);
	}
}

static const struct open_how hows[] = {
	{.flags = O_RDONLY},
	{.flags = O_RDONLY | O_NOFOLLOW},
	{.flags = O_RDONLY | O_DIRECTORY},
	{.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW},
	{.flags = O_RDONLY, .resolve = RESOLVE_NO_SYMLINKS},
	{.flags = O_RDONLY, .resolve = RESOLVE_NO_MAGICLINKS},
	{.flags = O_RDONLY, .resolve = RESOLVE_BENEATH},
	{.flags = O_RDONLY, .resolve = RESOLVE_IN_ROOT},
	{.flags = O_RDONLY, .resolve = RESOLVE_NO_XDEV},
};

void world_compare(struct world *world, const char *path)
{
	for (size_t i = 0; i < array_length(hows); i++) {
		compare(world, path, &hows[i]);
	}
}

static void enter(void *argument)
{
	const struct world *world = argument;

	if (chdir(world->tree) < 0 || (world->chrooted && (chroot(".") < 0))) {
		abort();
	}
}

struct world *world_build(bool chrooted, void (*make)(const char *tree))
{
	static struct world world;

	world = (struct world){.home = "/tmp/resolve-XXXXXX", .chrooted = chrooted};
	assert_non_null(mkdtemp(world.home));
	must(chmod(world.home, 0755));
	must(chdir(world.home));
	if (make) {
		make(world.home);
	}
	strcpy(world.tree, world.home);
	stage_init(&world.stage, enter, &world);
	return &world;
}

void world_move(struct world *world, const char *tree)
{
	assert_in_range(strlen(tree), 1, sizeof(world->tree) - 1);
	stage_finish(&world->stage);
	strcpy(world->tree, tree);
	stage_init(&world->stage, enter, world);
}

int world_tear_down(void **state)
{
	struct world *world = *state;
	char command[128];

	if (world) {
		stage_finish(&world->stage);
		must(chdir("/"));
		(void)snprintf(command, sizeof(command), "rm -rf %s", world->home);
		assert_int_equal(system(command), 0);
	}
	return 0;
}

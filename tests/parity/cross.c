/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/parity/cross.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/parity/mounts.h"

#define OTHER_USER 12345

struct crossing {
	const struct path_call *call;
	const struct path_group *group;
};

static bool fits(const struct path_call *call, const struct path_argument *argument)
{
	return (!argument->harmless || (argument->harmless & call->effect)) &&
	       (!argument->needs_dirfd || call->has_dirfd);
}

static void cross_one(
	struct stage *stage, const struct path_call *call, const struct path_argument *argument)
{
	struct scene *scene = stage->scene;
	const char *path = argument->path;
	bool changes_user = argument->as_other && geteuid() == 0;
	int dirfd = AT_FDCWD;
	long result;

	if (stage_enter(stage) && call->set_up) {
		call->set_up();
		stage_remember(stage);
	}
	if (argument->make) {
		path = argument->make(scene, argument->path, &dirfd);
	}
	if (argument->spoils) {
		stage_prepared(stage);
	}
	tell(scene, " | %s ", argument->name);
	if (changes_user) {
		prepare(scene, !setegid(OTHER_USER) && !seteuid(OTHER_USER));
	}
	result = call->make(scene, dirfd, path);
	tell(scene, " ");
	tell_result(scene, result);
	if (changes_user) {
		prepare(scene, !seteuid(0) && !setegid(0));
	}
	stage_tell(stage);
	if (argument->undo) {
		argument->undo(scene);
	}
}

static void run_crossing(struct scene *scene)
{
	const struct crossing *crossing = scene->data;
	const struct path_group *group = crossing->group;
	struct stage *stage = stage_new(scene);

	for (size_t i = 0; i < group->count; i++) {
		if (fits(crossing->call, &group->arguments[i])) {
			cross_one(stage, crossing->call, &group->arguments[i]);
		}
	}
	free(stage);
}

static bool has_any(const struct path_call *call, const struct path_group *group)
{
	for (size_t i = 0; i < group->count; i++) {
		if (fits(call, &group->arguments[i])) {
			return true;
		}
	}
	return false;
}

static void cross_groups(
	struct runner *runner, const struct path_call *call, const struct path_group *groups)
{
	for (const struct path_group *group = groups; group->name; group++) {
		struct crossing crossing = {call, group};

		if (has_any(call, group)) {
			runner_case(runner, run_crossing, &crossing, "call/%s/%s", call->name,
				group->name);
		}
	}
}

void cross_path_calls(struct runner *runner, const struct path_call *calls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		cross_groups(runner, &calls[i], groups_of_names);
		cross_groups(runner, &calls[i], groups_of_descriptors);
		cross_groups(runner, &calls[i], groups_of_circumstances);
		if (mounts_directory()) {
			cross_groups(runner, &calls[i], groups_of_mounts);
		}
	}
}

void cases_calls(struct runner *runner)
{
	static void (*const modules[])(struct runner *) = {
		cases_unlink,
		cases_make,
		cases_rename,
		cases_link,
		cases_truncate,
		cases_chmod,
		cases_chown,
		cases_times,
		cases_xattr,
		cases_stat,
		cases_access,
		cases_readlink,
		cases_watch,
		cases_handle,
		cases_chdir,
	};

	for (size_t i = 0; i < array_length(modules); i++) {
		modules[i](runner);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/parity/stage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/parity/witness.h"

struct stage *stage_new(struct scene *scene)
{
	struct stage *stage = calloc(1, sizeof(*stage));

	prepare(scene, stage != NULL);
	stage->scene = scene;
	stage->used = true;
	snprintf(stage->base, sizeof(stage->base), "%s", scene->root);
	return stage;
}

bool stage_enter(struct stage *stage)
{
	struct scene *scene = stage->scene;
	char parent[PATH_MAX - 8];

	if (!stage->used) {
		prepare(scene, !chdir(stage->root));
		return false;
	}
	stage->used = false;
	snprintf(parent, sizeof(parent), "%.4000s/%03u", stage->base, stage->number++);
	snprintf(stage->root, sizeof(stage->root), "%s/tree", parent);
	prepare(scene, !mkdir(parent, 0755) && witness_make(stage->root, true) == 0);
	prepare(scene, !chdir(stage->root));
	scene->root = stage->root;
	return true;
}

void stage_remember(struct stage *stage)
{
	prepare(stage->scene, witness_remember() == 0);
}

void stage_prepared(struct stage *stage)
{
	stage->used = true;
	stage_remember(stage);
}

void stage_tell(struct stage *stage)
{
	int outcome = witness_tell(stage->scene);

	if (outcome < 0) {
		tell(stage->scene, " tree lost: %s", observe_errno(-outcome));
	}
	stage->used |= outcome != 0;
	close_range(3, STAGE_FIRST_KEPT - 1, 0);
}

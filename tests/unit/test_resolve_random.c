/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random trees of directories, files and links, and random names in them: resolved as the kernel
 * does it. What is compared is told in resolve_world.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/base/cleanup.h"
#include "resolve_world.h"

static unsigned int seed = 20240229;

static unsigned int below(unsigned int limit)
{
	return (unsigned int)rand_r(&seed) % limit;
}

static const char *const components[] = {
	"a", "b", "c", "d", "e", "a", "b", "c", "..", "..", ".", "", "f", "nowhere"};

static void random_path(char *path, bool may_be_absolute, const char *tree)
{
	unsigned int count = 1 + below(6);

	path[0] = '\0';
	if (may_be_absolute && below(5) == 0) {
		(void)sprintf(path, "%s/", tree);
	}
	for (unsigned int i = 0; i < count; i++) {
		strcat(path, components[below(array_length(components))]);
		strcat(path, i + 1 < count || below(6) == 0 ? "/" : "");
	}
}

/* Some of these cannot be made, as their directories are links or not there: then they are not. */
static void grow(const char *tree)
{
	char path[PATH_MAX], text[PATH_MAX];

	for (int i = 0; i < 40; i++) {
		random_path(path, false, tree);
		switch (below(4)) {
		case 0:
		case 1:
			(void)mkdir(path, 0755);
			break;
		case 2:
			random_path(text, true, tree);
			(void)!symlink(text, path);
			break;
		default: {
			int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
			if (fd >= 0) {
				close(fd);
			}
		}
		}
	}
}

static void random_trees_and_paths(void **state)
{
	struct world *world = *state;
	char path[PATH_MAX], root[96];

	for (int tree = 0; tree < 12; tree++) {
		/* Each is grown within the last, so that ".." leads to what is there. */
		must(mkdir("r", 0755));
		must(chdir("r"));
		assert_non_null(getcwd(root, sizeof(root)));
		world_move(world, root);
		grow(root);
		for (int i = 0; i < 60; i++) {
			random_path(path, true, root);
			/* An empty one is refused by decoding. */
			world_compare(world, path[0] ? path : ".");
		}
	}
}

static int set_up(void **state)
{
	*state = world_build(false, NULL);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(random_trees_and_paths, set_up, world_tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `usher top` is a program of its own: what draws on a terminal comes with libraries that the
 * loader would have to find and relocate for each `usher run`, too.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/commands.h"
#include "daemon/base/cleanup.h"
#include "daemon/base/install.h"

int command_top(int argc, char **argv)
{
	cleanup_free char *path = install_top_path();

	(void)argc;
	if (path) {
		execv(path, argv);
	}
	(void)fprintf(stderr, "usher: usher-top cannot be started: %s; is it installed?\n",
		strerror(errno));
	return EXIT_FAILURE;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "client/color.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A terminal that can move no cursor shows no colours either. */
static bool is_dumb(const char *term)
{
	return !term || !*term || strcmp(term, "dumb") == 0;
}

bool color_is_wanted(int fd)
{
	const char *no_color = getenv("NO_COLOR");

	return isatty(fd) && !(no_color && *no_color) && !is_dumb(getenv("TERM"));
}

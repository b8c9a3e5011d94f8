/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/inheritance.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"

#define FIRST_FD 3

/* The number in a variable, 0 if there is none. */
static long read_number(const char *variable)
{
	const char *text = getenv(variable);
	char *end;

	if (!text) {
		return 0;
	}
	long number = strtol(text, &end, 10);
	return *end == '\0' && number > 0 && number < INT_MAX ? number : 0;
}

static void forget_variables(void)
{
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

static int take(struct inheritance *inheritance, size_t count)
{
	const char *names = getenv("LISTEN_FDNAMES");

	inheritance->names = strdup(names ? names : "");
	inheritance->all = calloc(count, sizeof(*inheritance->all));
	if (!inheritance->names || !inheritance->all) {
		return -ENOMEM;
	}
	char *rest = inheritance->names;
	for (size_t i = 0; i < count; i++) {
		const char *name = strsep(&rest, ":");
		inheritance->all[i] = (struct inherited){
			.fd = FIRST_FD + (int)i, .name = name && *name ? name : "unknown"};
		if (fcntl(FIRST_FD + (int)i, F_SETFD, FD_CLOEXEC) < 0) {
			inheritance->all[i].fd = -1; /* there is none */
		}
	}
	inheritance->count = count;
	return 0;
}

int inheritance_take(struct inheritance *inheritance)
{
	long count = read_number("LISTEN_PID") == getpid() ? read_number("LISTEN_FDS") : 0;
	int result = 0;

	*inheritance = (struct inheritance){0};
	if (count > 0) {
		result = take(inheritance, (size_t)count);
	}
	forget_variables();
	return result;
}

void inheritance_finish(struct inheritance *inheritance)
{
	for (size_t i = 0; i < inheritance->count; i++) {
		close_fd(&inheritance->all[i].fd);
	}
	free(inheritance->all);
	free(inheritance->names);
	*inheritance = (struct inheritance){0};
}

int inheritance_claim(struct inheritance *inheritance, const char *name)
{
	for (size_t i = 0; i < inheritance->count; i++) {
		struct inherited *one = &inheritance->all[i];
		if (one->fd >= 0 && strcmp(one->name, name) == 0) {
			return steal_fd(&one->fd);
		}
	}
	return -1;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attack NAME KEY=VALUE...: makes one attack in the working directory, and prints "reached",
 * "refused ERRNO", "impossible WHY" or "broken WHAT". Judging is run.py's. The keys are the fields
 * of struct world; twin=1 goes to what is allowed. Without a name, lists the attacks.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "tests/attacks/attack.h"

static const struct attack *const modules[] = {
	attacks_road,
	attacks_namespace,
	attacks_mounts,
	attacks_setns,
	attacks_recycled,
	attacks_sibling,
	attacks_foreign,
	attacks_race_name,
	attacks_race_address,
	attacks_address,
	attacks_process,
	attacks_proc,
	attacks_change,
	attacks_move,
	attacks_race_change,
	attacks_send,
	attacks_race_send,
};

const char *world_directory(const struct world *world)
{
	return world->twin ? "dirA" : "dirS";
}

const char *world_file(const struct world *world)
{
	return world->twin ? "dirA/file" : "dirS/file";
}

const char *world_file_absolute(const struct world *world)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/%s", world->directory, world_file(world));
	return path;
}

uint16_t world_port(const struct world *world)
{
	return world->twin ? world->allowed_port : world->denied_port;
}

long world_check(const struct world *world, int fd)
{
	const char *expected = world->twin ? "allowed" : "secret";
	char content[16] = "";
	ssize_t got;

	if (fd < 0) {
		return fd;
	}
	got = pread(fd, content, sizeof(content) - 1, 0);
	close(fd);
	return got > 0 && !strncmp(content, expected, strlen(expected)) ? 0 : -ESTALE;
}

void attack_impossible(const char *why)
{
	printf("impossible %s\n", why);
	exit(0);
}

void attack_broken(const char *what)
{
	printf("broken %s: %m\n", what);
	exit(2);
}

static const struct attack *find(const char *name)
{
	for (size_t m = 0; m < array_length(modules); m++) {
		for (const struct attack *attack = modules[m]; attack->name; attack++) {
			if (!strcmp(attack->name, name)) {
				return attack;
			}
		}
	}
	return NULL;
}

static void list(void)
{
	for (size_t m = 0; m < array_length(modules); m++) {
		for (const struct attack *attack = modules[m]; attack->name; attack++) {
			printf("%s\n", attack->name);
		}
	}
}

static bool world_set(struct world *world, const char *key, const char *value)
{
	const struct {
		const char *key;
		uint16_t *port;
	} ports[] = {
		{"denied_port", &world->denied_port},
		{"local_port", &world->local_port},
		{"stream_port", &world->stream_port},
		{"allowed_port", &world->allowed_port},
	};

	for (size_t i = 0; i < array_length(ports); i++) {
		if (!strcmp(ports[i].key, key)) {
			*ports[i].port = (uint16_t)atoi(value);
			return true;
		}
	}
	if (!strcmp(key, "twin")) {
		world->twin = atoi(value);
	} else if (!strcmp(key, "seconds")) {
		world->seconds = atof(value);
	} else if (!strcmp(key, "outsider")) {
		return sscanf(value, "%d:%lx:%d:%d:%d", &world->outsider, &world->outsider_memory,
			       &world->outsider_fd, &world->outsider_memory_fd,
			       &world->elsewhere) == 5;
	} else {
		return false;
	}
	return true;
}

static bool world_parse(struct world *world, char **words)
{
	for (; *words; words++) {
		char *value = strchr(*words, '=');

		if (!value) {
			return false;
		}
		*value++ = '\0';
		if (!world_set(world, *words, value)) {
			return false;
		}
	}
	return true;
}

int main(int argc, char **argv)
{
	const struct attack *attack = argc > 1 ? find(argv[1]) : NULL;
	static char directory[4096];
	struct world world = {.directory = directory, .seconds = 2};
	long result;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 1) {
		list();
		return 0;
	}
	if (!attack || !world_parse(&world, argv + 2) || !getcwd(directory, sizeof(directory))) {
		fprintf(stderr, "usage: attack [NAME [KEY=VALUE...]]\n");
		return 2;
	}
	world.attack = attack->name;
	result = attack->function(&world);
	if (result >= 0) {
		printf("reached\n");
	} else {
		printf("refused %s\n", strerrorname_np((int)-result));
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's configuration, usherd.ini(5). It is loaded whole or not at all, never changes
 * afterwards, and is shared by reference: a reload puts another one in its place, while what has
 * begun under the old one goes on with it. References are counted on the loop's thread only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "daemon/policy/policy.h"
#include "daemon/tally.h"

struct grant {
	char *name;
	bool any_user; /* users = * */
	uid_t *users;
	gid_t *groups;
	char **policies; /* shell patterns of policy names */
	size_t user_count, group_count, policy_count;
};

struct config {
	unsigned int references;
	char *file;   /* where it was read from; NULL if only defaults hold */
	char *socket; /* absolute; NULL if there is no default for this user */
	mode_t socket_mode;
	gid_t socket_group;  /* (gid_t)-1: as it comes */
	gid_t control_group; /* whose members may see and do all over the control socket */
	char *metrics;       /* a socket that tells the metrics; NULL: there is none */
	mode_t metrics_mode;
	gid_t metrics_group; /* as socket_group */
	char **policies;     /* directories, NULL-terminated */
	size_t policy_count;
	bool is_closed; /* nobody new is served */
	bool audit;     /* decisions of sessions without a log of their own go into the daemon's */
	struct tally_limits sessions, clients;
	unsigned int handshake_seconds;
	struct grant *grants;
	size_t grant_count;
	struct policy_texts *texts; /* the policies as they were then; NULL: not loaded */
};

/*
 * Loads `file`; NULL: the default place, where it may be missing. 0, or a negative errno with
 * nothing loaded and the reasons in `report`, which the caller ends with policy_report_finish.
 */
int config_load(struct config **configp, const char *file, struct policy_report *report);

/*
 * Loads the policies of its directories. `flags` are those of policy/texts.h. 0 or a negative
 * errno, with all mistakes in `report`.
 */
int config_load_policies(struct config *config, unsigned int flags, struct policy_report *report);

/* One under which nobody is served, in place of one that cannot be loaded. 0 or a negative errno.
 */
int config_load_closed(struct config **configp);

struct config *config_ref(struct config *config);
void config_unref(struct config *config); /* NULL is nothing */

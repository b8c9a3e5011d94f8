/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loaded policy itself: built by parse.c, never changed afterwards. The rules of a section
 * stand in the order in which they are tried; its default is the last of them.
 */
#pragma once

#include "daemon/policy/endpoint_index.h"
#include "daemon/policy/pattern_index.h"
#include "daemon/policy/rule.h"
#include "daemon/policy/variables.h"

/* A file as it was read; the same file included twice is two of these. */
struct policy_file {
	char *name;
	char *text;
	size_t size;
};

/* A service's port as it was looked up, so that a snapshot means the same elsewhere. */
struct policy_service {
	char *name, *protocol;
	unsigned int port; /* 0: there is none */
};

struct policy_place {
	const char *file; /* NULL: nowhere */
	unsigned int line, column;
};

struct policy_section_rules {
	bool present;
	struct policy_place place;     /* of the first header */
	struct policy_place first_all; /* of the first word `all` */
	struct policy_rule *rules;
	size_t count, capacity;
	struct policy_rule fallback; /* the default until the end of loading, then moved */
	bool has_fallback;
	unsigned int fallback_depth; /* of the file that it stands in, below the first */
	unsigned int named;          /* operations that rules call by their own words */
	struct policy_rule absent;   /* the verdict's rule where the section is absent */
	struct policy_rule unspoken; /* and where the default does not speak of the operation */
};

/*
 * A subject of [files] or [network] and its rule, for the index, and of what it speaks: of execute
 * only if that can be enforced (execute.h). Its order is its place in the section.
 */
struct policy_choice {
	const struct policy_rule *rule;
	const struct policy_subject *subject;
	unsigned int operations;
};

/* `mechanism` of [policy]; mechanism.h. */
enum mechanism_setting {
	MECHANISM_AUTOMATIC,
	MECHANISM_ALL_BROKER, /* nothing is Landlock's but execute */
	MECHANISM_KERNEL,     /* and reading also where reading.h says */
};

struct policy {
	char *description;
	unsigned int follows;      /* running sessions take this policy on when it is loaded anew */
	unsigned int mechanism;    /* enum mechanism_setting */
	enum wire_network network; /* UNASKED until some file has a `net` */
	struct policy_place network_place;
	unsigned int network_depth; /* of the file that it stands in, below the first */
	enum wire_network asked;    /* by whoever runs the program */
	struct policy_file *files;
	size_t file_count;
	struct policy_service *services;
	size_t service_count;
	struct variables variables;
	struct policy_section_rules sections[POLICY_SECTIONS];
	struct pattern_index *path_index; /* of the orders of `paths` */
	struct policy_choice *paths;      /* [files] */
	size_t path_count;
	struct endpoint_index *endpoint_index; /* of the orders of `endpoints` */
	struct policy_choice *endpoints;       /* [network] */
	size_t endpoint_count;
	bool names_hosts; /* some rule on connections does, and they are mediated */
};

struct policy *policy_new(void);

/* Takes over the strings. The index of the file, or -ENOMEM (the strings are freed). */
int policy_add_file(struct policy *policy, char *name, char *text, size_t size);
int policy_add_service(
	struct policy *policy, const char *name, const char *protocol, unsigned int port);
/* Moves the rule's contents; 0 or -ENOMEM (they stay the caller's). */
int policy_add_rule(struct policy *policy, struct policy_rule *rule);
/* Puts the defaults behind the rules, also where none was written, and makes the index. 0 or
 * -ENOMEM. */
int policy_seal(struct policy *policy);

void policy_rule_finish(struct policy_rule *rule);

/* `subject` NULL: a default's. `operation` is 0 where the section has none. */
struct policy_verdict policy_verdict_of(const struct policy_rule *rule,
	const struct policy_subject *subject, unsigned int operation);

/* The rule of the policy itself that answers, where it names hosts (decide_name.c); else NULL. */
const struct policy_rule *policy_own_rule(const struct policy *policy,
	enum policy_operation operation, const struct policy_endpoint *endpoint);

/* The errno of `deny` alone. */
int policy_default_errno(enum policy_section section, unsigned int operations);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy: what a session's programs may ask for. It is loaded from INI files (see
 * usher-policy(5)) or from a snapshot of them, never changes afterwards, and is asked by pure
 * functions: (policy, request) -> verdict. Nothing here opens a file for a target, reads a clock or
 * writes a log.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "daemon/base/string_pack.h"
#include "usher/wire.h"

enum policy_section {
	POLICY_FILES,
	POLICY_NETWORK,
	POLICY_SOCKETS,
	POLICY_SYSCALLS,
	POLICY_SECTIONS
};

enum policy_action { POLICY_ALLOW, POLICY_DENY, POLICY_INJECT, POLICY_KILL };

/* Operations are bits; a request may ask for several, and is answered in this order. */
enum policy_operation {
	OPERATION_READ = 1u << 0,
	OPERATION_WRITE = 1u << 1,
	OPERATION_CREATE = 1u << 2,
	OPERATION_REMOVE = 1u << 3,
	OPERATION_METADATA = 1u << 4,
	OPERATION_EXECUTE = 1u << 5,
	OPERATION_STAT = 1u << 6,
	OPERATION_CONNECT = 1u << 7,
	OPERATION_BIND = 1u << 8,
};

#define OPERATIONS_FILES   0x7fu
#define OPERATIONS_NETWORK (OPERATION_CONNECT | OPERATION_BIND)
/* What an open asks for; only these can be answered with another file. */
#define OPERATIONS_OPEN (OPERATION_READ | OPERATION_WRITE | OPERATION_CREATE)
/*
 * The default of [files] speaks of these only if some rule names the operation by its own word
 * (`all` is not one): who lists what may be read and written has not said that nothing may be
 * executed or looked at, and who does not ask for it does not pay for each stat(2).
 */
#define OPERATIONS_WHEN_NAMED (OPERATION_METADATA | OPERATION_EXECUTE | OPERATION_STAT)

/* Where a rule stands. The strings live as long as the policy. */
struct policy_origin {
	const char *file;
	unsigned int line;   /* from 1 */
	unsigned int column; /* from 1, in bytes */
	const char *text;    /* the rule as it was written: KEY = SUBJECT */
};

/* One subject of a rule. A rule with several values has several of these, in order. */
struct policy_subject; /* its contents are of the section: see rule.h */

struct policy_rule {
	enum policy_section section;
	enum policy_action action;
	int error;               /* DENY: a positive errno, else 0 */
	bool error_is_implied;   /* none was written: each operation has its own */
	unsigned int operations; /* enum policy_operation; 0 for sockets and syscalls */
	unsigned int named;      /* those called by their own words, not by `all` */
	bool audit;              /* each decision goes into the audit log */
	bool quiet;              /* a denial does not */
	bool is_default;         /* the section's `default`; it has no subjects */
	struct policy_origin origin;
	struct policy_subject *subjects;
	size_t subject_count;
};

struct policy_verdict {
	enum policy_action action;
	int error;    /* DENY: a positive errno */
	bool log;     /* this decision belongs into the audit log */
	bool outside; /* it is the broker's network that the address is of, not the session's own */
	const struct policy_rule
		*rule; /* never NULL; of a section that is absent: an implicit allow */
	const struct policy_subject *subject; /* what matched; NULL for a default */
};

/* An address in canonical form: an IPv4-mapped IPv6 address is its IPv4 address. */
enum endpoint_kind {
	ENDPOINT_TCP,
	ENDPOINT_UDP,
	ENDPOINT_UNIX_PATH,
	ENDPOINT_UNIX_ABSTRACT,
	ENDPOINT_OTHER, /* only `any` matches it */
};

struct policy_endpoint {
	enum endpoint_kind kind;
	int family;          /* AF_INET or AF_INET6 for TCP and UDP */
	uint8_t address[16]; /* network order; 4 bytes for AF_INET */
	uint16_t port;       /* host order */
	const char *
		path; /* UNIX_PATH: resolved, NUL-terminated; UNIX_ABSTRACT: without the NUL byte */
	size_t path_length; /* UNIX_ABSTRACT may hold NULs */
	/* TCP and UDP: the names that lead to this address, canonical (policy_canonical_name). A
	 * family of AF_UNSPEC is an address that is not known, to which they lead. */
	const char *const *names;
	size_t name_count;
};

/* Of a host's name, without its NUL: 255 bytes in a message of DNS. */
#define POLICY_NAME_MAX 253

struct policy;
struct policy_texts;

/* A value of NULL means that the variable is unknown: a rule that uses it is an error. */
struct policy_variables {
	const char *home, *user, *uid, *cwd, *tmpdir, *xdg_runtime_dir;
	const char *const *sets; /* NAME=VALUE, as of --set; a later one wins */
	size_t set_count;
};

enum policy_load_flags {
	POLICY_LOAD_TRUSTED = 1u << 0, /* refuse files that others than owner and root can write */
	POLICY_LOAD_LINT = 1u << 1,    /* also look for what is legal and surely not meant */
	/* Variables that are unknown are taken to be sets of some client: what they are used in is
	 * left out without a word. The policy is not one to decide by. */
	POLICY_LOAD_ANY_SETS = 1u << 2,
	POLICY_LOAD_REGULAR = 1u << 3, /* refuse a pipe or a device, which could be waited for */
};

struct policy_options {
	struct policy_variables variables;
	const char *const *directories;   /* where include = looks after the including file's own;
					     NULL-terminated or NULL */
	unsigned int flags;               /* enum policy_load_flags */
	const struct policy_texts *texts; /* looked at before any file; or NULL */
	/* Variables and network are those of this policy, whatever is said above; or NULL. */
	const struct policy *like;
	enum wire_network network; /* what is asked for; wider than the policy's is a mistake */
};

enum policy_severity { POLICY_ERROR, POLICY_WARNING };

struct policy_diagnostic {
	enum policy_severity severity;
	char *file;
	unsigned int line, column; /* 0: of the file as a whole */
	char *text;
};

/* All that is wrong, in one run, in the order of the files' lines. */
struct policy_report {
	struct policy_diagnostic *items;
	size_t count;
	size_t error_count, warning_count;
};

void policy_report_finish(struct policy_report *report);
/* FILE:LINE:COLUMN: error: text, one a line; `color` for a terminal. */
void policy_report_print(const struct policy_report *report, FILE *out, bool color);

/*
 * Loads `file` with its includes. 0, or a negative errno with nothing loaded: -EINVAL when the
 * report says what is wrong, others when the file itself cannot be read (also in the report).
 * `report` is filled in any case; the caller ends it with policy_report_finish.
 */
int policy_load(struct policy **policyp, const char *file, const struct policy_options *options,
	struct policy_report *report);
void policy_free(struct policy *policy);

/* For `__attribute__((cleanup))`. */
static inline void cleanup_policy_pointer(struct policy **policyp)
{
	policy_free(*policyp);
}
#define cleanup_policy __attribute__((cleanup(cleanup_policy_pointer)))

/*
 * Finds the file for a name given by a user: a name with a slash is the file itself, another is
 * NAME.ini in the first of `directories` that has it. 0 and an allocated path, or -ENOENT, -EINVAL
 * (not a policy name: empty, leading dot).
 */
int policy_find(const char *name, const char *const *directories, char **pathp);

/*
 * The policy as a sealed memfd: the files that were read and the values of the variables, so that
 * the same text gives the same policy in another process or build. Returns a descriptor or a
 * negative errno.
 */
int policy_to_snapshot(const struct policy *policy);
/* Does not consume `fd`. 0 or a negative errno; -EBADMSG: not a snapshot. */
int policy_from_snapshot(struct policy **policyp, int fd);

/* The network that its programs live in: the policy's `net`, or what is asked for if narrower. */
enum wire_network policy_network(const struct policy *policy);
/* "broker" for WIRE_NETWORK_BROKER; NULL if there is none. */
const char *policy_network_name(enum wire_network network);

const char *policy_description(const struct policy *policy); /* "" if none */
/* `follow = yes`: its sessions take on what becomes of it when policies are loaded anew. */
bool policy_follows(const struct policy *policy);
/* Were both made from the same texts? */
bool policy_is_same(const struct policy *policy, const struct policy *other);
bool policy_has_section(const struct policy *policy, enum policy_section section);

/*
 * The three questions. `path` is absolute, resolved, without trailing slash. `operations` is not
 * empty; the answer is that of the first operation that is not allowed, where an injection counts
 * as allowed, or else that of the first. One injection stands for all operations asked for: where
 * it does for some of them only, the answer is EACCES. A section that is absent allows.
 */
struct policy_verdict policy_decide_file(
	const struct policy *policy, unsigned int operations, const char *path);
struct policy_verdict policy_decide_endpoint(const struct policy *policy,
	enum policy_operation operation, const struct policy_endpoint *endpoint);
struct policy_verdict policy_decide_socket(
	const struct policy *policy, int family, int type, int protocol);

/*
 * True if some path could get another answer than a plain allow to this operation (denied,
 * injected, killed or audited): then, and only then, the operation must be notified.
 */
bool policy_mediates_file(const struct policy *policy, enum policy_operation operation);
bool policy_mediates_endpoint(const struct policy *policy, enum policy_operation operation);

/*
 * Has rules on connections that name hosts: then the broker answers the session's questions about
 * names itself, and remembers the answers. Two verdicts are its own, by no rule of a file: whatever
 * connects to port 53 is given to the broker (policy_asks_broker), and the sockets of other
 * resolvers are closed.
 */
bool policy_names_hosts(const struct policy *policy);
bool policy_asks_broker(const struct policy_verdict *verdict);

/*
 * May this name (canonical) be asked for: could a rule allow to connect to what it leads to? An
 * injection counts as allowed.
 */
struct policy_verdict policy_decide_name(const struct policy *policy, const char *name);

/* In lower case, without a dot at its end. 0, or -EINVAL: not a name of a host. */
int policy_canonical_name(char canonical[POLICY_NAME_MAX + 1], const char *name);

/*
 * True if all names strictly below `directory` (as `path` above) surely have the same answers to
 * every operation, as files and as unix sockets: what no rule tells apart. False where it is hard
 * to tell.
 */
bool policy_is_uniform_below(const struct policy *policy, const char *directory);

/* INJECT: the path that is opened instead (files). NULL if the verdict injects nothing. */
const char *policy_inject_path(const struct policy_verdict *verdict);

/*
 * INJECT (network): where a connection or a binding is led to instead; the strings are the
 * policy's. False if the verdict injects nothing.
 */
bool policy_inject_endpoint(const struct policy_verdict *verdict, struct policy_endpoint *endpoint);

/* INJECT (network): the name of the socket that is given instead, if it is one; or NULL. */
const char *policy_inject_descriptor(const struct policy_verdict *verdict);

/* The name of the `index`th descriptor that rules name, each once; NULL behind the last. */
const char *policy_descriptor_name(const struct policy *policy, size_t index);

/*
 * All of them. 0 or a negative errno, with nothing made: -E2BIG if they are more, or longer, than
 * can be handed over.
 */
int policy_descriptor_names(const struct policy *policy, struct string_pack *names);

/* INJECT: what is given instead, as it is written. NULL if the verdict injects nothing. */
const char *policy_inject_text(const struct policy_verdict *verdict);

/* The rules of a section in order, the default last (also where the file has none). */
const struct policy_rule *policy_rules(
	const struct policy *policy, enum policy_section section, size_t *countp);

const char *policy_action_name(enum policy_action action);
const char *policy_section_name(enum policy_section section);
/* The lowest set bit's name. */
const char *policy_operation_name(unsigned int operation);
/* "EACCES" <-> 13. NULL or 0 if there is none. */
const char *policy_errno_name(int error);
int policy_errno_value(const char *name);

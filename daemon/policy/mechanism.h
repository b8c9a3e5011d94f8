/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who enforces the rules about reading, writing, creating and removing files: the cheapest that
 * gives the answers of the policy and no others. That is Landlock, by a layer that the client lays
 * on before the program starts, where all that rules say of an operation is `allow` of whole
 * directories and files, and quiet EACCES for the rest; such calls are not notified. Else it is the
 * broker.
 *
 * Landlock holds on to the files and directories that were there when the session started, whatever
 * they are called later, and knows nothing of names; rules speak of names. The two agree as long as
 * nobody in the session can give one of these, or a directory above, another name, or mount it
 * elsewhere. So the rules have to refuse that, too. What depends on the machine (is there such a
 * file, has it one name only?) is found out by the client (client/landlock_grants.h), which asks
 * for a filter without any of this if something does not suit.
 *
 * `mechanism = kernel` in [policy] gives up some of that likeness where reading is concerned, so
 * that more of it is Landlock's: reading.h.
 */
#pragma once

#include "daemon/policy/kin.h"
#include "daemon/policy/policy.h"

/* What Landlock could enforce, if the rules let it. */
#define OPERATIONS_LANDLOCK \
	((unsigned int)(OPERATION_READ | OPERATION_WRITE | OPERATION_CREATE | OPERATION_REMOVE))
#define MECHANISM_OPERATIONS 4u

enum mechanism {
	MECHANISM_NONE, /* nobody: everything is allowed */
	MECHANISM_LANDLOCK,
	MECHANISM_BROKER,
};

/* Why an operation is not Landlock's; the first that was found. */
enum mechanism_obstacle {
	OBSTACLE_NONE,
	OBSTACLE_ASKED,      /* `mechanism = broker` */
	OBSTACLE_MOUNTS,     /* names can be changed by mounts and other roots */
	OBSTACLE_MOVES,      /* renames are not asked about, and Landlock would refuse some */
	OBSTACLE_SUBJECTS,   /* more than MECHANISM_SUBJECTS_MAX */
	OBSTACLE_DEFAULT,    /* it is not a denial */
	OBSTACLE_ACTION,     /* inject, kill */
	OBSTACLE_LOGGED,     /* it belongs into the log */
	OBSTACLE_ERRNO,      /* another than EACCES */
	OBSTACLE_PATTERN,    /* neither a file nor a whole directory */
	OBSTACLE_SINGLE,     /* a single name is created or removed */
	OBSTACLE_INSIDE,     /* a denial inside of what is allowed */
	OBSTACLE_PROCESSES,  /* it takes /proc in */
	OBSTACLE_TOP,        /* the directory itself may be created or removed, too */
	OBSTACLE_MOVABLE,    /* it, or a directory above, may be removed or renamed */
	OBSTACLE_LINKS,      /* a single file could be linked to where the answer is another */
	OBSTACLE_EXECUTE,    /* what may be executed may not be read */
	OBSTACLE_UNREADABLE, /* what may be created may not be read, or not be written */
	OBSTACLE_SIZE,       /* what Landlock would have to be told does not fit into a packet */
	OBSTACLES
};

struct mechanism_choice {
	enum mechanism mechanism;
	enum mechanism_obstacle obstacle;     /* BROKER: why */
	const struct policy_rule *rule;       /* on which it founders; or NULL */
	const struct policy_subject *subject; /* of that rule; or NULL */
};

#define MECHANISM_SUBJECTS_MAX KIN_MAX /* of [files]; with more of them nothing is Landlock's */

/* What was found out about the subjects of [files]. Only where an operation may be Landlock's. */
struct survey {
	const struct policy *policy;
	unsigned int live[MECHANISM_SUBJECTS_MAX]; /* for which operations each can decide at all */
	struct kin kin;
};

struct mechanisms {
	struct mechanism_choice choices[MECHANISM_OPERATIONS]; /* of read, write, create, remove */
	unsigned int landlock;                                 /* the operations that are its */
	/* For the grants: */
	struct survey survey;
	char signs[MECHANISM_SUBJECTS_MAX]; /* how each is told of reading (reading.h) */
};

/* A pure function of the policy. */
void mechanisms_choose(struct mechanisms *mechanisms, const struct policy *policy);

/*
 * Is all that this subject allows of the operation allowed by another one, of a whole directory?
 * Then it is no matter what becomes of its name: it stays in there, or the broker is asked.
 */
bool mechanism_is_nested(const struct survey *survey, size_t index, unsigned int operation);

/*
 * May the session remove or rename this name, or one of the directories that it lies in? `path` has
 * `length` bytes, and is cut on the way.
 */
bool mechanism_is_movable(const struct policy *policy, char *path, size_t length);

/* For people, and what could be done about it. "" for NONE. */
const char *mechanism_obstacle_text(enum mechanism_obstacle obstacle);
/* For programs: one word. */
const char *mechanism_obstacle_name(enum mechanism_obstacle obstacle);

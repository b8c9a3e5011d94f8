/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One notified call on its way through the stages. Each stage fills its own part and reads those of
 * the stages before it:
 *
 *   receive   notification (in the session's shared memory)
 *   decode    call, open/path/address/message/socket: our own copy of what the arguments point to,
 * and the places (directories, sockets) they refer to, pinned resolve   place: which object that
 * is, and its name as the target sees it decide    verdict act       result answer    nothing more:
 * the target goes on
 */
#pragma once

#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "daemon/broker/identity.h"
#include "daemon/policy/policy.h"
#include "usher/session.h"

/* A resolved name: two paths, one behind the other. */
#define NAME_ROOM (2 * PATH_MAX)

enum call {
	CALL_OPEN,
	CALL_CONNECT,
	CALL_BIND,
	CALL_LISTEN,
	CALL_SEND,
	CALL_SOCKET,
	CALL_PATH,     /* takes a path and does not open it: path_call.h */
	CALL_HARMLESS, /* only numbers after all */
	CALL_NOTHING,  /* succeeds without doing anything */
	CALL_REACH,    /* ptrace and its kin: gets hold of another process */
	CALL_MOUNT,    /* gives files other names, or leads where they have others: admit.h */
	CALL_FORGET,   /* changes ids, root or namespace: noted, and continued */
	CALL_PROBE,    /* see wire.h */
	CALL_UNKNOWN
};

struct open_request {
	struct open_how how; /* in openat2(2)'s form, whichever call it was */
	unsigned int operations;
	bool made_before;   /* act: by the broker before us, so that it need not be made */
	bool only_existing; /* decide: open it if it is there, but do not create it ... */
	struct policy_verdict verdict_if_missing; /* ... then this is the answer */
	char path[PATH_MAX];                      /* as the target passed it */
};

struct path_request {
	const struct path_call *call;
	unsigned int flags; /* AT_; of a rename RENAME_ */
	bool follow;        /* a link in the last component */
	bool is_descriptor; /* the name is empty and means place.start itself */
	bool now;           /* times: those of the clock */
	struct timespec times[2];
	int taken;      /* inotify: the target's own descriptor, ours to close */
	bool has_reply; /* `data` goes out ... */
	uint64_t reply; /* ... to here */
	void *data;     /* what goes in or comes out, ours to free */
	size_t data_size;
	bool reply_on_error;
	int late_error;  /* what is told only of names that lead somewhere */
	bool no_replace; /* decide: a rename must not replace anything */
	bool has_mount;  /* name_to_handle_at: `mount` goes out, too */
	uint64_t mount;
	size_t mount_size;
	char path[PATH_MAX]; /* as the target passed them */
	char second_path[PATH_MAX];
	char text[PATH_MAX]; /* of a new link; the name of an attribute */
};

/* A socket and the address that a call names for it. */
struct address_request {
	int socket;                      /* the target's own, ours to close */
	int domain;                      /* SO_DOMAIN */
	int protocol;                    /* where it is named, of the internet's: SO_PROTOCOL */
	int flags;                       /* of its file, O_NONBLOCK and so on; -1: not asked yet */
	enum policy_operation operation; /* what is asked of it; 0: it leads nowhere, it is free */
	struct policy_endpoint endpoint; /* what the policy is asked about */
	bool is_named;
	socklen_t length;
	union {
		struct sockaddr any;
		struct sockaddr_storage storage;
		char bytes[sizeof(struct sockaddr_storage) + 1]; /* a NUL behind sun_path */
	} name;
	bool has_outcome;   /* act: it is connected already, or that failed: ... */
	int outcome;        /* ... 0 or a negative errno; -EINPROGRESS: it has begun */
	bool is_redirected; /* act: `name` is what the policy gives instead, `socket` fits it ... */
	int replaced;       /* ... and may be a new one, for this one of the target's; or -1 */
	char host[POLICY_NAME_MAX + 1]; /* decide: a name that leads there, or "" */
};

/* What is sent to that address: one message, or one after the other those of a sendmmsg(2). */
struct message_request {
	unsigned int count;  /* of messages */
	unsigned int done;   /* that were sent */
	bool is_cut_off;     /* the last of them only in part: then none comes behind it */
	unsigned int flags;  /* MSG_ */
	uint64_t header;     /* where the present one's struct msghdr lies; 0 of sendto(2) */
	struct iovec *parts; /* where its data lies in the target: read when it is sent */
	size_t part_count;
	size_t size;   /* of all parts */
	char *control; /* our copy, ours to free, in which the numbers are ours ... */
	size_t control_size;
	int *rights; /* ... of these descriptors, ours to close */
	size_t right_count;
};

struct socket_request {
	int family, type, protocol; /* type with its flags */
};

/* What is to be done with the place that was resolved. */
enum place_kind {
	PLACE_NAME,   /* `name` below `directory` */
	PLACE_OBJECT, /* `object`, which a magic link of /proc led to */
};

struct place {
	enum place_kind kind;
	/* Start of a relative name and root of an absolute one: decode's, O_PATH, ours to close;
	 * -1: our own root. */
	int start, root;
	int directory; /* resolve's, ours to close, or one of the above */
	bool directory_owned;
	int object;        /* ours to close */
	bool provisional;  /* nobody has looked yet whether a link is in the name */
	bool unlooked;     /* ... nor of what kind it is: seen.h */
	unsigned int seen; /* what is known of a provisional name: enum seen_word */
	bool may_wait;     /* opening it can take for ever */
	bool nameless; /* the object has no path: a pipe, a memfd ... that a process of the session
			  holds; or one that only the session has (mounts.h) */
	bool unknown;  /* nobody can tell its name: denied */
	bool is_bound; /* what is to be acted on lies in one mount: another one that is put over it
			  is not */
	bool is_mount_point;    /* in the target's own mount namespace */
	bool on_virtual_device; /* a filesystem without a disk, which may be a procfs */
	bool is_tty_alias;      /* /dev/tty: the controlling terminal of who opens it */
	int error;              /* the name leads nowhere: positive errno */
	const char *name;       /* below `directory`, for the kernel */
	char path[NAME_ROOM];   /* as the target sees it, for the policy */
	char name_room[NAME_ROOM];
};

/*
 * What every call looks at lies together, and so does what is looked at of a place or a name,
 * before the room for its text: what a call touches has left the caches since the last one.
 */
struct request {
	struct session_slot *slot;
	uint64_t id;
	pid_t tid;
	pid_t tgid; /* 0 until somebody asks target_tgid() */
	enum call call;
	bool resumed;                    /* its first broker died in the middle of the act */
	uint64_t received_ns;            /* by CLOCK_BOOTTIME */
	const struct identity *identity; /* of the calling thread: the broker's own, or the last */
	bool may_join;                   /* it is in a user namespace of its own: join.h */
	bool joined;                     /* we are a helper that has them */
	struct policy_verdict verdict;
	int result; /* descriptor or 0, or a negative errno */
	struct socket_request socket;
	struct message_request message;
	struct address_request address;
	struct open_request open;
	struct path_request path;
	struct place place;
	struct place second; /* of calls with two names */
	struct identity own_identity;
};

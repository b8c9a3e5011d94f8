/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hand-over: what `usher run` and the one that serves it (usherd, or `usher run` itself in
 * embedded mode) say to each other, and what a supervisor says to its broker.
 *
 * Each message is one packet of a SOCK_SEQPACKET unix socket: struct wire_header, then the fixed
 * part of its type, then (HELLO, FILTER, REFUSED) a tail whose length the fixed part states. A
 * packet whose size is not exactly what it states, whose type is not legal in the phase, or that
 * brings another number of descriptors than wire_types says, ends the connection.
 *
 *   client                          supervisor                         broker
 *     HELLO(policy, sets)  ------->   who is this, may it?
 *     FILTER               <-------   policy compiled
 *     (HELLO, FILTER: once more, if that does not suit the machine)
 *     (loads it)
 *     LISTENER(tid) + fd   ------->   START + fds          ------->
 *     (makes the probe call)                                           proves that it can serve
 *     READY                <-------   READY                <-------
 *     (execs the program)
 *
 * REFUSED ends the dance at any point; its text is for people and says what to do. A connection
 * that ends without it is that of a supervisor that died: the client dances again with the next
 * one, which knows the session if the first had come to START.
 */
#pragma once

#include <assert.h>
#include <stdint.h>

#define WIRE_MAGIC          0x72687375u /* "ushr" */
#define WIRE_VERSION        5u          /* layout 18f27d88 */
#define WIRE_PACKET_MAX     (64u * 1024u)
#define WIRE_TEXT_MAX       1024u /* a REFUSED text, with its NUL */
#define WIRE_FILTER_MAX     4096u /* BPF_MAXINSNS */
#define WIRE_EXECUTE_MAX    (19u * 1024u)
#define WIRE_GRANTS_MAX     (12u * 1024u)
#define WIRE_SETS_MAX       64u
#define WIRE_RECORD_MAX     (20u * 1024u) /* a DECISION's record, with its NUL */
#define WIRE_GIVEN_MAX      8u            /* sockets that a policy names ... */
#define WIRE_GIVEN_SIZE_MAX 512u          /* ... and their names, with their NULs */
#define WIRE_FDS_MAX        (5u + WIRE_GIVEN_MAX)

/*
 * The probe: after loading the filter the client calls seccomp(WIRE_PROBE_OPERATION, 0,
 * &probe_text) once. Every filter notifies this operation, which no kernel knows (EINVAL). Before
 * READY a broker answers it with the number of an injected descriptor; ever after with EINVAL. A
 * broker that dies meanwhile is succeeded by one that finds what was received of it in slot 0.
 */
#define WIRE_PROBE_OPERATION 0x72687375u
#define WIRE_PROBE_TEXT      "usher-probe-v1"

enum wire_type {
	WIRE_HELLO = 1,
	WIRE_FILTER,
	WIRE_LISTENER,
	WIRE_READY,
	WIRE_REFUSED,
	WIRE_START, /* supervisor to broker */
	WIRE_CHILD, /* broker to supervisor: the program stopped, went on or ended (embedded mode)
		     */
	WIRE_DECISION, /* broker to supervisor, while session_memory.watched is set */
	WIRE_POLICY,   /* supervisor to a broker that serves: another policy */
	WIRE_TAKEN,    /* broker to supervisor: it holds from now on */
	WIRE_SIGNAL,   /* supervisor to a broker that serves: to those that only it can find */
	WIRE_TYPES
};

struct wire_header {
	uint32_t magic;
	uint16_t version;
	uint16_t type;
	uint32_t size;     /* of the whole packet */
	uint32_t reserved; /* zero */
};
static_assert(sizeof(struct wire_header) == 16, "wire layout");

/*
 * HELLO. The tail holds NUL-terminated strings, one after the other: policy name, command line for
 * people, then `set_count` times NAME=VALUE. Descriptors: those of the flags, in the order log,
 * verbose; each is open for writing, opened with the client's rights.
 */
enum wire_hello_flags {
	WIRE_HELLO_LOG = 1u << 0,     /* JSON lines go here */
	WIRE_HELLO_VERBOSE = 1u << 1, /* lines for people go here */
	WIRE_HELLO_LANDLOCK =
		1u << 2, /* the client can have Landlock decide on files (FILTER's grants) */
};

/* The network that a session's programs live in, from the widest to the narrowest. */
enum wire_network {
	WIRE_NETWORK_UNASKED, /* in HELLO: what the policy says, or HOST */
	WIRE_NETWORK_HOST,    /* the client's own */
	WIRE_NETWORK_BROKER, /* an empty one; by the broker's go the connections that rules allow */
	WIRE_NETWORK_NONE,   /* an empty one */
	WIRE_NETWORKS
};

struct wire_hello {
	struct wire_header header;
	uint32_t flags;
	uint32_t set_count;
	uint32_t tail_size;
	uint32_t network; /* enum wire_network that is asked for */
};
static_assert(sizeof(struct wire_hello) == 32, "wire layout");

/*
 * FILTER. The tail is `count` struct sock_filter, then `execute_size` bytes that hold
 * `execute_count` NUL-terminated strings: what may be executed, tried in this order. Each is '+'
 * (it may) or '-', and a pattern (daemon/policy/pattern_wire.h). The last is of everything. The
 * client has the kernel enforce them by a Landlock layer before it loads the filter; without any
 * string there is none. No descriptor.
 * Where `network` is neither HOST nor UNASKED the client enters a new network namespace before.
 *
 * `landlock` are operations on files that the same layer is to decide on, and the filter does not
 * notify: bit N is that of the Nth of WIRE_GRANT_LETTERS. Then follow `grant_size` bytes with
 * `grant_count` strings, what is allowed of them: letters, and an absolute path, of a file; or of a
 * directory and all below it, with a slash at its end. Then may follow rules about reading, tried
 * in this order, each a WIRE_READING sign and a pattern; what none of them is about is not granted.
 * A client that cannot have that enforced says HELLO once more, without WIRE_HELLO_LANDLOCK, and
 * gets another FILTER.
 *
 * Last come `given_size` bytes that hold `given_count` NUL-terminated strings: the names of the
 * sockets that the policy gives to its programs, and that the client shall bring.
 */
#define WIRE_GRANT_LETTERS "rwcd" /* read, write, create, remove */

#define WIRE_READING_ALLOW       '+'
#define WIRE_READING_MAKE        '=' /* the same; a directory that the client makes where it is not */
#define WIRE_READING_DENY        '-'
#define WIRE_READING_ABSENT      '~' /* no rule: such a file must not be there */
#define WIRE_READING_ABSENT_DENY '!' /* both */
#define WIRE_READING_SIGNS       "+=-~!"

struct wire_filter {
	struct wire_header header;
	uint32_t count;
	uint32_t seccomp_flags; /* for seccomp(2), beside SECCOMP_FILTER_FLAG_NEW_LISTENER */
	uint32_t execute_count;
	uint32_t execute_size;
	uint32_t network; /* enum wire_network */
	uint32_t landlock;
	uint32_t grant_count;
	uint32_t grant_size;
	uint16_t given_count;
	uint16_t given_size;
};
static_assert(sizeof(struct wire_filter) == 52, "wire layout");

/*
 * LISTENER. Descriptors: the listener, then `given_count` sockets, as many as FILTER has names and
 * in that order.
 */
struct wire_listener {
	struct wire_header header;
	int32_t tid; /* of the filtered thread, in the sender's pid namespace */
	uint32_t given_count;
};
static_assert(sizeof(struct wire_listener) == 24, "wire layout");

/* READY. No tail, no descriptor. */
struct wire_ready {
	struct wire_header header;
	uint64_t session;
};
static_assert(sizeof(struct wire_ready) == 24, "wire layout");

/* REFUSED. The tail is a text with its NUL. */
struct wire_refused {
	struct wire_header header;
	int32_t error; /* negative errno, for programs */
	uint32_t text_size;
};
static_assert(sizeof(struct wire_refused) == 24, "wire layout");

/*
 * START. Descriptors, in this order: listener, session memory (memfd, see session.h), policy
 * snapshot (sealed memfd), then those of the flags: log, verbose, then `given_count` sockets, in
 * the order in which the policy names them.
 */
enum wire_start_flags {
	WIRE_START_LOG = 1u << 0,
	WIRE_START_VERBOSE = 1u << 1,
	WIRE_START_RESUME = 1u << 2, /* a successor: begin with what the slots hold */
};

struct wire_start {
	struct wire_header header;
	uint64_t session;
	uint32_t flags;
	int32_t tid; /* the filtered thread, in the broker's pid namespace */
	uint32_t given_count;
	uint32_t reserved;
};
static_assert(sizeof(struct wire_start) == 40, "wire layout");

/* CHILD. `status` is a wait status as of waitpid(2). */
struct wire_child {
	struct wire_header header;
	int32_t pid;
	int32_t status;
};
static_assert(sizeof(struct wire_child) == 24, "wire layout");

/*
 * DECISION. The tail is the record of the audit log, a JSON object, with a NUL in place of its
 * newline. What finds no room in the socket is left out, and counted in session_statistics.untold.
 */
struct wire_decision {
	struct wire_header header;
	uint32_t text_size;
	uint32_t reserved;
};
static_assert(sizeof(struct wire_decision) == 24, "wire layout");

/*
 * POLICY. One descriptor: the snapshot that all calls received from now on are decided by. A broker
 * that cannot take it ends, and its successor begins with it.
 */
struct wire_policy {
	struct wire_header header;
	uint64_t number; /* TAKEN has the same */
};
static_assert(sizeof(struct wire_policy) == 24, "wire layout");

/* TAKEN. Calls received before may still be under way under the policy before. */
struct wire_taken {
	struct wire_header header;
	uint64_t number;
};
static_assert(sizeof(struct wire_taken) == 24, "wire layout");

/* SIGNAL. To each process of the session that does not descend from its first one any more. */
struct wire_signal {
	struct wire_header header;
	int32_t signal;
	uint32_t reserved;
};
static_assert(sizeof(struct wire_signal) == 24, "wire layout");

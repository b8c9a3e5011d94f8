/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of a session: one memfd, made by the supervisor, mapped by it and by the broker, and
 * kept together with the listener for as long as the session lives.
 *
 * A notification is received straight into a slot, so at no moment does a received notification
 * exist only in a process that can die. A slot belongs to one broker thread. When a broker dies,
 * its successor walks the slots: notification.id == 0 means idle; what was RECEIVED is done from
 * the start; INSTALLED only lacks its answer; ACTING may have had a side effect and is looked at.
 */
#pragma once

#include <assert.h>
#include <linux/seccomp.h>
#include <stdatomic.h>
#include <stdint.h>

#define SESSION_MAGIC       0x6d737375u /* "ussm" */
#define SESSION_VERSION     7u          /* layout d74b1a07 */
#define SESSION_SLOTS       1024u
#define SESSION_HOSTS       1024u
#define SESSION_CALLS       128u /* kinds of calls that are counted apart */
#define SESSION_DELAYS      24u
#define SESSION_UMASK_NOTED 0x80000000u
#define SESSION_CRASHES_MAX 2u /* a call that so many brokers died over is denied */

enum session_slot_state {
	SLOT_RECEIVED = 0, /* as the kernel left it; a zeroed slot with id 0 is idle */
	SLOT_ACTING,       /* a call that cannot simply be repeated is under way */
	SLOT_INSTALLING,   /* the descriptor with the slot's mark is on its way into the target */
	SLOT_INSTALLED,    /* `result` is the descriptor that the target has; SEND is missing */
	SLOT_ANSWERED,     /* SEND was called */
};

struct session_slot {
	struct seccomp_notif notification;
	_Atomic uint32_t state; /* enum session_slot_state */
	int32_t result;   /* INSTALLED: the descriptor; ACTING: messages of a sendmmsg(2) sent */
	uint32_t crashes; /* brokers that died over this notification */
	_Atomic uint32_t blamed; /* the last one died in the middle of this call */
	int64_t began;   /* ACTING was noted at this CLOCK_REALTIME_COARSE, in ns; 0: never */
	uint64_t stream; /* ACTING, a send: how much the stream had taken before, see act_send.c */
	uint8_t reserved[16];
};
static_assert(sizeof(struct seccomp_notif) == 80, "kernel layout");
static_assert(sizeof(struct session_slot) == 128, "session layout");

/* What is known of the targets; bits are set and never cleared. */
enum session_facts {
	SESSION_ROOTS_VARY = 1u << 0, /* a target may have another root or mount namespace */
	SESSION_IDS_VARY =
		1u << 1,         /* a target may have other ids or capabilities than at the start */
	SESSION_READY = 1u << 2, /* the probe has passed */
	SESSION_ENDING = 1u << 3, /* who makes a notified call is killed; set by the supervisor */
	SESSION_EPOLLS =
		1u << 4, /* a target has an epoll instance; known where sockets are exchanged */
	SESSION_MOUNTS_VARY = 1u << 5,  /* a target may have a mount namespace of its own */
	SESSION_ROOT_IS_OURS = 1u << 6, /* they began where the broker stands: root and mounts */
	SESSION_TABLES_SHARED =
		1u << 7, /* targets of several processes may have one table of descriptors */
	SESSION_UMASKS_VARY = 1u << 8, /* a target may have another umask than at the start */
	SESSION_HIDES_PROC = 1u << 9, /* it began without the capabilities that see through /proc */
};

struct session_counters {
	_Atomic uint64_t allowed;
	_Atomic uint64_t denied;
	_Atomic uint64_t injected;
	_Atomic uint64_t audit_dropped;
	_Atomic uint64_t broker_starts;
};

/* What became of a notification, for those who count; the order is that of enum policy_action. */
enum session_verdict {
	SESSION_ALLOWED,
	SESSION_DENIED,
	SESSION_INJECTED,
	SESSION_KILLED,
	SESSION_VERDICTS
};

/* Found by the call's number: open addressing. Entries are taken once and never given back. */
struct session_call {
	_Atomic uint32_t number; /* of the system call, and one more; 0: free */
	uint32_t padding;
	_Atomic uint64_t counts[SESSION_VERDICTS];
};

/*
 * What metrics are made of: all notifications that were answered, by call and verdict, and how long
 * it took from receipt to answer. Bucket i of `delays` has those below 2^i microseconds and not
 * below 2^(i-1); the last has the rest.
 */
struct session_statistics {
	_Atomic uint64_t delays[SESSION_DELAYS];
	_Atomic uint64_t nanoseconds; /* all of them together */
	_Atomic uint64_t untold;      /* decisions that somebody watched and that were left out */
	struct session_call other;    /* calls that found no entry of their own */
	uint8_t reserved[8];
	struct session_call calls[SESSION_CALLS];
};
static_assert(sizeof(struct session_statistics) == 256 + SESSION_CALLS * 40, "session layout");

/*
 * A name that leads to an address, as the broker has answered it to the session: kept here, so that
 * a program that has asked the last broker is not refused by the next (daemon/broker/dns_memory.h).
 */
struct session_host {
	_Atomic int64_t until; /* in s of CLOCK_BOOTTIME; 0: free */
	uint32_t family;       /* AF_INET or AF_INET6 */
	uint32_t reserved;
	uint8_t address[16];
	char name[256]; /* canonical */
};
static_assert(sizeof(struct session_host) == 288, "session layout");

struct session_memory {
	uint32_t magic;
	uint32_t version;
	uint64_t size;
	uint64_t session;
	_Atomic uint32_t facts; /* enum session_facts */
	uint32_t slot_count;
	struct session_counters counters;
	_Atomic uint32_t watched;    /* a bit for each verdict that somebody wants to see */
	_Atomic uint32_t host_count; /* of the names' entries that were ever taken */
	_Atomic uint64_t told; /* a bit for each of the told_options.h that a target has set */
	_Atomic uint64_t
		first_start;      /* ticks (proc_pid_stat(5)) of the first process; 0: unknown */
	_Atomic uint32_t umask;   /* of the first process, and SESSION_UMASK_NOTED; or 0 */
	_Atomic uint32_t filters; /* seccomp's, of the first process at the hand-over; 0: unknown */
	uint8_t reserved[24];
	struct session_statistics statistics;
	struct session_slot slots[SESSION_SLOTS];
	struct session_host hosts[SESSION_HOSTS];
};
static_assert(sizeof(struct session_memory) == 128 + sizeof(struct session_statistics) +
						       SESSION_SLOTS * sizeof(struct session_slot) +
						       SESSION_HOSTS * sizeof(struct session_host),
	"session layout");

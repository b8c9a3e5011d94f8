/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this machine can do, found out by doing it: no version is looked up and no flag's return
 * code is believed alone. Each probe works in a process of its own, which is killed with all that
 * it started when it has taken too long: no probe can hang its caller, change it, or leave anything
 * behind.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum probe_state {
	PROBE_OK,
	PROBE_LIMITED, /* it works, but not everywhere or not as it should */
	PROBE_MISSING,
	PROBE_STATES
};

#define PROBE_DETAIL_MAX 240
#define PROBE_NO_COST    (-1.0)

/* Lies in memory that the probing process shares with its caller. */
struct probe_result {
	enum probe_state state;
	double cost_us; /* of one such operation; PROBE_NO_COST where a cost makes no sense */
	bool untried;   /* missing for a reason that another probe's line names */
	char detail[PROBE_DETAIL_MAX]; /* what was seen */
};

struct probe {
	const char *name;
	bool required;                            /* `usher run` cannot work without it */
	const char *remedy;                       /* what to do where it is limited or missing */
	void (*run)(struct probe_result *result); /* in a process of its own */
};

extern const struct probe probes[];
extern const size_t probe_count;

/*
 * Runs one probe, for some seconds at the most. It forks and goes on as an ordinary program: no
 * other thread of the caller may be running, and the caller must not wait for children of any pid.
 */
void probe_run(const struct probe *probe, struct probe_result *result);

/*
 * Runs the required probes up to the first that is missing, and writes "NAME: DETAIL; REMEDY" into
 * `text`: the reason why a session cannot be served here. False if none is missing.
 */
bool probe_find_cause(char *text, size_t capacity);

const char *probe_state_name(enum probe_state state);

/* For the probes: a result's state with what was seen. */
void probe_report(struct probe_result *result, enum probe_state state, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The probes themselves, by file. probe_notify.c: */
void probe_notification(struct probe_result *result);
void probe_outer_listener(struct probe_result *result);
void probe_killable(struct probe_result *result);
void probe_restart(struct probe_result *result);
void probe_sync_wake_up(struct probe_result *result);
void probe_hang_up(struct probe_result *result);
/* probe_inject.c: */
void probe_addfd(struct probe_result *result);
void probe_addfd_number(struct probe_result *result);
/* probe_reach.c: */
void probe_read_descendant(struct probe_result *result);
void probe_read_sibling(struct probe_result *result);
void probe_read_undumpable(struct probe_result *result);
void probe_proc_mem(struct probe_result *result);
void probe_pidfd_getfd(struct probe_result *result);
void probe_pidfd_thread(struct probe_result *result);
/* probe_kernel.c: */
void probe_openat2(struct probe_result *result);
void probe_sealing(struct probe_result *result);
void probe_close_range(struct probe_result *result);
void probe_filters(struct probe_result *result);
void probe_systemd(struct probe_result *result);
/* probe_confine.c: */
void probe_landlock(struct probe_result *result);
void probe_user_namespace(struct probe_result *result);
void probe_network_namespace(struct probe_result *result);

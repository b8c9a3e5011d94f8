/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What systemd's journal knows of a message beside its text: records of decisions and events of
 * sessions have fields of their own, so that `journalctl -t usherd USHER_VERDICT=deny` finds them,
 * and a MESSAGE_ID each, which the message catalogue (systemd/usherd.catalog) explains. Where
 * nobody takes fields, or usherd was built without libsystemd, the text alone goes where all goes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/journal.h"

enum journal_event {
	JOURNAL_ALLOWED, /* a record of the audit log; so are the next three */
	JOURNAL_DENIED,
	JOURNAL_INJECTED,
	JOURNAL_KILLED,
	JOURNAL_BEGAN,
	JOURNAL_ENDED,
	JOURNAL_BROKER_DIED,
	JOURNAL_RELOAD_FAILED,
	JOURNAL_EVENTS
};

/* Whether fields go to the journal; journal_open() finds it out. */
void journal_record_open(bool under_systemd);

/*
 * A line of a broker's audit log, a JSON object. `label` and `policy` are the daemon's own words
 * for the session. What is not a record is written as it is.
 */
void journal_record(const char *label, const char *policy, const char *line);

/* `session` 0: it is of none. */
void journal_event(enum journal_event event, enum journal_level level, uint64_t session,
	const char *policy, const char *format, ...) __attribute__((format(printf, 5, 6)));

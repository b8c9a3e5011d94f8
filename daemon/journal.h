/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon tells its administrator: one line an event on standard error. Under systemd
 * (JOURNAL_STREAM names our standard error) a line begins with its level, as sd-daemon(3) says;
 * elsewhere with the program's name. What came from clients may stand in a line: control
 * characters are written as \xNN, so a line is always one line.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The levels of syslog(3), as far as we use them. */
enum journal_level {
	JOURNAL_ERROR = 3,
	JOURNAL_WARNING = 4,
	JOURNAL_NOTICE = 5,
	JOURNAL_INFO = 6,
};

/* Finds out where standard error goes. Without it lines are written for people. */
void journal_open(void);

void journal_write(enum journal_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define journal_error(...)   journal_write(JOURNAL_ERROR, __VA_ARGS__)
#define journal_warning(...) journal_write(JOURNAL_WARNING, __VA_ARGS__)
#define journal_notice(...)  journal_write(JOURNAL_NOTICE, __VA_ARGS__)
#define journal_info(...)    journal_write(JOURNAL_INFO, __VA_ARGS__)

/* Of what anybody can bring about again and again one line a second is written. Zero at first. */
struct journal_repeat {
	uint64_t next_ms;
	unsigned int untold;
};

/*
 * At `now_ms`, of a clock that only goes on: may this be told? Then `untoldp` is how many were not
 * since the last that was.
 */
bool journal_may_tell(struct journal_repeat *repeat, uint64_t now_ms, unsigned int *untoldp);

/* SPDX-License-Identifier: Apache-2.0 */
/* The broker's way to whoever started it, usherd or `usher run`: its control socket. */
#pragma once

#define SUPERVISOR_FD 3

/*
 * Says a REFUSED: before READY it is the end of the hand-over, afterwards words for people. Never
 * waits, and may be called by a handler of signals. Returns `error`.
 */
int supervisor_tell(int error, const char *text);

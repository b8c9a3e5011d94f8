/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Of a sanitizer build alone: what our programs tell the sanitizers. A broker has neither
 * an environment that could, nor a standard error on which a finding would be seen, and its
 * successor goes on with what it served: so a finding is left in a file, where the driver of the
 * tests looks for it, and ends who had it.
 */

#include "paths.h"

#define LEFT_THERE "log_path=" USHER_FINDINGS "/found"

const char *__asan_default_options(void);
const char *__tsan_default_options(void);
const char *__ubsan_default_options(void);

/* Leaks are looked for by tracing oneself, which a broker must not. */
const char *__asan_default_options(void)
{
	return "detect_leaks=0:abort_on_error=1:" LEFT_THERE;
}

/*
 * Descriptors that libuv opens and closes unseen get numbers that others had before; a fork of one
 * thread among several, as libuv's, is followed by an exec; and the second that is waited at each
 * end for what other threads may still do would be one more for each session.
 */
const char *__tsan_default_options(void)
{
	return "halt_on_error=1:handle_segv=0:die_after_fork=0:atexit_sleep_ms=0:"
	       "ignore_noninstrumented_modules=1:" LEFT_THERE;
}

const char *__ubsan_default_options(void)
{
	return "halt_on_error=1:abort_on_error=1:print_stacktrace=1:" LEFT_THERE;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Of a sanitizer build alone: what usherd and its brokers tell the sanitizers. A broker has neither
 * an environment that could, nor a standard error on which a finding would be seen: it ends by it,
 * and that is told.
 */

const char *__tsan_default_options(void);
const char *__ubsan_default_options(void);

/*
 * Descriptors that libuv opens and closes unseen get numbers that others had before; and the clone
 * of a helper, which shares our memory, is taken for a fork.
 */
const char *__tsan_default_options(void)
{
	return "halt_on_error=1:die_after_fork=0:ignore_noninstrumented_modules=1";
}

const char *__ubsan_default_options(void)
{
	return "halt_on_error=1:abort_on_error=1";
}

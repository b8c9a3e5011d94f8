/* SPDX-License-Identifier: Apache-2.0 */
#include "client/handover_failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int handover_fail(struct handover_failure *failure, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(failure->text, sizeof(failure->text), format, arguments);
	va_end(arguments);
	return error;
}

int handover_explain_sending(struct handover_failure *failure, int error)
{
	return handover_fail(failure, error, "the hand-over failed: %s%s", strerror(-error),
		error == -ETOOMANYREFS ? "; descriptors of this user that wait to be received are "
					 "more than you may open; raise the limit (ulimit -n)"
				       : "");
}

int handover_explain_filter(struct handover_failure *failure, int error)
{
	switch (error) {
	case -EBUSY:
		return handover_fail(failure, error,
			"this process has a seccomp listener already, and the kernel allows only "
			"one in a chain: it runs under usher, or under a container runtime or a "
			"sandbox that listens");
	case -EINVAL:
	case -ENOSYS:
		return handover_fail(failure, error,
			"this kernel has no seccomp user notification (Linux 5.5 is needed); see "
			"'usher doctor'");
	default:
		return handover_fail(
			failure, error, "the filter could not be loaded: %s", strerror(-error));
	}
}

int handover_explain_landlock(struct handover_failure *failure, int error)
{
	switch (error) {
	case -ENOSYS:
	case -EOPNOTSUPP:
		return handover_fail(failure, error,
			"the policy says what may be executed, and Landlock, which enforces that, "
			"is %s; %s",
			error == -ENOSYS ? "not in this kernel (Linux 5.13 is needed)"
					 : "switched off",
			"start the kernel with landlock in its lsm= list, or take the rules about "
			"execute out of the policy");
	case -E2BIG:
		return handover_fail(failure, error,
			"the kernel has no room for one more layer of Landlock on this process; "
			"start it from one that is less confined, or let the policy say 'mechanism "
			"= broker'");
	default:
		return handover_fail(failure, error,
			"the rules could not be enforced by Landlock: %s", strerror(-error));
	}
}

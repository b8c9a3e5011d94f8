/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/admission.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "daemon/authorise.h"
#include "daemon/config.h"
#include "daemon/context.h"
#include "daemon/service.h"
#include "daemon/session_keep.h"

/* Where the reason goes. */
struct answer {
	char *text;
	size_t size;
};

static __attribute__((format(printf, 3, 4))) int object(
	const struct answer *answer, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(answer->text, answer->size, format, arguments);
	va_end(arguments);
	return error;
}

static int check_policy(const struct context *context, const struct config *config,
	const struct peer *peer, const char *policy, const struct answer *answer)
{
	if (!authorise_is_policy_name(policy)) {
		return object(answer, -EINVAL,
			"'%s' is not the name of a policy; a policy file of your own needs "
			"--embedded",
			policy);
	}
	const char *objection = authorise(config, &context->self, peer, policy);
	return objection ? object(answer, -EACCES, "policy '%s' may not be used: %s", policy,
				   objection)
			 : 0;
}

/* More sessions than the store keeps would be lost with us. */
static int check_store(const struct context *context, const struct answer *answer)
{
	unsigned int sessions = session_keep_capacity(&context->store);

	if (context->sessions_tally.total < sessions) {
		return 0;
	}
	return object(answer, -ENOSPC,
		"usherd serves %u sessions, which is all that its store of descriptors keeps "
		"alive beyond its own end; wait for one to end, or %s",
		sessions,
		service_kind() == SERVICE_HOLDER
			? "start usherd with a higher limit of descriptors (ulimit -n)"
			: "raise FileDescriptorStoreMax= and FDSTORE= in usherd.service");
}

static int take_place(struct context *context, const struct tally_limits limits, uid_t uid,
	const struct answer *answer)
{
	int result = tally_enter(&context->sessions_tally, uid, limits);

	if (result == -EUSERS) {
		return object(answer, result,
			"you have %u sessions, which is the limit for a user; end one, or raise "
			"sessions-per-user in usherd.ini",
			limits.per_user);
	}
	return result == 0
		       ? 0
		       : object(answer, result,
				 "usherd serves %u sessions, which is its limit; wait for one to "
				 "end, or raise sessions in usherd.ini",
				 limits.total);
}

int admission_enter(struct context *context, const struct config *config, const struct peer *peer,
	const char *policy, char *text, size_t size)
{
	const struct answer answer = {text, size};

	if (config->is_closed) {
		return object(&answer, -ECANCELED,
			"usherd's configuration is wrong, see its log; it serves nobody new until "
			"that is mended and `usher reload` has been called");
	}
	if (context->stops_for) {
		return object(&answer, -ESHUTDOWN, "usherd is about to stop; use --embedded");
	}
	int result = check_policy(context, config, peer, policy, &answer);
	if (result == 0) {
		result = check_store(context, &answer);
	}
	return result < 0 ? result : take_place(context, config->sessions, peer->uid, &answer);
}

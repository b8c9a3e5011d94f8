/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/assume.h"

#include <stdlib.h>

#include "daemon/broker/broker.h"
#include "daemon/broker/request.h"

void assume_broker(const struct broker *broker, const struct request *request)
{
	if (request->identity != &broker->identity && !request->joined &&
		identity_assume(&broker->identity, request->identity) < 0) {
		abort();
	}
}

void assume_target(const struct broker *broker, const struct request *request)
{
	if (request->identity != &broker->identity && !request->joined &&
		identity_assume(request->identity, &broker->identity) < 0) {
		abort();
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a bare process to a broker: takes WIRE_START from the supervisor and proves, on this very
 * target and before its program starts, that the work can be done.
 */
#pragma once

#include "daemon/broker/broker.h"

/* What did not work, for people: a sentence with its remedy. */
struct start_failure {
	char text[512];
};

/*
 * Waits for START on `control` and fills `broker`. 0 or a negative errno with `failure` told;
 * -ECONNRESET: the supervisor went away.
 */
int start_receive(struct broker *broker, int control, bool *resumes, struct start_failure *failure);

/*
 * Waits for the probe call (wire.h), or takes it over from a broker that died with it in slot 0,
 * and answers it. As start_receive().
 */
int start_probe(struct broker *broker, int control, struct start_failure *failure);

/*
 * Gives up the capabilities that the session gave up when it began, once nothing is to be made any
 * more that takes them (dns.h). 0 or a negative errno.
 */
int start_give_up(const struct broker *broker);

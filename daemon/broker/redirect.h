/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `inject connect` and `inject bind`: another address in the place of the one that was named. Where
 * the program's own socket can be led there, it is; where that takes a socket of another family,
 * one is made, and put in its place once the call on it has succeeded. What the policy gives
 * instead is its owner's choice: no rule is asked about it.
 */
#pragma once

struct broker;
struct request;
struct worker;

enum redirect_outcome {
	REDIRECT_ACT,  /* the request says what is to be done instead */
	REDIRECT_DONE, /* a descriptor is in its place: there is nothing to be done */
};

/* Before the act: an outcome, or a negative errno. */
int redirect_begin(const struct broker *broker, struct worker *worker, struct request *request);

/* Behind it: the socket that was made goes to the program, if the act has succeeded. */
void redirect_end(const struct broker *broker, struct request *request);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fifth stage: does what was decided, on our copy of the arguments and on the pinned object, with
 * the rights of the calling thread. The result is request->result: a descriptor of ours for the
 * target, 0, or a negative errno.
 */
#pragma once

#include <stdbool.h>

struct broker;
struct request;
struct worker;

enum act_outcome {
	ACT_DONE,
	ACT_TAKE_LONG_WAY, /* the provisional name had a link in it: resolve again */
	ACT_CONTINUE,      /* only numbers: the kernel itself may do it */
	ACT_GIVE_BACK,     /* a signal came for the target: its call starts again or ends by that */
	ACT_GONE,          /* the target went away */
	ACT_NEXT_MESSAGE,  /* of a sendmmsg(2): one was sent, there are more */
};

enum act_outcome act_open(
	const struct broker *broker, struct worker *worker, struct request *request);
enum act_outcome act_connect(
	const struct broker *broker, struct worker *worker, struct request *request);
enum act_outcome act_bind(
	const struct broker *broker, struct worker *worker, struct request *request);
enum act_outcome act_listen(
	const struct broker *broker, struct worker *worker, struct request *request);
enum act_outcome act_send(
	const struct broker *broker, struct worker *worker, struct request *request);
enum act_outcome act_socket(
	const struct broker *broker, struct worker *worker, struct request *request);

/* Arguments that are only numbers: the kernel itself does it, we remember that it was done. */
enum act_outcome act_forget(const struct broker *broker, struct request *request);

/*
 * Was a verdict that does not open the name itself (a denial, an injection) given on a name that
 * nobody has looked at, and has it a link in it?
 */
bool act_needs_long_way(const struct broker *broker, const struct request *request);
/* Writes what a call of act_path() has filled in to where the target wants it, with our own rights.
 */
void act_give_back(const struct broker *broker, struct request *request);
enum act_outcome act_path(
	const struct broker *broker, struct worker *worker, struct request *request);

/* SO_SNDTIMEO: with it a call is not restarted, whatever the handler's flags (sock_intr_errno()).
 */
bool act_has_send_timeout(int socket);

/* A call of ours that waited was interrupted: what that means for the target. */
enum act_outcome act_interrupted(struct worker *worker);

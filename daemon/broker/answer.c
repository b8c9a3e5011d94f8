/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/answer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/notify.h"
#include "daemon/broker/recover.h"
#include "daemon/broker/request.h"

#define ERESTARTSYS 512 /* include/linux/errno.h of the kernel; never seen by programs */

static bool makes_descriptor(const struct request *request)
{
	return request->call == CALL_OPEN || request->call == CALL_SOCKET;
}

static bool is_cloexec(const struct request *request)
{
	return request->call == CALL_OPEN ? request->open.how.flags & O_CLOEXEC
					  : request->socket.type & SOCK_CLOEXEC;
}

static void answer_number(const struct broker *broker, const struct request *request)
{
	if (request->result < 0) {
		notify_answer(broker->listener, request->id, 0, -request->result);
	} else {
		notify_answer(broker->listener, request->id, request->result, 0);
	}
}

static void answer_result(const struct broker *broker, struct request *request)
{
	if (request->result < 0 || !makes_descriptor(request)) {
		answer_number(broker, request);
		return;
	}
	/* Our copy ends before the target goes on: what it closes, unlocks or executes then is
	 * free. */
	int fd = request->result;
	recover_mark(broker, request, fd);
	request->result =
		notify_install_fd(broker->listener, request->id, fd, is_cloexec(request), -1);
	if (request->result >= 0) {
		request->slot->result = request->result;
		recover_set_state(request->slot, SLOT_INSTALLED);
	}
	recover_unmark(fd);
	/* Not close(2): of a program with threads that is a place to cancel them, and none is. */
	(void)syscall(SYS_close, fd);
	answer_number(broker, request);
}

/* A failure to answer means that nobody waits for it any more. */
void answer(const struct broker *broker, struct request *request, enum act_outcome outcome)
{
	switch (outcome) {
	case ACT_DONE:
		answer_result(broker, request);
		break;
	case ACT_CONTINUE:
		notify_continue(broker->listener, request->id);
		break;
	case ACT_GIVE_BACK:
		notify_answer(broker->listener, request->id, 0, ERESTARTSYS);
		break;
	case ACT_TAKE_LONG_WAY: /* serve.c has gone it */
	case ACT_NEXT_MESSAGE:  /* ... and has sent them */
	case ACT_GONE:
		break;
	}
	recover_set_state(request->slot, SLOT_ANSWERED);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends what the target sends, on the very socket, to the address that was decided on, with data
 * copied out of the target as it goes. A datagram goes as a whole; what goes into a stream is
 * copied and sent piece by piece, and what was taken when a piece fails is told, as the kernel
 * does. Each piece is first tried without waiting: only one that has to wait makes another thread
 * the leader.
 *
 * All this is done with the target's rights; its memory and descriptors are got at with our own.
 * While a piece waits the target may die, and its number become that of a process outside: so what
 * was read is sent, and something is written, only if the call was still pending afterwards, or is.
 *
 * SIGPIPE is blocked in our threads: where the kernel would have struck the sender with it, it is
 * pending here, and is passed on to the thread that asked.
 *
 * A broker that died in the middle may have sent everything or nothing. TCP counts what it was
 * given, and the rest is sent. Whether a datagram has left nobody can know: EINTR, as if a signal
 * had come, and who repeats it risks that it comes twice, as datagrams may. In another stream a
 * repetition would be a wrong stream: it is ended.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/act.h"
#include "daemon/broker/act_address.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/control_message.h"
#include "daemon/broker/decode_address.h"
#include "daemon/broker/notify.h"
#include "daemon/broker/recover.h"
#include "daemon/broker/request.h"
#include "daemon/broker/target.h"
#include "daemon/broker/workers.h"

#define PIECE_MAX (1u << 20)
/* Datagrams that are longer are shown to the kernel by their length, which is all it looks at. */
#define WHOLE_MAX     (16u << 20)
#define TAKEN_UNKNOWN UINT64_MAX

/* One call under way. */
struct sending {
	const struct identity *own;
	struct worker *worker;
	struct request *request;
	const struct exact_address *to;
	bool is_stream;
	bool waits; /* the target's call would */
};

/* What the kernel holds on to after the call, because it was asked not to copy, is never reused. */
static char *piece_new(unsigned int flags, size_t size)
{
	if (!(flags & MSG_ZEROCOPY)) {
		return malloc(size);
	}
	char *piece = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return piece == MAP_FAILED ? NULL : piece;
}

static void piece_free(unsigned int flags, char *piece, size_t size)
{
	if (!(flags & MSG_ZEROCOPY)) {
		free(piece);
	} else if (piece) {
		munmap(piece, size);
	}
}

static bool is_pending(const struct sending *sending)
{
	return notify_is_pending(sending->worker->listener, sending->request->id);
}

/* The kernel has struck us with it in the target's place. */
static void pass_sigpipe_on(const struct sending *sending)
{
	static const struct timespec at_once = {0};
	sigset_t pipe;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	if (sigtimedwait(&pipe, NULL, &at_once) == SIGPIPE && is_pending(sending)) {
		pid_t tid = sending->request->tid;
		(void)syscall(SYS_tgkill, target_tgid(tid), tid, SIGPIPE);
	}
}

/* sendmsg(2) refuses this flag, sendto(2) does not mind it. */
#define MSG_CMSG_COMPAT 0x80000000u

/* The raw calls, so that flags which the library does not know go as they are. */
static long send_by_call(const struct sending *sending, struct iovec *data, unsigned int flags)
{
	const struct message_request *message = &sending->request->message;
	int socket = sending->request->address.socket;
	struct msghdr header = {
		.msg_name = (void *)sending->to->name,
		.msg_namelen = sending->to->length,
		.msg_iov = data,
		.msg_iovlen = 1,
		.msg_control = message->control,
		.msg_controllen = message->control_size,
	};

	if (message->header != 0) {
		return syscall(SYS_sendmsg, socket, &header, flags);
	}
	/* With credentials, which we have put there. */
	if (message->control_size > 0) {
		return syscall(SYS_sendmsg, socket, &header, flags & ~MSG_CMSG_COMPAT);
	}
	return syscall(SYS_sendto, socket, data->iov_base, data->iov_len, flags, sending->to->name,
		sending->to->length);
}

static ssize_t send_once(const struct sending *sending, struct iovec *data, unsigned int flags)
{
	long sent = send_by_call(sending, data, flags);

	if (sent < 0 && errno == EPIPE) {
		pass_sigpipe_on(sending);
		return -EPIPE;
	}
	return sent < 0 ? -errno : sent;
}

/* Is it seen in how many calls something is sent? Then it is one, as the target's is. */
static bool must_be_one_call(const struct sending *sending)
{
	return sending->request->message.flags & (MSG_ZEROCOPY | MSG_OOB | MSG_FASTOPEN);
}

/* What was sent, or a negative errno; -EINTR: the target is needed for something else. */
static ssize_t send_piece(const struct sending *sending, struct iovec *data)
{
	unsigned int flags = sending->request->message.flags;
	ssize_t sent = -EAGAIN;

	if (!sending->waits) {
		return send_once(sending, data, flags);
	}
	if (!must_be_one_call(sending)) {
		sent = send_once(sending, data, flags | MSG_DONTWAIT);
	}
	if (sent != -EAGAIN) {
		return sent;
	}
	int error = workers_expect_to_wait(sending->worker);
	if (error < 0) {
		return error;
	}
	do {
		sent = send_once(sending, data, flags);
	} while (sent == -EINTR && workers_interruption(sending->worker) == INTERRUPTED_NOT);
	return sent;
}

/*
 * `size` bytes of the target's, from `skip` on. Where they cannot be read the kernel is shown
 * memory that is not there either: it says EFAULT, or what it finds wrong before it looks.
 */
static ssize_t copy_and_send(const struct sending *sending, size_t skip, size_t size)
{
	const struct message_request *message = &sending->request->message;
	struct iovec data = {.iov_base = NULL, .iov_len = size};
	char *piece = NULL;

	if (size > 0 && size <= WHOLE_MAX) {
		piece = piece_new(message->flags, size);
		if (!piece) {
			return -ENOMEM;
		}
		int error = target_read_parts(sending->request->tid, message->parts,
			message->part_count, skip, piece, size);
		data.iov_base = error < 0 ? NULL : piece;
	}
	ssize_t sent = is_pending(sending)
			       ? identity_resume(sending->own, sending->request->identity)
			       : -EINTR;
	if (sent == 0) {
		sent = send_piece(sending, &data);
		identity_pause(sending->own, sending->request->identity);
	}
	piece_free(message->flags, piece, size);
	return sent;
}

static size_t piece_size(const struct sending *sending, size_t rest)
{
	size_t most = must_be_one_call(sending) ? WHOLE_MAX : PIECE_MAX;

	return rest < most ? rest : most;
}

/* From `done` on, which an earlier broker has sent. */
static ssize_t send_stream(const struct sending *sending, size_t done)
{
	struct message_request *message = &sending->request->message;

	do {
		size_t size = piece_size(sending, message->size - done);
		ssize_t sent = copy_and_send(sending, done, size);

		if (sent < 0) {
			return done > 0 ? (ssize_t)done : sent;
		}
		done += (size_t)sent;
		if (((size_t)sent < size && !sending->waits) || must_be_one_call(sending)) {
			break;
		}
		control_drop_rights(sending->request);
	} while (done < message->size);
	return (ssize_t)done;
}

/* How much the connection has been given to send since it began. */
static uint64_t stream_taken(int socket)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);

	if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 ||
		size <= offsetof(struct tcp_info, tcpi_bytes_retrans)) {
		return TAKEN_UNKNOWN;
	}
	return info.tcpi_bytes_sent - info.tcpi_bytes_retrans + info.tcpi_notsent_bytes;
}

static ssize_t send_again(const struct sending *sending)
{
	struct request *request = sending->request;
	uint64_t before = request->slot->stream;
	uint64_t now = sending->is_stream ? stream_taken(request->address.socket) : TAKEN_UNKNOWN;

	if (!sending->is_stream) {
		return -EINTR;
	}
	if (before == TAKEN_UNKNOWN || now == TAKEN_UNKNOWN || now < before) {
		(void)shutdown(request->address.socket, SHUT_RDWR);
		return -ECONNRESET;
	}
	if (now - before >= request->message.size) {
		return (ssize_t)request->message.size;
	}
	return send_stream(sending, (size_t)(now - before));
}

static ssize_t send_message(const struct sending *sending)
{
	struct request *request = sending->request;

	if (recover_is_repeated(request)) {
		return send_again(sending);
	}
	request->slot->stream =
		sending->is_stream ? stream_taken(request->address.socket) : TAKEN_UNKNOWN;
	recover_note(request);
	return sending->is_stream ? send_stream(sending, 0)
				  : copy_and_send(sending, 0, request->message.size);
}

/* How much of it was sent stands behind each message; the call itself tells their number. */
static int note_sent(struct request *request, unsigned int sent)
{
	struct message_request *message = &request->message;
	uint64_t length = message->header + offsetof(struct mmsghdr, msg_len);
	int error = target_write(request->tid, length, &sent, sizeof(sent));

	if (error < 0) {
		return error;
	}
	message->done++;
	message->is_cut_off = sent < message->size;
	request->slot->result = (int)message->done;
	return (int)message->done;
}

static bool has_many(const struct request *request)
{
	return request->slot->notification.data.nr == SYS_sendmmsg;
}

static ssize_t prepare_and_send(
	const struct broker *broker, struct worker *worker, struct request *request)
{
	const struct message_request *message = &request->message;
	struct exact_address to;
	struct sending sending = {
		.own = &broker->identity,
		.worker = worker,
		.request = request,
		.to = &to,
		.is_stream = address_type(&request->address) == SOCK_STREAM,
		.waits = !(message->flags & MSG_DONTWAIT) && address_may_wait(&request->address),
	};
	ssize_t sent = exact_address_init(&to, request);

	identity_pause(&broker->identity, request->identity);
	if (sent == 0) {
		sent = control_translate(request);
	}
	if (sent == 0) {
		sent = send_message(&sending);
	}
	if (sent >= 0 && has_many(request) && !is_pending(&sending)) {
		sent = -EINTR;
	}
	if (sent >= 0 && has_many(request)) {
		sent = note_sent(request, (unsigned int)sent);
	}
	exact_address_finish(&to);
	int error = identity_resume(&broker->identity, request->identity);
	return sent >= 0 && error < 0 ? error : sent;
}

enum act_outcome act_send(
	const struct broker *broker, struct worker *worker, struct request *request)
{
	const struct message_request *message = &request->message;

	request->result = 0;
	if (message->count == 0) {
		return ACT_DONE;
	}
	if (!notify_is_pending(broker->listener, request->id)) {
		return ACT_GONE;
	}
	if (has_many(request) && recover_is_repeated(request) && request->slot->result > 0) {
		request->result = request->slot->result;
		return ACT_DONE;
	}
	request->result = (int)prepare_and_send(broker, worker, request);
	if (request->result == -EINTR && !recover_is_repeated(request) &&
		!act_has_send_timeout(request->address.socket)) {
		return act_interrupted(worker);
	}
	bool goes_on = request->result >= 0 && has_many(request) && !message->is_cut_off &&
		       message->done < message->count;
	return goes_on ? ACT_NEXT_MESSAGE : ACT_DONE;
}

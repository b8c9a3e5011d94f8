/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/decode_message.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/decode_address.h"
#include "daemon/broker/decode_place.h"
#include "daemon/broker/request.h"
#include "daemon/broker/table.h"
#include "daemon/broker/target.h"

/* More than any limit of the kernel's lets through (net.core.optmem_max). */
#define CONTROL_MAX (1u << 20)
/* In no header of user space: what of a 32-bit program's came that way. */
#define MSG_CMSG_COMPAT 0x80000000u
/* As much as one call moves: MAX_RW_COUNT of the kernel. */
#define SIZE_MAX_OF_CALL ((size_t)INT_MAX & ~(size_t)4095)

static int read_parts(struct request *request, uint64_t address, size_t count)
{
	struct message_request *message = &request->message;

	if (count > IOV_MAX) {
		return -EMSGSIZE;
	}
	message->parts = calloc(count + 1, sizeof(*message->parts));
	message->part_count = count;
	if (!message->parts) {
		return -ENOMEM;
	}
	int error = count == 0 ? 0
			       : target_read(request->tid, address, message->parts,
					 count * sizeof(*message->parts));
	for (size_t i = 0; i < count && error == 0; i++) {
		size_t room = SIZE_MAX_OF_CALL - message->size;

		if ((ssize_t)message->parts[i].iov_len < 0) {
			return -EINVAL;
		}
		if (message->parts[i].iov_len > room) {
			message->parts[i].iov_len = room;
		}
		message->size += message->parts[i].iov_len;
	}
	return error;
}

static int read_control(struct request *request, const struct msghdr *header)
{
	struct message_request *message = &request->message;

	if (header->msg_controllen == 0) {
		return 0;
	}
	if (header->msg_controllen > CONTROL_MAX) {
		return -ENOBUFS;
	}
	message->control = malloc(header->msg_controllen);
	message->control_size = header->msg_controllen;
	return message->control ? target_read(request->tid, (uintptr_t)header->msg_control,
					  message->control, message->control_size)
				: -ENOMEM;
}

/* In the order of copy_msghdr_from_user() and ____sys_sendmsg() of the kernel's net/socket.c. */
static int read_message(const struct broker *broker, struct request *request)
{
	const size_t room = sizeof(request->address.name.storage);
	struct msghdr header;
	int error = target_read(request->tid, request->message.header, &header, sizeof(header));

	if (error < 0) {
		return error;
	}
	int length = header.msg_name ? (int)header.msg_namelen : 0;
	if (length < 0) {
		return -EINVAL;
	}
	if (length > 0) {
		error = decode_name(broker, request, (uintptr_t)header.msg_name,
			(size_t)length > room ? (int)room : length, NAME_SENDS);
	}
	if (error == 0) {
		error = read_parts(request, (uintptr_t)header.msg_iov, header.msg_iovlen);
	}
	return error < 0 ? error : read_control(request, &header);
}

/*
 * A stream or a sequence of packets of the unix family is sent to its peer, whatever name lies
 * beside it. So the sender may do it itself, whom the peer then sees (SCM_CREDENTIALS), if it will
 * be this very socket.
 */
static bool is_to_peer(const struct broker *broker, const struct request *request)
{
	const struct address_request *address = &request->address;
	int type = address->domain == AF_UNIX ? address_type(address) : SOCK_DGRAM;

	return (type == SOCK_STREAM || type == SOCK_SEQPACKET) &&
	       table_is_own(broker, request->tid);
}

static int decode_common(const struct broker *broker, struct request *request,
	const struct seccomp_data *data, unsigned int flags)
{
	request->call = CALL_SEND;
	request->message.count = 1;
	request->message.flags = flags;
	request->message.header = data->nr == SYS_sendto ? 0 : data->args[1];
	if (data->nr != SYS_sendto && (flags & MSG_CMSG_COMPAT)) {
		return -EINVAL;
	}
	int error = decode_socket_number(request, (int)data->args[0]);
	if (error == 0 && is_to_peer(broker, request)) {
		request->call = CALL_HARMLESS;
	}
	return error;
}

int decode_sendto(
	const struct broker *broker, struct request *request, const struct seccomp_data *data)
{
	struct message_request *message = &request->message;
	int error = decode_common(broker, request, data, (unsigned int)data->args[3]);

	if (error < 0 || request->call == CALL_HARMLESS) {
		return error;
	}
	if (data->args[4] != 0) {
		error = decode_name(broker, request, data->args[4], (int)data->args[5], NAME_SENDS);
	}
	if (error < 0) {
		return error;
	}
	message->parts = calloc(1, sizeof(*message->parts));
	if (!message->parts) {
		return -ENOMEM;
	}
	message->size = data->args[2] < SIZE_MAX_OF_CALL ? data->args[2] : SIZE_MAX_OF_CALL;
	message->parts[0] = (struct iovec){
		.iov_base = (void *)(uintptr_t)data->args[1], .iov_len = message->size};
	message->part_count = 1;
	return 0;
}

int decode_sendmsg(
	const struct broker *broker, struct request *request, const struct seccomp_data *data)
{
	int error = decode_common(broker, request, data, (unsigned int)data->args[2]);

	return error < 0 || request->call == CALL_HARMLESS ? error : read_message(broker, request);
}

int decode_sendmmsg(
	const struct broker *broker, struct request *request, const struct seccomp_data *data)
{
	unsigned int count = (unsigned int)data->args[2];
	int error = decode_common(broker, request, data, (unsigned int)data->args[3]);

	request->message.count = count < IOV_MAX ? count : IOV_MAX;
	return error < 0 || count == 0 || request->call == CALL_HARMLESS
		       ? error
		       : read_message(broker, request);
}

int decode_next_message(const struct broker *broker, struct request *request)
{
	decode_message_release(&request->message);
	decode_place_release(&request->place);
	decode_place_clear(&request->place);
	request->address.operation = 0;
	request->address.endpoint.kind = ENDPOINT_OTHER;
	request->address.is_named = false;
	request->address.length = 0;
	request->message.header += sizeof(struct mmsghdr);
	return read_message(broker, request);
}

void decode_message_release(struct message_request *message)
{
	for (size_t i = 0; i < message->right_count; i++) {
		close(message->rights[i]);
	}
	free(message->rights);
	free(message->control);
	free(message->parts);
	message->rights = NULL;
	message->right_count = 0;
	message->control = NULL;
	message->control_size = 0;
	message->parts = NULL;
	message->part_count = 0;
	message->size = 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding of calls that name an address for a socket: the socket is taken once, the address is
 * copied once and put into its canonical form, in our copy too: what is decided on is where it
 * goes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct address_request;
struct broker;
struct request;
struct seccomp_data;

/* What a call does with an address. The kernel reads the same bytes in different ways. */
enum name_use { NAME_CONNECTS, NAME_BINDS, NAME_SENDS };

/* Takes the target's descriptor `number` as request->address. 0, -EBADF, -ENOTSOCK or others. */
int decode_socket_number(struct request *request, int number);

/* SO_TYPE of the socket, and whether what is done with it may wait: few calls need to know. */
int address_type(const struct address_request *address);
bool address_may_wait(struct address_request *address);

/*
 * Copies `length` bytes at `address` in the target, judges what they mean for the socket, and pins
 * where the path of a unix socket begins. 0 or a negative errno.
 */
int decode_name(const struct broker *broker, struct request *request, uint64_t address, int length,
	enum name_use use);

int decode_connect(
	const struct broker *broker, struct request *request, const struct seccomp_data *data);
int decode_bind(
	const struct broker *broker, struct request *request, const struct seccomp_data *data);
int decode_listen(
	const struct broker *broker, struct request *request, const struct seccomp_data *data);

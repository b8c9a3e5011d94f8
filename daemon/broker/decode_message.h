/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding of what is sent: name, vector and control messages are copied once; the data itself,
 * about which nobody is asked, is read when it is sent. The messages of a sendmmsg(2) are decoded
 * one by one, each when the one before it was sent.
 */
#pragma once

struct broker;
struct message_request;
struct request;
struct seccomp_data;

int decode_sendto(
	const struct broker *broker, struct request *request, const struct seccomp_data *data);
int decode_sendmsg(
	const struct broker *broker, struct request *request, const struct seccomp_data *data);
int decode_sendmmsg(
	const struct broker *broker, struct request *request, const struct seccomp_data *data);

/* The message behind the `done` ones of a sendmmsg(2). 0 or a negative errno. */
int decode_next_message(const struct broker *broker, struct request *request);

/* Ends what decoding and sending have made for one message; the counts stay. */
void decode_message_release(struct message_request *message);

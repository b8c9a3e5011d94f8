/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding of connect(2): the socket is taken once, the address is copied once. */
#pragma once

struct broker;
struct request;
struct seccomp_data;

int decode_connect(
	const struct broker *broker, struct request *request, const struct seccomp_data *data);

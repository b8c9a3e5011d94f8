/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/bound.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define REMEMBERED_MAX 1024u

/* A ring; a cookie is never given to another socket. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static uint64_t cookies[REMEMBERED_MAX];
static size_t next;

/* 0: it has none. */
static uint64_t cookie_of(int socket)
{
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);

	return getsockopt(socket, SOL_SOCKET, SO_COOKIE, &cookie, &size) < 0 ? 0 : cookie;
}

void bound_note(int socket)
{
	uint64_t cookie = cookie_of(socket);

	pthread_mutex_lock(&mutex);
	cookies[next] = cookie;
	next = (next + 1) % REMEMBERED_MAX;
	pthread_mutex_unlock(&mutex);
}

bool bound_has(int socket)
{
	uint64_t cookie = cookie_of(socket);
	bool has = false;

	pthread_mutex_lock(&mutex);
	for (size_t i = 0; cookie && i < REMEMBERED_MAX && !has; i++) {
		has = cookies[i] == cookie;
	}
	pthread_mutex_unlock(&mutex);
	return has;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * By which sockets others come to us, and where these are from: the one of the hand-over is opened
 * by systemd, or was left by an earlier usherd, or is made here, and then its lock says that its
 * place is ours; the control socket lies beside it; a third one tells the metrics, if the
 * configuration names it. Those that we made outlive us in the store (store.h).
 */
#pragma once

#include <stdbool.h>

#include "daemon/control.h"
#include "daemon/metrics_socket.h"
#include "daemon/server.h"

struct context;
struct inheritance;

struct doors {
	struct context *context;
	struct server server;
	struct control control;
	struct metrics_socket metrics;
	char *socket_path, *control_path, *metrics_path; /* NULL: not ours to remove */
	int lock;                                        /* -1: the socket is systemd's */
};

/*
 * Opens all of them, that of the hand-over at `path` last: who sees it can rely on the others. 0 or
 * a negative errno, which was told. In any case doors_finish comes in the end.
 */
int doors_open(struct doors *doors, struct context *context, struct inheritance *inheritance,
	const char *path);

/* Puts those that we made into the store once more: it is another one. */
void doors_keep(struct doors *doors);

/* Nobody else comes in. With a successor the sockets stay where they are, and who waits waits. */
void doors_close(struct doors *doors, bool has_successor);

void doors_finish(struct doors *doors);

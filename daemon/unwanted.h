/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors that come over a socket of which libuv only reads the bytes: anybody may send them
 * there, and the kernel closes them when the bytes are read, or the socket is closed. Neither shall
 * wait for anybody (daemon/base/discard.h).
 */
#pragma once

#include <uv.h>

/* From the callback that gives libuv its buffer: before it reads. */
void unwanted_calm(uv_pipe_t *pipe, const uv_buf_t *buffer);

/* Before uv_close(). */
void unwanted_discard(uv_pipe_t *pipe);

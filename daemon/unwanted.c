/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/unwanted.h"

#include "daemon/base/discard.h"

void unwanted_calm(uv_pipe_t *pipe, const uv_buf_t *buffer)
{
	uv_os_fd_t fd;

	if (buffer->len > 0 && uv_fileno((const uv_handle_t *)pipe, &fd) == 0) {
		discard_calm(fd, buffer->base, buffer->len);
	}
}

void unwanted_discard(uv_pipe_t *pipe)
{
	uv_os_fd_t fd;

	if (uv_fileno((const uv_handle_t *)pipe, &fd) == 0) {
		discard_unread(fd);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Subjects of [sockets]: FAMILY[/TYPE[/PROTOCOL]], by the names of socket(2) in lower case without
 * the prefix; a protocol may be a number; `*` stands for any.
 */
#pragma once

#include "daemon/policy/mistake.h"
#include "daemon/policy/rule.h"

/* `inet/stream/tcp` is also what socket(AF_INET, SOCK_STREAM, 0) asks for, and `unix/dgram` what
 * socket(AF_UNIX, SOCK_RAW, 0) does. */
#define SOCKET_SUBJECTS_MAX 5

/*
 * Fills `subjects` with what the text stands for: the subject as it is, and for a protocol that is
 * some type's own the same with protocol 0, or with another type that the kernel takes for it.
 * Returns how many, or -EINVAL with `mistake` filled.
 */
int socket_subject_parse(struct socket_subject subjects[SOCKET_SUBJECTS_MAX], const char *text,
	struct mistake *mistake);

/* As pattern_covers. */
bool socket_subject_covers(const struct socket_subject *wide, const struct socket_subject *narrow);

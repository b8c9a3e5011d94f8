/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POSIX ACLs as the kernel keeps them, in extended attributes.
 */
#pragma once

#include "tests/parity/parity.h"

#define ACL_ACCESS  "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"

/* Gives a directory a default ACL that names user 12345. */
void acl_set_default(struct scene *scene, const char *directory);

/* Tells the bytes of one of a file's ACLs. */
void acl_tell(struct scene *scene, const char *path, const char *kind);

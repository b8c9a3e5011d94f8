/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/parity/acl.h"

#include <assert.h>
#include <endian.h>
#include <string.h>
#include <sys/xattr.h>

#define ACL_USER_OBJ  0x01
#define ACL_USER      0x02
#define ACL_GROUP_OBJ 0x04
#define ACL_MASK      0x10
#define ACL_OTHER     0x20

/* As the kernel stores it: version 2, then entries of tag, permissions and id. */
struct acl {
	uint32_t version;
	struct {
		uint16_t tag, permissions;
		uint32_t id;
	} entries[5];
};
static_assert(sizeof(struct acl) == 44, "the kernel's layout");

void acl_set_default(struct scene *scene, const char *directory)
{
	struct acl acl = {htole32(2), {
					      {htole16(ACL_USER_OBJ), htole16(7), ~0u},
					      {htole16(ACL_USER), htole16(6), htole32(12345)},
					      {htole16(ACL_GROUP_OBJ), htole16(5), ~0u},
					      {htole16(ACL_MASK), htole16(7), ~0u},
					      {htole16(ACL_OTHER), htole16(4), ~0u},
				      }};

	prepare(scene, !setxattr(directory, ACL_DEFAULT, &acl, sizeof(acl), 0));
}

void acl_tell(struct scene *scene, const char *path, const char *kind)
{
	unsigned char data[256];
	ssize_t got = getxattr(path, kind, data, sizeof(data));

	tell(scene, " %s=%zd:", strrchr(kind, '_') + 1, got);
	for (ssize_t i = 0; i < got; i++) {
		tell(scene, "%02x", data[i]);
	}
}

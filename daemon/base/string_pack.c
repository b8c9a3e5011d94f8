/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/base/string_pack.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *owned(const struct string_pack *pack)
{
	return (void *)(uintptr_t)pack->text;
}

int string_pack_add(struct string_pack *pack, size_t limit, size_t size, char **to)
{
	if (pack->size + size > limit) {
		return -E2BIG;
	}
	char *text = realloc(owned(pack), pack->size + size);
	if (!text) {
		return -ENOMEM;
	}
	*to = text + pack->size;
	*pack = (struct string_pack){text, pack->size + size, pack->count + 1};
	return 0;
}

void string_pack_finish(struct string_pack *pack)
{
	free(owned(pack));
	*pack = (struct string_pack){NULL, 0, 0};
}

bool string_pack_is_same(const struct string_pack *a, const struct string_pack *b)
{
	return a->count == b->count && a->size == b->size &&
	       (a->size == 0 || memcmp(a->text, b->text, a->size) == 0);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of constants. O_SYNC and O_TMPFILE hold other flags' bits and therefore stand before them.
 */
#include "tests/common/words.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define WORD(constant)              \
	{                           \
#constant, constant \
	}
#define LARGEFILE_OF_ABI  0100000 /* O_LARGEFILE is 0 for a 64-bit library */
#define SYNC_WITHOUT_DATA 04000000
#define TMPFILE_BARE      020000000

const struct word words_open[] = {
	WORD(O_WRONLY),
	WORD(O_RDWR),
	{"O_ACCMODE", O_ACCMODE},
	WORD(O_SYNC),
	WORD(O_TMPFILE),
	WORD(O_CREAT),
	WORD(O_EXCL),
	WORD(O_NOCTTY),
	WORD(O_TRUNC),
	WORD(O_APPEND),
	WORD(O_NONBLOCK),
	WORD(O_DSYNC),
	WORD(O_ASYNC),
	WORD(O_DIRECT),
	{"O_LARGEFILE", LARGEFILE_OF_ABI},
	WORD(O_DIRECTORY),
	WORD(O_NOFOLLOW),
	WORD(O_NOATIME),
	WORD(O_CLOEXEC),
	WORD(O_PATH),
	{"__O_SYNC", SYNC_WITHOUT_DATA},
	{"__O_TMPFILE", TMPFILE_BARE},
	WORD(O_RDONLY),
	{NULL, 0},
};

const struct word words_resolve[] = {
	WORD(RESOLVE_NO_XDEV),
	WORD(RESOLVE_NO_MAGICLINKS),
	WORD(RESOLVE_NO_SYMLINKS),
	WORD(RESOLVE_BENEATH),
	WORD(RESOLVE_IN_ROOT),
	WORD(RESOLVE_CACHED),
	{NULL, 0},
};

const struct word words_family[] = {
	WORD(AF_UNSPEC),
	WORD(AF_UNIX),
	WORD(AF_INET),
	WORD(AF_INET6),
	WORD(AF_NETLINK),
	WORD(AF_PACKET),
	WORD(AF_VSOCK),
	WORD(AF_ALG),
	{NULL, 0},
};

const struct word words_socket_type[] = {
	WORD(SOCK_STREAM),
	WORD(SOCK_DGRAM),
	WORD(SOCK_RAW),
	WORD(SOCK_RDM),
	WORD(SOCK_SEQPACKET),
	WORD(SOCK_NONBLOCK),
	WORD(SOCK_CLOEXEC),
	{NULL, 0},
};

/* A name with or without its prefix (O_, RESOLVE_, AF_, SOCK_) in any case, or a number. */
static bool one_word(
	const struct word *words, const char *text, size_t length, unsigned long long *valuep)
{
	char *end;

	for (const struct word *word = words; word->name; word++) {
		const char *bare = strchr(word->name, '_');

		bare = bare && bare != word->name ? bare + 1 : word->name;
		if ((strlen(word->name) == length && !strncasecmp(word->name, text, length)) ||
			(strlen(bare) == length && !strncasecmp(bare, text, length))) {
			*valuep = word->value;
			return true;
		}
	}
	*valuep = strtoull(text, &end, 0);
	return length > 0 && end == text + length;
}

bool words_parse(const struct word *words, const char *text, unsigned long long *valuep)
{
	*valuep = 0;
	for (;;) {
		size_t length = strcspn(text, "|");
		unsigned long long value;

		if (!one_word(words, text, length, &value)) {
			return false;
		}
		*valuep |= value;
		if (!text[length]) {
			return true;
		}
		text += length + 1;
	}
}

static size_t append(char *text, size_t size, size_t used, const char *part)
{
	int length = snprintf(text + used, size - used, "%s%s", used ? "|" : "", part);

	return used + (size_t)length < size ? used + (size_t)length : size - 1;
}

void words_print_open(unsigned long long flags, char *text, size_t size)
{
	unsigned long long access = flags & O_ACCMODE;
	size_t used = 0;
	char rest[32];

	text[0] = '\0';
	used = append(text, size, used,
		access == O_RDONLY   ? "O_RDONLY"
		: access == O_WRONLY ? "O_WRONLY"
		: access == O_RDWR   ? "O_RDWR"
				     : "O_ACCMODE");
	flags &= ~(unsigned long long)O_ACCMODE;
	for (const struct word *word = words_open + 3; word->name; word++) {
		if (word->value && (flags & word->value) == word->value) {
			used = append(text, size, used, word->name);
			flags &= ~word->value;
		}
	}
	if (flags) {
		snprintf(rest, sizeof(rest), "%#llx", flags);
		append(text, size, used, rest);
	}
}

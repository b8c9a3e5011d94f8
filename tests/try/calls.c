/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call is a row of the table; its arguments are made from words by its signature. The calls are
 * raw, so that the one named is the one made.
 */
#include "tests/try/calls.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "tests/common/raw.h"
#include "tests/common/words.h"

static const struct call calls[] = {
	{"open", SYS_open, "po?m", CALL_FD, "PATH FLAGS [MODE]"},
	{"openat", SYS_openat, "dpo?m", CALL_FD, "DIR PATH FLAGS [MODE]"},
	{"openat2", SYS_openat2, "dpH", CALL_FD, "DIR PATH FLAGS [MODE [RESOLVE]]"},
	{"creat", SYS_creat, "pm", CALL_FD, "PATH MODE"},
	{"socket", SYS_socket, "ft?n", CALL_FD, "FAMILY TYPE [PROTOCOL]"},
	{"socketpair", SYS_socketpair, "ft?nP", CALL_PAIR, "FAMILY TYPE [PROTOCOL]"},
	{"connect", SYS_connect, "A", CALL_STATUS, "tcp|udp HOST:PORT, unix PATH|@NAME"},
	{"bind", SYS_bind, "A", CALL_STATUS, "tcp|udp HOST:PORT, unix PATH|@NAME"},
	{"truncate", SYS_truncate, "pn", CALL_STATUS, "PATH LENGTH"},
	{"unlink", SYS_unlink, "p", CALL_STATUS, "PATH"},
	{"unlinkat", SYS_unlinkat, "dp?n", CALL_STATUS, "DIR PATH [FLAGS]"},
	{"mkdir", SYS_mkdir, "pm", CALL_STATUS, "PATH MODE"},
	{"rmdir", SYS_rmdir, "p", CALL_STATUS, "PATH"},
	{"mknod", SYS_mknod, "pm?n", CALL_STATUS, "PATH MODE [DEVICE]"},
	{"rename", SYS_rename, "pp", CALL_STATUS, "OLD NEW"},
	{"renameat2", SYS_renameat2, "dpdp?n", CALL_STATUS, "DIR OLD DIR NEW [FLAGS]"},
	{"link", SYS_link, "pp", CALL_STATUS, "OLD NEW"},
	{"linkat", SYS_linkat, "dpdp?n", CALL_STATUS, "DIR OLD DIR NEW [FLAGS]"},
	{"symlink", SYS_symlink, "pp", CALL_STATUS, "TARGET NEW"},
	{"chmod", SYS_chmod, "pm", CALL_STATUS, "PATH MODE"},
	{"chown", SYS_chown, "pnn", CALL_STATUS, "PATH UID GID"},
	{"access", SYS_access, "p?n", CALL_STATUS, "PATH [MODE]"},
	{"chdir", SYS_chdir, "p", CALL_STATUS, "PATH"},
	{"chroot", SYS_chroot, "p", CALL_STATUS, "PATH"},
	{"getppid", SYS_getppid, "", CALL_STATUS, ""},
};

/* Where pointers among the arguments point to. */
struct storage {
	struct open_how how;
	struct address address;
	int *pair;
};

const struct call *call_find(const char *name)
{
	for (size_t i = 0; i < array_length(calls); i++) {
		if (!strcmp(calls[i].name, name)) {
			return &calls[i];
		}
	}
	return NULL;
}

void call_list(void)
{
	for (size_t i = 0; i < array_length(calls); i++) {
		printf("  %-10s %s\n", calls[i].name, calls[i].usage);
	}
}

static bool number_parse(const char *text, int base, long *valuep)
{
	char *end;

	*valuep = strtol(text, &end, base);
	return *text && !*end;
}

static bool dirfd_parse(const char *text, long *valuep)
{
	if (!strcmp(text, "AT_FDCWD")) {
		*valuep = AT_FDCWD;
	} else if (!number_parse(text, 10, valuep)) {
		*valuep = raw_open(text, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	}
	return true;
}

static bool word_argument(const struct word *words, const char *text, long *valuep)
{
	unsigned long long value;

	if (!words_parse(words, text, &value)) {
		return false;
	}
	*valuep = (long)value;
	return true;
}

static bool plain_argument(char letter, const char *text, long *valuep)
{
	switch (letter) {
	case 'p':
		*valuep = (long)text;
		return true;
	case 'm':
		return number_parse(text, 8, valuep);
	case 'n':
		return number_parse(text, 0, valuep);
	case 'd':
		return dirfd_parse(text, valuep);
	case 'o':
		return word_argument(words_open, text, valuep);
	case 'f':
		return word_argument(words_family, text, valuep);
	case 't':
		return word_argument(words_socket_type, text, valuep);
	default:
		return false;
	}
}

static bool how_arguments(struct storage *storage, int argc, char **argv, long *values)
{
	unsigned long long flags = 0, resolve = 0;
	long mode = 0;

	if (argc < 1 || argc > 3 || !words_parse(words_open, argv[0], &flags) ||
		(argc > 1 && !number_parse(argv[1], 8, &mode)) ||
		(argc > 2 && !words_parse(words_resolve, argv[2], &resolve))) {
		return false;
	}
	storage->how = (struct open_how){.flags = flags, .mode = (__u64)mode, .resolve = resolve};
	values[0] = (long)&storage->how;
	values[1] = sizeof(storage->how);
	return true;
}

static bool address_arguments(struct storage *storage, int argc, char **argv, long *values)
{
	bool is_unix, is_udp;

	if (argc != 2) {
		return false;
	}
	is_unix = !strcmp(argv[0], "unix");
	is_udp = !strcmp(argv[0], "udp");
	if (!is_unix && !is_udp && strcmp(argv[0], "tcp")) {
		return false;
	}
	if (!(is_unix ? address_parse_unix : address_parse_ip)(&storage->address, argv[1])) {
		return false;
	}
	values[0] = raw(SYS_socket, storage->address.storage.ss_family,
		(is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	values[1] = (long)&storage->address.storage;
	values[2] = storage->address.length;
	return true;
}

static bool arguments(const struct call *call, int argc, char **argv, struct storage *storage,
	long values[CALL_ARGUMENTS_MAX])
{
	bool optional = false;
	int used = 0;
	size_t count = 0;

	for (const char *letter = call->signature; *letter; letter++) {
		if (*letter == '?') {
			optional = true;
		} else if (*letter == 'H') {
			return how_arguments(storage, argc - used, argv + used, values + count);
		} else if (*letter == 'A') {
			return address_arguments(storage, argc - used, argv + used, values + count);
		} else if (*letter == 'P') {
			values[count++] = (long)storage->pair;
		} else if (used < argc) {
			if (!plain_argument(*letter, argv[used++], &values[count++])) {
				return false;
			}
		} else if (optional) {
			count++;
		} else {
			return false;
		}
	}
	return used == argc;
}

int call_make(const struct call *call, int argc, char **argv, long *resultp, int pair[2])
{
	struct storage storage = {.pair = pair};
	long values[CALL_ARGUMENTS_MAX] = {0};

	if (!arguments(call, argc, argv, &storage, values)) {
		return -1;
	}
	*resultp =
		raw(call->number, values[0], values[1], values[2], values[3], values[4], values[5]);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls that `try` can make, and how their arguments are written on a command line.
 */
#pragma once

#include <stdbool.h>

#include "tests/common/address.h"

#define CALL_ARGUMENTS_MAX 6

/* What a call returns, so that its result can be told of. */
enum call_result { CALL_STATUS, CALL_FD, CALL_PAIR };

struct call {
	const char *name;
	long number;
	/*
	 * One letter an argument. p path, m octal mode, o flags of open(2), r flags of openat2's
	 * resolve, n number, d descriptor (a number, a directory's path, or AT_FDCWD), f family,
	 * t socket type. Those after `?` may be left out and are 0. Of these letters the whole
	 * rest of the arguments is made: H openat2's struct open_how, A an address, for which a
	 * socket is made first, P socketpair's array.
	 */
	const char *signature;
	enum call_result result;
	const char *usage;
};

/* NULL if `try` does not know it. */
const struct call *call_find(const char *name);
void call_list(void);

/* 0 and the call's result, or -1 if the arguments are not what the signature says. */
int call_make(const struct call *call, int argc, char **argv, long *resultp, int pair[2]);

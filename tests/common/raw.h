/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls as the kernel answers them: the call itself, no library in between, and a negative
 * errno instead of -1.
 */
#pragma once

#include <errno.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline long raw_result(long result)
{
	return result == -1 ? -(long)errno : result;
}

#define raw(...) raw_result(syscall(__VA_ARGS__))

static inline int raw_openat(int dirfd, const char *path, int flags, unsigned int mode)
{
	return (int)raw(SYS_openat, dirfd, path, flags, mode);
}

static inline int raw_open(const char *path, int flags, unsigned int mode)
{
	return (int)raw(SYS_open, path, flags, mode);
}

static inline int raw_openat2(int dirfd, const char *path, unsigned long long flags,
	unsigned long long mode, unsigned long long resolve)
{
	struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};

	return (int)raw(SYS_openat2, dirfd, path, &how, sizeof(how));
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a loaded policy consists of, for the files of this folder. Others see policy.h only.
 */
#pragma once

#include "daemon/policy/policy.h"

struct pattern; /* pattern.h */

enum comparison_operator {
	COMPARE_EQ,
	COMPARE_NE,
	COMPARE_LT,
	COMPARE_LE,
	COMPARE_GT,
	COMPARE_GE,
	COMPARE_MASKED_EQ, /* (argument & mask) == value */
};

struct comparison {
	unsigned int argument; /* 0 to 5 */
	enum comparison_operator operator;
	uint64_t mask;
	uint64_t value;
};

#define COMPARISONS_MAX 6

struct path_subject {
	struct pattern *pattern;
	char *replacement; /* INJECT: an absolute path; else NULL */
};

struct endpoint_subject {
	bool any; /* the word `any` */
	enum endpoint_kind kind;
	int family; /* of the address; AF_UNSPEC for HOST `*` and for a name */
	uint8_t address[16];
	unsigned int prefix; /* bits of the address that count */
	char *host;          /* TCP and UDP: a name instead of an address (host.h); else NULL */
	bool host_below;     /* `*.NAME` */
	uint16_t port_first, port_last;
	struct pattern *pattern;              /* UNIX_PATH and UNIX_ABSTRACT */
	char *descriptor;                     /* of a replacement: `fd NAME`, and nothing else */
	struct endpoint_subject *replacement; /* INJECT */
};

struct socket_subject {
	int family, type, protocol; /* -1: any */
};

struct syscall_subject {
	const char *name; /* as written: a name or @group */
	int *numbers; /* native numbers, or libseccomp's negative ones where this machine lacks a
			 call */
	size_t number_count;
	struct comparison *comparisons; /* there is room for COMPARISONS_MAX, or none */
	size_t comparison_count;
};

struct policy_subject {
	unsigned int line, column;
	char *text; /* as written */
	union {
		struct path_subject path;
		struct endpoint_subject endpoint;
		struct socket_subject socket;
		struct syscall_subject syscall;
	};
};

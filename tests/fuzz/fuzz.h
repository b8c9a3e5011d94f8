/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the harnesses share. Each is one file, takes one input of bytes, and ends the process where
 * something that must hold does not; `./dev fuzz` runs them, tests/README.md tells how.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold, also where NDEBUG is set. */
#define must(condition)                                                                         \
	do {                                                                                    \
		if (!(condition)) {                                                             \
			(void)fprintf(                                                          \
				stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                                \
		}                                                                               \
	} while (0)

/* The input, taken from its front. What is past the end is zero. */
struct input {
	const uint8_t *data;
	size_t size;
};

static inline uint8_t input_byte(struct input *input)
{
	if (input->size == 0) {
		return 0;
	}
	input->size--;
	return *input->data++;
}

static inline uint64_t input_number(struct input *input)
{
	uint64_t number = 0;

	for (unsigned int i = 0; i < sizeof(number); i++) {
		number |= (uint64_t)input_byte(input) << (8 * i);
	}
	return number;
}

/* Up to a newline or the end: a string that is the caller's, without its newline. */
static inline char *input_line(struct input *input)
{
	const uint8_t *end = input->size ? memchr(input->data, '\n', input->size) : NULL;
	size_t length = end ? (size_t)(end - input->data) : input->size;
	char *line = malloc(length + 1);

	must(line);
	memcpy(line, input->data, length);
	line[length] = '\0';
	input->data += length + (end != NULL);
	input->size -= length + (end != NULL);
	return line;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/journal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/journal_record.h"

#define LINE_MAX_BYTES (17 * 1024)
#define REPEAT_MS      1000u

static bool journal_has_levels;

void journal_open(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat status;

	journal_has_levels = stream && sscanf(stream, "%ju:%ju", &device, &inode) == 2 &&
			     fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device &&
			     status.st_ino == inode;
	journal_record_open(journal_has_levels);
}

/* Copies `text`, control characters as \xNN; cuts what does not fit. Returns the length. */
static size_t copy_printable(char *out, size_t room, const char *text)
{
	size_t length = 0;

	for (; *text && length + 5 < room; text++) {
		unsigned char c = (unsigned char)*text;
		if (c < 0x20 || c == 0x7f) {
			length += (size_t)snprintf(out + length, room - length, "\\x%02x", c);
		} else {
			out[length++] = (char)c;
		}
	}
	return length;
}

void journal_write(enum journal_level level, const char *format, ...)
{
	char text[LINE_MAX_BYTES], line[LINE_MAX_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	int prefix = journal_has_levels ? snprintf(line, sizeof(line), "<%d>", (int)level)
					: snprintf(line, sizeof(line), "usherd: ");
	size_t length = (size_t)prefix;
	length += copy_printable(line + length, sizeof(line) - length - 1, text);
	line[length++] = '\n';
	/* One write a line; where nobody reads there is nobody to tell. */
	ssize_t written = write(STDERR_FILENO, line, length);
	(void)written;
}

bool journal_may_tell(struct journal_repeat *repeat, uint64_t now_ms, unsigned int *untoldp)
{
	if (now_ms < repeat->next_ms) {
		repeat->untold++;
		return false;
	}
	*untoldp = repeat->untold;
	*repeat = (struct journal_repeat){.next_ms = now_ms + REPEAT_MS};
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lines are cut here and fed to inih one by one (ini_parse_stream). Of each the reader notes
 * what it is and where its value stands; inih's handler, which comes before the next line is asked
 * for, must have found the same. A refused line is fed as an empty one, and so are the lines that
 * hang on it: the indented ones below a key, all up to the next header below a section.
 *
 * inih takes an indented line for more of the value above, even where it looks like a key; without
 * a key above it takes it for a key. The second is refused: who indents keys would lose all but the
 * first of a section.
 */
#include "daemon/policy/ini.h"

#include <errno.h>
#include <ini.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum line_kind { LINE_EMPTY, LINE_SECTION, LINE_KEY, LINE_MORE };

struct reader {
	const struct ini_handler *handler;
	void *user;
	const char *next, *end; /* what is still to read */
	unsigned int number;    /* of the current line */
	int result;             /* of the first callback that failed */
	bool has_key;           /* an indented line would go on with a value */
	bool skip_more;         /* the key above was refused */
	bool skip_section;      /* the header above was refused */

	enum line_kind kind;
	bool seen;                      /* inih has called its handler for this line */
	char line[INI_LINE_BYTES + 1];  /* as it is fed: without comment, line end and BOM */
	char text[INI_LINE_BYTES + 1];  /* section name or key */
	char value[INI_LINE_BYTES + 1]; /* of LINE_KEY and LINE_MORE */
	unsigned int text_column, value_column;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void refuse(struct reader *reader, size_t offset, const char *text)
{
	if (reader->result == 0) {
		reader->result = reader->handler->mistake(
			reader->user, reader->number, (unsigned int)offset + 1, text);
	}
}

/* Copies line[from, to) without the blanks around it; returns the offset of what was copied. */
static size_t copy_trimmed(char *to_text, const char *line, size_t from, size_t to)
{
	while (from < to && is_blank(line[from])) {
		from++;
	}
	while (to > from && is_blank(line[to - 1])) {
		to--;
	}
	memcpy(to_text, line + from, to - from);
	to_text[to - from] = '\0';
	return from;
}

/*
 * The length of the line without its comment: a `;` behind a blank begins one, as for inih. Inside
 * of quotes it would cut a subject in two, which is refused.
 */
static int cut_comment(struct reader *reader, const char *line, size_t *lengthp)
{
	bool quoted = false;

	for (size_t i = 0; i < *lengthp; i++) {
		quoted ^= line[i] == '"';
		if (line[i] != ';' || i == 0 || !is_blank(line[i - 1])) {
			continue;
		}
		if (quoted) {
			refuse(reader, i, "a ';' behind a blank begins a comment, also in quotes");
			return -EINVAL;
		}
		*lengthp = i;
		break;
	}
	return 0;
}

static int scan_section(struct reader *reader, const char *line, size_t length)
{
	const char *close = memchr(line, ']', length);
	size_t name_length;

	reader->kind = LINE_SECTION;
	if (!close) {
		refuse(reader, length, "a section's header ends with ']'");
		return -EINVAL;
	}
	name_length = (size_t)(close - line) - 1;
	for (size_t i = name_length + 2; i < length; i++) {
		if (!is_blank(line[i])) {
			refuse(reader, i, "nothing may stand behind a section's header");
			return -EINVAL;
		}
	}
	if (name_length > INI_SECTION_BYTES) {
		refuse(reader, 1, "a section's name has at most 49 bytes");
		return -EINVAL;
	}
	memcpy(reader->text, line + 1, name_length);
	reader->text[name_length] = '\0';
	reader->text_column = 2;
	return 0;
}

static int scan_key(struct reader *reader, const char *line, size_t length)
{
	size_t end = 0;

	reader->kind = LINE_KEY;
	while (end < length && line[end] != '=' && line[end] != ':') {
		end++;
	}
	if (end == length) {
		refuse(reader, end, "a key, '=' and a value are expected here");
		return -EINVAL;
	}
	if (line[end] == ':') {
		refuse(reader, end, "a key ends with '=', not with ':'");
		return -EINVAL;
	}
	if (end == 0) {
		refuse(reader, 0, "there is no key before '='");
		return -EINVAL;
	}
	reader->text_column = (unsigned int)copy_trimmed(reader->text, line, 0, end) + 1;
	reader->value_column = (unsigned int)copy_trimmed(reader->value, line, end + 1, length) + 1;
	return 0;
}

static int scan_more(struct reader *reader, const char *line, size_t length)
{
	reader->kind = LINE_MORE;
	if (!reader->has_key && !reader->skip_more) {
		refuse(reader, 0,
			"an indented line goes on with the value above, and there is none; keys "
			"begin at the first column");
		return -EINVAL;
	}
	reader->value_column = (unsigned int)copy_trimmed(reader->value, line, 0, length) + 1;
	return 0;
}

/* What no line may hold. */
static int scan_bytes(struct reader *reader, const char *line, size_t length)
{
	char text[80];

	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)line[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f) {
			snprintf(text, sizeof(text), "a control character (0x%02x) in the line", c);
			refuse(reader, i, text);
			return -EINVAL;
		}
	}
	return 0;
}

/* Finds out what the line is; 0, or -EINVAL if it was refused. */
static int scan_line(struct reader *reader, const char *line, size_t length)
{
	size_t begin = 0;
	char text[128];

	reader->kind = LINE_EMPTY;
	while (begin < length && is_blank(line[begin])) {
		begin++;
	}
	if (begin == length || line[begin] == ';' || line[begin] == '#') {
		return 0;
	}
	/* Known before anything can be refused: what hangs on a line depends on it. */
	reader->kind = begin > 0 ? LINE_MORE : line[0] == '[' ? LINE_SECTION : LINE_KEY;
	if (scan_bytes(reader, line, length) < 0 || cut_comment(reader, line, &length) < 0) {
		return -EINVAL;
	}
	if (length > INI_LINE_BYTES) {
		snprintf(text, sizeof(text),
			"the line has %zu bytes, %u are read; go on in an indented line below",
			length, INI_LINE_BYTES);
		refuse(reader, INI_LINE_BYTES, text);
		return -EINVAL;
	}
	memcpy(reader->line, line, length);
	reader->line[length] = '\0';
	switch (reader->kind) {
	case LINE_SECTION:
		return scan_section(reader, line, length);
	case LINE_KEY:
		return scan_key(reader, line, length);
	default:
		return scan_more(reader, line, length);
	}
}

/* Whether inih sees the line, after scan_line said `r`; and what follows from it for the next. */
static bool admit_line(struct reader *reader, int r)
{
	bool good = r == 0;

	switch (reader->kind) {
	case LINE_EMPTY:
		return false;
	case LINE_SECTION:
		reader->skip_section = !good;
		reader->skip_more = !good;
		reader->has_key = false;
		return good;
	case LINE_KEY:
		reader->has_key = good;
		reader->skip_more = !good;
		return good && !reader->skip_section;
	default:
		return good && reader->has_key && !reader->skip_section;
	}
}

/* The next line without its end; false at the end of the text. */
static bool next_line(struct reader *reader, const char **linep, size_t *lengthp)
{
	const char *line = reader->next, *end;

	if (line == reader->end) {
		return false;
	}
	reader->number++;
	if (reader->number == 1 && reader->end - line >= 3 && !memcmp(line, "\xef\xbb\xbf", 3)) {
		line += 3; /* a byte order mark */
	}
	end = memchr(line, '\n', (size_t)(reader->end - line));
	reader->next = end ? end + 1 : reader->end;
	end = end ? end : reader->end;
	if (end > line && end[-1] == '\r') {
		end--;
	}
	*linep = line;
	*lengthp = (size_t)(end - line);
	return true;
}

/* inih's reader: one line, or NULL at the end. */
static char *feed(char *to, int size, void *user)
{
	struct reader *reader = user;
	const char *line;
	size_t length;

	if (reader->kind >= LINE_KEY && !reader->seen) {
		refuse(reader, 0, "inih cannot read this line");
	}
	if (reader->result != 0 || !next_line(reader, &line, &length)) {
		reader->seen = true;
		return NULL;
	}
	reader->seen = !admit_line(reader, scan_line(reader, line, length));
	if (reader->seen || size < (int)sizeof(reader->line)) {
		*to = '\0';
		return to;
	}
	memcpy(to, reader->line, strlen(reader->line) + 1);
	if (reader->kind == LINE_SECTION && reader->result == 0) {
		struct ini_piece name = {reader->number, reader->text_column, reader->text};

		reader->seen = true;
		reader->result = reader->handler->section(reader->user, &name);
	}
	return to;
}

/*
 * inih's handler. Its name for an indented line is cut at 49 bytes, and is not looked at: the key
 * above is known.
 */
static int receive(void *user, const char *section, const char *name, const char *value)
{
	struct reader *reader = user;
	struct ini_piece key = {reader->number, reader->text_column, reader->text};
	struct ini_piece piece = {reader->number, reader->value_column, reader->value};

	(void)section;
	if (reader->seen || reader->result != 0 || strcmp(value, reader->value) != 0 ||
		(reader->kind == LINE_KEY && strcmp(name, reader->text) != 0)) {
		return 0; /* not as it was seen: feed says so when it is asked for the next */
	}
	reader->seen = true;
	reader->result = reader->kind == LINE_KEY ? reader->handler->key(reader->user, &key, &piece)
						  : reader->handler->more(reader->user, &piece);
	return 1;
}

int ini_read(const char *text, size_t size, const struct ini_handler *handler, void *user)
{
	struct reader reader = {
		.handler = handler,
		.user = user,
		.next = text,
		.end = text + size,
		.seen = true,
	};

	ini_parse_stream(feed, &reader, receive, &reader);
	return reader.result;
}

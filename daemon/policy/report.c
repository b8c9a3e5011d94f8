/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of all that is wrong with a policy, and how it is shown: FILE:LINE:COLUMN, the form that
 * compilers made every editor understand.
 */
#include "daemon/policy/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/mistake.h"

#define COLOR_ERROR   "\033[1;31m"
#define COLOR_WARNING "\033[1;35m"
#define COLOR_PLACE   "\033[1m"
#define COLOR_END     "\033[0m"

int mistake_set(struct mistake *mistake, size_t offset, const char *format, ...)
{
	va_list arguments;

	mistake->offset = offset;
	va_start(arguments, format);
	vsnprintf(mistake->text, sizeof(mistake->text), format, arguments);
	va_end(arguments);
	return -EINVAL;
}

/* Room for one more item: the array doubles whenever the count is a power of two. */
static int report_reserve(struct policy_report *report)
{
	size_t count = report->count;
	struct policy_diagnostic *items;

	if ((count & (count - 1)) != 0) {
		return 0;
	}
	items = reallocarray(report->items, count == 0 ? 1 : 2 * count, sizeof(*items));
	if (!items) {
		return -ENOMEM;
	}
	report->items = items;
	return 0;
}

int report_add_list(struct policy_report *report, enum policy_severity severity, const char *file,
	unsigned int line, unsigned int column, const char *format, va_list arguments)
{
	struct policy_diagnostic *item;
	cleanup_free char *name = strdup(file);
	cleanup_free char *text = NULL;

	if (!name || vasprintf(&text, format, arguments) < 0) {
		return -ENOMEM;
	}
	if (report_reserve(report) < 0) {
		return -ENOMEM;
	}
	item = &report->items[report->count++];
	item->severity = severity;
	item->file = steal_pointer(&name);
	item->line = line;
	item->column = column;
	item->text = steal_pointer(&text);
	if (severity == POLICY_ERROR) {
		report->error_count++;
	} else {
		report->warning_count++;
	}
	return 0;
}

int report_add(struct policy_report *report, enum policy_severity severity, const char *file,
	unsigned int line, unsigned int column, const char *format, ...)
{
	va_list arguments;
	int r;

	va_start(arguments, format);
	r = report_add_list(report, severity, file, line, column, format, arguments);
	va_end(arguments);
	return r;
}

static int compare_diagnostics(const void *left, const void *right)
{
	const struct policy_diagnostic *a = left, *b = right;

	if (a->line != b->line) {
		return a->line < b->line ? -1 : 1;
	}
	if (a->column != b->column) {
		return a->column < b->column ? -1 : 1;
	}
	if (a->severity != b->severity) {
		return a->severity < b->severity ? -1 : 1;
	}
	return strcmp(a->text, b->text);
}

void report_sort(struct policy_report *report)
{
	if (report->count > 1) {
		qsort(report->items, report->count, sizeof(*report->items), compare_diagnostics);
	}
}

int report_move(struct policy_report *to, struct policy_report *from)
{
	for (size_t i = 0; i < from->count; i++) {
		if (report_reserve(to) < 0) {
			return -ENOMEM;
		}
		to->items[to->count++] = from->items[i];
		memset(&from->items[i], 0, sizeof(from->items[i]));
	}
	to->error_count += from->error_count;
	to->warning_count += from->warning_count;
	policy_report_finish(from);
	return 0;
}

void policy_report_finish(struct policy_report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		free(report->items[i].file);
		free(report->items[i].text);
	}
	free(report->items);
	memset(report, 0, sizeof(*report));
}

void policy_report_print(const struct policy_report *report, FILE *out, bool color)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct policy_diagnostic *item = &report->items[i];
		bool error = item->severity == POLICY_ERROR;

		fputs(color ? COLOR_PLACE : "", out);
		fputs(item->file, out);
		if (item->line != 0) {
			fprintf(out, ":%u:%u", item->line, item->column);
		}
		fprintf(out, ":%s %s%s:%s %s\n", color ? COLOR_END : "",
			color ? (error ? COLOR_ERROR : COLOR_WARNING) : "",
			error ? "error" : "warning", color ? COLOR_END : "", item->text);
	}
}

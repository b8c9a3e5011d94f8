/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/policy/lint_warn.h"

#include <stdarg.h>

#include "daemon/policy/report.h"

/* A file that is included twice has two reports, but one is as good as the other. */
void lint_warn(struct lint *lint, struct policy_place place, const char *format, ...)
{
	size_t i = 0;
	va_list arguments;

	while (i + 1 < lint->policy->file_count && lint->policy->files[i].name != place.file) {
		i++;
	}
	va_start(arguments, format);
	if (report_add_list(&lint->reports[i], POLICY_WARNING, lint->policy->files[i].name,
		    place.line, place.column, format, arguments) < 0) {
		lint->no_memory = true;
	}
	va_end(arguments);
}

struct policy_place lint_place_of(
	const struct policy_rule *rule, const struct policy_subject *subject)
{
	return (struct policy_place){
		rule->origin.file,
		subject ? subject->line : rule->origin.line,
		subject ? subject->column : rule->origin.column,
	};
}

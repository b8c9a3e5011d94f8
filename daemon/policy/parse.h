/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From text to rules: reads a file and those it includes into a policy.
 */
#pragma once

#include "daemon/policy/model.h"
#include "daemon/policy/source.h"

struct parse {
	struct policy *policy; /* its variables are set; it gets the rest */
	struct source *source;
	bool replay;                   /* services are those of the policy, not of this machine */
	struct policy_report *reports; /* one for each file of the policy */
	size_t report_count;
	struct policy_report *report; /* of what belongs to no file */
};

/*
 * 0 if all could be read, whatever was complained about; -ENOMEM, -EBADMSG (snapshot), or the
 * negative errno for which `file` itself could not be read, complained about in parse->report.
 */
int parse_policy(struct parse *parse, const char *file);
void parse_finish(struct parse *parse);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is left to Landlock of reading where [policy] says `mechanism = kernel`: more than where the
 * answers have to be those of the broker to the last one (mechanism.h). What is granted are files
 * and directories as they are when the session starts, and denials are in no log; a directory in
 * which something is denied is granted by its other entries, and so cannot be listed itself. What
 * may not be read cannot be executed either, whatever is said of that.
 *
 * It stays a boundary: a program reads nothing that the rules keep from it. A name that is denied
 * where the program itself makes files cannot be left out, nor can an errno other than EACCES be
 * had; of these the client looks whether something is there, and if so leaves all to the broker.
 * In /proc the kernel keeps of processes outside of the session what it keeps from who may not
 * trace them; the denials that say the same are taken for said.
 */
#pragma once

#include "daemon/base/string_pack.h"
#include "daemon/policy/mechanism.h"

/* `signs` gets how each subject is told to the client: one of WIRE_READING_SIGNS, or NUL. */
struct mechanism_choice reading_choose(
	const struct survey *survey, char signs[MECHANISM_SUBJECTS_MAX]);

/*
 * Appends the rules for the client, in their order (see FILTER in include/usher/wire.h); the choice
 * was Landlock. 0, -E2BIG or -ENOMEM.
 */
int reading_rules_append(
	struct string_pack *grants, const struct policy *policy, const char *signs);

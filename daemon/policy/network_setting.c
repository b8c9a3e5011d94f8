/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/policy/network_setting.h"

#include <errno.h>
#include <string.h>

#include "daemon/policy/report.h"
#include "daemon/policy/words.h"

static int refuse_word(const struct token *word, struct complaints *complaints)
{
	struct nearest nearest = NEAREST_TO(word->text, word->length);
	char hint[NEAREST_HINT_MAX];

	nearest_offer_words(&nearest, &network_words);
	complain(complaints, word->line, word->column,
		"'%.*s' is not a network%s; one of host, broker, none is expected",
		(int)word->length, word->text, nearest_hint(&nearest, hint, sizeof(hint)));
	return -EINVAL;
}

int network_setting_read(struct policy *policy, const struct tokens *words, unsigned int depth,
	struct complaints *complaints)
{
	const struct token *first = &words->items[0];
	const struct word *network = word_find(&network_words, first->text, first->length);

	if (!network) {
		return refuse_word(first, complaints);
	}
	if (words->count > 1) {
		complain(complaints, first[1].line, first[1].column, "'net' has one value");
		return -EINVAL;
	}
	if (policy->network_place.file && policy->network_depth == depth &&
		strcmp(policy->network_place.file, complaints->file) == 0) {
		complain(complaints, first->line, first->column,
			"a second 'net'; the first is in line %u", policy->network_place.line);
		return -EINVAL;
	}
	if (!policy->network_place.file || depth < policy->network_depth) {
		policy->network = (enum wire_network)network->value;
		policy->network_depth = depth;
		policy->network_place =
			(struct policy_place){complaints->file, first->line, first->column};
	}
	return 0;
}

int network_setting_check(const struct policy *policy, struct policy_report *report)
{
	const struct policy_place *place = &policy->network_place;

	if (policy->asked == WIRE_NETWORK_UNASKED || policy->asked >= policy->network) {
		return 0;
	}
	report_add(report, POLICY_ERROR, place->file, place->line, place->column,
		"the policy says 'net = %s', which nobody can widen to '%s'; leave --net out",
		policy_network_name(policy->network), policy_network_name(policy->asked));
	return -EINVAL;
}

enum wire_network policy_network(const struct policy *policy)
{
	enum wire_network network =
		policy->asked > policy->network ? policy->asked : policy->network;

	return network == WIRE_NETWORK_UNASKED ? WIRE_NETWORK_HOST : network;
}

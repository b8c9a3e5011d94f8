/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file's lines come in order (ini.h). A key and what its value goes on with in the lines below
 * are gathered into one entry, which is read when the next key, header or the end of the file shows
 * that it is whole. An `include` is read at that very moment, so that its rules stand in its place.
 *
 * Of several defaults for one section the one nearest to the first file counts, and among equals
 * the first: a file can overrule what it includes. Two in one file are a mistake.
 */
#include "daemon/policy/parse.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/entry.h"
#include "daemon/policy/ini.h"
#include "daemon/policy/key.h"
#include "daemon/policy/network_setting.h"
#include "daemon/policy/subject.h"
#include "daemon/policy/switch_setting.h"
#include "daemon/policy/words.h"

#define SECTION_NONE    (-2) /* before the first header */
#define SECTION_UNKNOWN (-3) /* complained about; its keys are passed over */

/* One file that is being read. */
struct file_parse {
	struct parse *parse;
	struct source_file file;
	size_t index;
	struct complaints complaints;
	long section; /* enum policy_section, SECTION_POLICY and so on */
	struct entry entry;
	struct tokens tokens;
	struct subject_reading subjects;
	unsigned int default_lines[POLICY_SECTIONS]; /* where this file has its default */
	unsigned int description_line, follow_line, mechanism_line;
};

static int parse_file(struct parse *parse, const struct source_file *parent, const char *name,
	struct mistake *mistake);

/* ---- entries ---- */

static int split_piece(struct file_parse *file, const struct piece *piece, enum split_mode mode)
{
	return split(
		&file->tokens, piece->text, piece->line, piece->column, mode, &file->complaints);
}

/* The value's words in file->tokens; it has at least one. */
static int split_value(struct file_parse *file, enum split_mode mode)
{
	const struct entry *entry = &file->entry;
	int result = 0;

	file->tokens.count = 0;
	for (size_t i = 1; i < entry->count; i++) {
		int r = split_piece(file, &entry->pieces[i], mode);

		if (r == -ENOMEM) {
			return r;
		}
		result = r < 0 ? r : result;
	}
	if (result == 0 && file->tokens.count == 0) {
		complain(&file->complaints, entry->pieces[1].line, entry->pieces[1].column,
			"there is no value");
		return -EINVAL;
	}
	return result;
}

/* ---- [policy] ---- */

static int read_description(struct file_parse *file)
{
	const struct entry *entry = &file->entry;
	cleanup_free char *text = NULL;
	const char *value;

	if (file->description_line != 0) {
		complain(&file->complaints, entry->pieces[0].line, entry->pieces[0].column,
			"a second description; the first is in line %u", file->description_line);
		return -EINVAL;
	}
	file->description_line = entry->pieces[0].line;
	if (file->file.parent) {
		return 0; /* that of an included file is not the policy's */
	}
	text = entry_text(entry);
	if (!text) {
		return -ENOMEM;
	}
	value = strchr(text, '=') + 1;
	file->parse->policy->description = strdup(value + strspn(value, " "));
	return file->parse->policy->description ? 0 : -ENOMEM;
}

/* Its name is not known before a client's variables are. */
static bool is_of_some_client(const struct file_parse *file, const struct token *token)
{
	return file->parse->policy->variables.any_sets &&
	       memmem(token->text, token->length, "${", 2);
}

static int include(struct file_parse *file, const struct token *token)
{
	struct mistake mistake = {0, ""};
	struct expansion *expansion = &file->subjects.expansion;
	cleanup_free char *name = NULL;
	int r = is_of_some_client(file, token)
			? -ENOKEY
			: variables_expand(&file->parse->policy->variables, token->text,
				  token->length, expansion, &mistake);

	if (r == -ENOKEY) {
		return 0;
	}
	if (r == 0) {
		name = strdup(expansion->text);
		r = name ? parse_file(file->parse, &file->file, name, &mistake) : -ENOMEM;
		/* The list of reports may have moved. */
		file->complaints.report = &file->parse->reports[file->index];
	}
	if (r < 0 && r != -ENOMEM && r != -EBADMSG) {
		complain(&file->complaints, token->line,
			token->column + (unsigned int)mistake.offset, "%s", mistake.text);
		r = -EINVAL;
	}
	return r;
}

/* The words are copied before they are used: nothing of this entry is touched by the other file. */
static int read_includes(struct file_parse *file)
{
	int result = split_value(file, SPLIT_PLAIN);

	for (size_t i = 0; result != -ENOMEM && result != -EBADMSG && i < file->tokens.count; i++) {
		int r = include(file, &file->tokens.items[i]);

		result = r < 0 ? r : result;
	}
	return result;
}

static int read_network(struct file_parse *file)
{
	int r = split_value(file, SPLIT_PLAIN);

	return r < 0 ? r
		     : network_setting_read(file->parse->policy, &file->tokens, file->file.depth,
			       &file->complaints);
}

/* That of an included file is not the policy's, and leaves `value` alone. */
static int read_switch(struct file_parse *file, const struct switch_setting *setting,
	unsigned int *line, unsigned int *value)
{
	unsigned int read;
	int r = split_value(file, SPLIT_PLAIN);

	if (r == 0) {
		r = switch_setting_read(setting, &file->tokens, line, &read, &file->complaints);
	}
	if (r == 0 && !file->file.parent) {
		*value = read;
	}
	return r;
}

static int read_follow(struct file_parse *file)
{
	static const struct switch_setting setting = {"follow", {"no", "yes"}};

	return read_switch(file, &setting, &file->follow_line, &file->parse->policy->follows);
}

static int read_mechanism(struct file_parse *file)
{
	static const struct switch_setting setting = {
		"mechanism", {[MECHANISM_AUTOMATIC] = "automatic", "broker", "kernel"}};

	return read_switch(file, &setting, &file->mechanism_line, &file->parse->policy->mechanism);
}

static int read_setting(struct file_parse *file)
{
	static int (*const readers[])(struct file_parse *) = {
		[KEY_DESCRIPTION] = read_description,
		[KEY_INCLUDE] = read_includes,
		[KEY_NET] = read_network,
		[KEY_FOLLOW] = read_follow,
		[KEY_MECHANISM] = read_mechanism,
	};
	const struct piece *key = &file->entry.pieces[0];
	size_t length = strlen(key->text);
	const struct word *word = word_find(&policy_key_words, key->text, length);
	struct nearest nearest = NEAREST_TO(key->text, length);
	char hint[NEAREST_HINT_MAX];

	if (!word) {
		nearest_offer_words(&nearest, &policy_key_words);
		complain(&file->complaints, key->line, key->column,
			"unknown key '%s' in [policy]%s", key->text,
			nearest_hint(&nearest, hint, sizeof(hint)));
		return -EINVAL;
	}
	return readers[word->value](file);
}

/* ---- rules ---- */

static struct policy_section_rules *section_of(struct file_parse *file)
{
	return &file->parse->policy->sections[file->section];
}

static int check_default(struct file_parse *file, const struct policy_rule *rule)
{
	const struct piece *key = &file->entry.pieces[0];
	unsigned int *line = &file->default_lines[file->section];

	if (*line != 0) {
		complain(&file->complaints, key->line, key->column,
			"a second default of [%s]; the first is in line %u",
			policy_section_name(rule->section), *line);
		return -EINVAL;
	}
	*line = key->line;
	if (rule->action == POLICY_INJECT && rule->section != POLICY_SOCKETS) {
		complain(&file->complaints, file->entry.pieces[1].line,
			file->entry.pieces[1].column, "a default cannot inject");
		return -EINVAL;
	}
	return 0;
}

static int check_action(struct file_parse *file, const struct policy_rule *rule)
{
	const struct piece *key = &file->entry.pieces[0];

	if (rule->action != POLICY_INJECT) {
		return 0;
	}
	if (rule->section == POLICY_SYSCALLS) {
		complain(&file->complaints, key->line, key->column,
			"[syscalls] has nothing to inject: allow, deny or kill");
		return -EINVAL;
	}
	return 0;
}

/* `default = ACTION [ERRNO]` */
static int read_default(struct file_parse *file, struct policy_rule *rule)
{
	struct policy_section_rules *section = section_of(file);
	struct key_parts parts = {.is_default = true};
	int r = split_value(file, SPLIT_PLAIN);

	rule->is_default = true;
	if (r == 0) {
		r = key_parse(
			rule, &parts, file->tokens.items, file->tokens.count, &file->complaints);
	}
	r = r < 0 ? r : check_action(file, rule);
	r = r < 0 ? r : check_default(file, rule);
	if (r < 0 || (section->has_fallback && section->fallback_depth <= file->file.depth)) {
		return r;
	}
	policy_rule_finish(&section->fallback);
	section->fallback = *rule;
	section->has_fallback = true;
	section->fallback_depth = file->file.depth;
	memset(rule, 0, sizeof(*rule));
	return 0;
}

/* `ACTION [ERRNO] [OPERATION ...] = SUBJECT ...`. Key and value are both read, for all mistakes. */
static int read_rule(struct file_parse *file, struct policy_rule *rule)
{
	struct policy_section_rules *section = section_of(file);
	struct key_parts parts = {.is_default = false};
	enum split_mode mode = rule->section == POLICY_SYSCALLS ? SPLIT_PARENTHESES : SPLIT_PLAIN;
	int key, value;

	file->tokens.count = 0;
	key = split_piece(file, &file->entry.pieces[0], SPLIT_PLAIN);
	key = key < 0 ? key
		      : key_parse(rule, &parts, file->tokens.items, file->tokens.count,
				&file->complaints);
	if (parts.all && !section->first_all.file) {
		section->first_all = (struct policy_place){
			file->complaints.file, parts.all->line, parts.all->column};
	}
	key = key < 0 ? key : check_action(file, rule);
	value = key == -ENOMEM ? key : split_value(file, mode);
	if (value == 0) {
		value = subjects_parse(rule, &file->subjects, &file->tokens);
	}
	if (key < 0 || value < 0) {
		return key == -ENOMEM || value == -ENOMEM ? -ENOMEM : -EINVAL;
	}
	return policy_add_rule(file->parse->policy, rule);
}

static int read_policy_rule(struct file_parse *file)
{
	const struct piece *key = &file->entry.pieces[0];
	struct policy_rule rule = {
		.section = (enum policy_section)file->section,
		.origin = {file->complaints.file, key->line, key->column, NULL},
	};
	int r;

	rule.origin.text = entry_text(&file->entry);
	if (!rule.origin.text) {
		return -ENOMEM;
	}
	r = strcmp(key->text, "default") != 0 ? read_rule(file, &rule) : read_default(file, &rule);
	policy_rule_finish(&rule);
	return r;
}

/* The entry is whole. A mistake in it was complained about, and the reading goes on. */
static int finish_entry(struct file_parse *file)
{
	const struct piece *key = file->entry.pieces;
	int r = 0;

	if (file->entry.count == 0) {
		return 0;
	}
	if (file->section == SECTION_NONE) {
		complain(&file->complaints, key->line, key->column,
			"'%s' stands before the first section", key->text);
	} else if (file->section == SECTION_POLICY) {
		r = read_setting(file);
	} else if (file->section >= 0) {
		r = read_policy_rule(file);
	}
	entry_clear(&file->entry);
	file->tokens.count = 0;
	return r == -EINVAL ? 0 : r;
}

/* ---- what ini.h tells ---- */

static int on_section(void *user, const struct ini_piece *name)
{
	struct file_parse *file = user;
	size_t length = strlen(name->text);
	const struct word *word = word_find(&section_words, name->text, length);
	struct nearest nearest = NEAREST_TO(name->text, length);
	char hint[NEAREST_HINT_MAX];
	int r = finish_entry(file);

	if (!word) {
		nearest_offer_words(&nearest, &section_words);
		complain(&file->complaints, name->line, name->column, "unknown section [%s]%s",
			name->text, nearest_hint(&nearest, hint, sizeof(hint)));
		file->section = SECTION_UNKNOWN;
		return r;
	}
	file->section = word->value;
	if (file->section >= 0 && !section_of(file)->present) {
		section_of(file)->present = true;
		section_of(file)->place =
			(struct policy_place){file->complaints.file, name->line, name->column};
	}
	return r;
}

static int on_key(void *user, const struct ini_piece *key, const struct ini_piece *value)
{
	struct file_parse *file = user;
	int r = finish_entry(file);

	r = r < 0 ? r : entry_add(&file->entry, key);
	return r < 0 ? r : entry_add(&file->entry, value);
}

static int on_more(void *user, const struct ini_piece *value)
{
	struct file_parse *file = user;

	return entry_add(&file->entry, value);
}

static int on_mistake(void *user, unsigned int line, unsigned int column, const char *text)
{
	struct file_parse *file = user;

	complain(&file->complaints, line, column, "%s", text);
	return 0;
}

static const struct ini_handler handler = {on_section, on_key, on_more, on_mistake};

/* ---- files ---- */

/* Ports are looked up once and kept, so that a snapshot has them. */
static unsigned int find_service(void *user, const char *service, const char *protocol)
{
	struct parse *parse = user;
	struct policy *policy = parse->policy;
	const struct servent *entry;
	unsigned int port;

	for (size_t i = 0; i < policy->service_count; i++) {
		if (!strcmp(policy->services[i].name, service) &&
			!strcmp(policy->services[i].protocol, protocol)) {
			return policy->services[i].port;
		}
	}
	entry = parse->replay ? NULL : getservbyname(service, protocol);
	port = entry ? ntohs((uint16_t)entry->s_port) : 0;
	return port != 0 && policy_add_service(policy, service, protocol, port) < 0 ? 0 : port;
}

static int add_report(struct parse *parse)
{
	struct policy_report *reports =
		reallocarray(parse->reports, parse->report_count + 1, sizeof(*reports));

	if (!reports) {
		return -ENOMEM;
	}
	parse->reports = reports;
	memset(&reports[parse->report_count++], 0, sizeof(*reports));
	return 0;
}

static int read_lines(struct file_parse *file)
{
	struct parse *parse = file->parse;
	const struct service_lookup services = {find_service, parse};
	const struct policy_file *text = &parse->policy->files[file->index];
	int r;

	file->section = SECTION_NONE;
	file->complaints.file = text->name;
	file->complaints.report = &parse->reports[file->index];
	file->file.name = text->name;
	file->subjects.variables = &parse->policy->variables;
	file->subjects.services = &services;
	file->subjects.complaints = &file->complaints;
	r = ini_read(text->text, text->size, &handler, file);
	r = r < 0 ? r : finish_entry(file);
	entry_finish(&file->entry);
	tokens_finish(&file->tokens);
	expansion_finish(&file->subjects.expansion);
	return r < 0 ? r : file->complaints.no_memory ? -ENOMEM : 0;
}

static int parse_file(struct parse *parse, const struct source_file *parent, const char *name,
	struct mistake *mistake)
{
	struct file_parse file = {.parse = parse};
	char *known_as = NULL, *text = NULL;
	size_t size = 0;
	int r = source_read(
		parse->source, parent, name, &file.file, &known_as, &text, &size, mistake);

	if (r < 0) {
		return r;
	}
	r = policy_add_file(parse->policy, known_as, text, size);
	if (r < 0) {
		return r;
	}
	file.index = (size_t)r;
	r = add_report(parse);
	return r < 0 ? r : read_lines(&file);
}

int parse_policy(struct parse *parse, const char *file)
{
	struct mistake mistake = {0, ""};
	int r = parse_file(parse, NULL, file, &mistake);

	if (r < 0 && mistake.text[0] != '\0' && r != -ENOMEM && r != -EBADMSG) {
		report_add(parse->report, POLICY_ERROR, file, 0, 0, "%s", mistake.text);
	}
	return r;
}

void parse_finish(struct parse *parse)
{
	for (size_t i = 0; i < parse->report_count; i++) {
		policy_report_finish(&parse->reports[i]);
	}
	free(parse->reports);
	parse->reports = NULL;
	parse->report_count = 0;
}

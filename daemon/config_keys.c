/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table says which keys there are and what takes their values. Names of users and groups are
 * looked up here, once, so that no client ever waits for a name service.
 */
#include "daemon/config_keys.h"

#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/config.h"
#include "daemon/policy/ini.h"
#include "daemon/policy/report.h"

#define GRANT_PREFIX "grant "

enum section { SECTION_NONE, SECTION_DAEMON, SECTION_LIMITS, SECTION_GRANT, SECTION_UNKNOWN };

struct key;

struct reader {
	struct config *config;
	const char *file;
	struct policy_report *report;
	enum section section;
	const struct key *key; /* the one that an indented line goes on with */
	uint32_t seen;         /* keys of this section, by their index in the table */
};

/* Takes one word of a value. */
typedef int taker(struct reader *reader, const struct ini_piece *word);

static taker take_path, take_mode, take_group_id, take_directory, take_audit, take_number;
static taker take_user, take_group, take_policy;

static const struct key {
	enum section section;
	const char *name;
	taker *take;
	bool is_list; /* several words, also in indented lines below */
	/* take_path, take_mode, take_number, take_group_id: where to; what number is possible. */
	size_t offset;
	unsigned int least, most;
} keys[] = {
	{SECTION_DAEMON, "socket", take_path, false, offsetof(struct config, socket), 0, 0},
	{SECTION_DAEMON, "socket-mode", take_mode, false, offsetof(struct config, socket_mode), 0,
		0},
	{SECTION_DAEMON, "socket-group", take_group_id, false,
		offsetof(struct config, socket_group), 0, 0},
	{SECTION_DAEMON, "control-group", take_group_id, false,
		offsetof(struct config, control_group), 0, 0},
	{SECTION_DAEMON, "metrics", take_path, false, offsetof(struct config, metrics), 0, 0},
	{SECTION_DAEMON, "metrics-mode", take_mode, false, offsetof(struct config, metrics_mode), 0,
		0},
	{SECTION_DAEMON, "metrics-group", take_group_id, false,
		offsetof(struct config, metrics_group), 0, 0},
	{SECTION_DAEMON, "policies", take_directory, true, 0, 0, 0},
	{SECTION_DAEMON, "audit", take_audit, false, 0, 0, 0},
	{SECTION_LIMITS, "sessions", take_number, false, offsetof(struct config, sessions.total), 1,
		100000},
	{SECTION_LIMITS, "sessions-per-user", take_number, false,
		offsetof(struct config, sessions.per_user), 1, 100000},
	{SECTION_LIMITS, "clients", take_number, false, offsetof(struct config, clients.total), 1,
		10000},
	{SECTION_LIMITS, "clients-per-user", take_number, false,
		offsetof(struct config, clients.per_user), 1, 10000},
	{SECTION_LIMITS, "handshake-timeout", take_number, false,
		offsetof(struct config, handshake_seconds), 1, 600},
	{SECTION_GRANT, "users", take_user, true, 0, 0, 0},
	{SECTION_GRANT, "groups", take_group, true, 0, 0, 0},
	{SECTION_GRANT, "policies", take_policy, true, 0, 0, 0},
};
static_assert(array_length(keys) <= 32, "reader.seen has a bit for each");

static int complain(
	struct reader *reader, const struct ini_piece *where, const char *format, const char *text)
{
	return report_add(reader->report, POLICY_ERROR, reader->file, where->line, where->column,
		format, text);
}

/* Grows an array by one element and returns the place of it, or NULL. */
static void *append(void *arrayp, size_t *count, size_t size)
{
	void **array = arrayp;
	void *grown = reallocarray(*array, *count + 2, size);

	if (!grown) {
		return NULL;
	}
	*array = grown;
	/* One more than counted stays zero: lists of strings end with NULL. */
	memset((char *)grown + *count * size, 0, 2 * size);
	return (char *)grown + (*count)++ * size;
}

static int append_string(char ***list, size_t *count, const char *text)
{
	char *copy = strdup(text);
	char **place = copy ? append(list, count, sizeof(*place)) : NULL;

	if (!place) {
		free(copy);
		return -ENOMEM;
	}
	*place = copy;
	return 0;
}

static struct grant *current_grant(struct reader *reader)
{
	return &reader->config->grants[reader->config->grant_count - 1];
}

/* Where the key of the line puts its value. */
static void *place_of_value(const struct reader *reader)
{
	return (char *)reader->config + reader->key->offset;
}

static int take_path(struct reader *reader, const struct ini_piece *word)
{
	char **place = place_of_value(reader);

	if (word->text[0] != '/') {
		return complain(reader, word, "'%s' is not an absolute path", word->text);
	}
	free(*place);
	*place = strdup(word->text);
	return *place ? 0 : -ENOMEM;
}

static int take_mode(struct reader *reader, const struct ini_piece *word)
{
	char *end;
	unsigned long mode = strtoul(word->text, &end, 8);

	if (strspn(word->text, "01234567") == 0 || *end != '\0' || mode > 0777) {
		return complain(reader, word, "'%s' is not a mode, as 0660 is", word->text);
	}
	*(mode_t *)place_of_value(reader) = (mode_t)mode;
	return 0;
}

/* A decimal number that fits into an id, or -1. */
static int64_t parse_id(const char *text)
{
	char *end;
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 10 || text[digits] != '\0') {
		return -1;
	}
	int64_t id = strtoll(text, &end, 10);
	return id < UINT32_MAX ? id : -1;
}

static int64_t find_group(const char *text)
{
	int64_t id = parse_id(text);
	struct group *group = id < 0 ? getgrnam(text) : NULL;

	return group ? (int64_t)group->gr_gid : id;
}

static int64_t find_user(const char *text)
{
	int64_t id = parse_id(text);
	struct passwd *user = id < 0 ? getpwnam(text) : NULL;

	return user ? (int64_t)user->pw_uid : id;
}

static int take_group_id(struct reader *reader, const struct ini_piece *word)
{
	int64_t id = find_group(word->text);

	if (id < 0) {
		return complain(reader, word, "there is no group '%s'", word->text);
	}
	*(gid_t *)place_of_value(reader) = (gid_t)id;
	return 0;
}

static int take_directory(struct reader *reader, const struct ini_piece *word)
{
	struct config *config = reader->config;

	if (word->text[0] != '/') {
		return complain(reader, word, "'%s' is not an absolute path", word->text);
	}
	return append_string(&config->policies, &config->policy_count, word->text);
}

static int take_audit(struct reader *reader, const struct ini_piece *word)
{
	bool is_yes = strcmp(word->text, "yes") == 0;

	if (!is_yes && strcmp(word->text, "no") != 0) {
		return complain(reader, word, "'%s' is neither yes nor no", word->text);
	}
	reader->config->audit = is_yes;
	return 0;
}

static int take_number(struct reader *reader, const struct ini_piece *word)
{
	int64_t number = parse_id(word->text);
	const struct key *key = reader->key;

	if (number < key->least || number > key->most) {
		return report_add(reader->report, POLICY_ERROR, reader->file, word->line,
			word->column, "'%s' is not a number from %u to %u", word->text, key->least,
			key->most);
	}
	*(unsigned int *)place_of_value(reader) = (unsigned int)number;
	return 0;
}

static int take_user(struct reader *reader, const struct ini_piece *word)
{
	struct grant *grant = current_grant(reader);

	if (strcmp(word->text, "*") == 0) {
		grant->any_user = true;
		return 0;
	}
	int64_t id = find_user(word->text);
	if (id < 0) {
		return complain(reader, word, "there is no user '%s'", word->text);
	}
	uid_t *place = append(&grant->users, &grant->user_count, sizeof(*place));
	if (place) {
		*place = (uid_t)id;
	}
	return place ? 0 : -ENOMEM;
}

static int take_group(struct reader *reader, const struct ini_piece *word)
{
	struct grant *grant = current_grant(reader);
	int64_t id = find_group(word->text);

	if (id < 0) {
		return complain(reader, word, "there is no group '%s'", word->text);
	}
	gid_t *place = append(&grant->groups, &grant->group_count, sizeof(*place));
	if (place) {
		*place = (gid_t)id;
	}
	return place ? 0 : -ENOMEM;
}

static int take_policy(struct reader *reader, const struct ini_piece *word)
{
	struct grant *grant = current_grant(reader);

	if (strchr(word->text, '/')) {
		return complain(reader, word,
			"'%s' is a path; policies are granted by their names in the policy "
			"directories",
			word->text);
	}
	return append_string(&grant->policies, &grant->policy_count, word->text);
}

static int begin_grant(struct reader *reader, const struct ini_piece *name)
{
	const char *grant_name = name->text + strlen(GRANT_PREFIX);
	struct config *config = reader->config;

	for (size_t i = 0; i < config->grant_count; i++) {
		if (strcmp(config->grants[i].name, grant_name) == 0) {
			return complain(reader, name, "there is a grant '%s' already", grant_name);
		}
	}
	struct grant *grant = append(&config->grants, &config->grant_count, sizeof(*grant));
	if (!grant) {
		return -ENOMEM;
	}
	grant->name = strdup(grant_name);
	reader->section = SECTION_GRANT;
	return grant->name ? 0 : -ENOMEM;
}

static const char *const section_names[] = {
	[SECTION_DAEMON] = "daemon", [SECTION_LIMITS] = "limits", [SECTION_GRANT] = "grant"};

const char *config_key_name(size_t index, const char **section)
{
	if (index >= array_length(keys)) {
		return NULL;
	}
	*section = section_names[keys[index].section];
	return keys[index].name;
}

static int on_section(void *user, const struct ini_piece *name)
{
	struct reader *reader = user;

	reader->key = NULL;
	reader->section = SECTION_UNKNOWN;
	reader->seen = 0;
	for (enum section i = SECTION_DAEMON; i < SECTION_GRANT; i++) {
		if (strcmp(section_names[i], name->text) == 0) {
			reader->section = i;
			return 0;
		}
	}
	if (strncmp(name->text, GRANT_PREFIX, strlen(GRANT_PREFIX)) == 0 &&
		name->text[strlen(GRANT_PREFIX)] != '\0') {
		return begin_grant(reader, name);
	}
	return complain(reader, name,
		"unknown section '%s'; there are [daemon], [limits] and [grant NAME]", name->text);
}

static int on_value(void *user, const struct ini_piece *value)
{
	struct reader *reader = user;
	cleanup_free char *words = strdup(value->text);
	char *rest;

	if (!words || !reader->key) {
		return words ? 0 : -ENOMEM; /* the key is wrong, and that was said */
	}
	int count = 0, result = 0;
	for (char *word = strtok_r(words, " \t", &rest); word && result == 0;
		word = strtok_r(NULL, " \t", &rest)) {
		struct ini_piece piece = {
			value->line, value->column + (unsigned int)(word - words), word};
		result = count++ > 0 && !reader->key->is_list
				 ? complain(reader, &piece, "'%s' is one word too many", word)
				 : reader->key->take(reader, &piece);
	}
	if (count == 0 && result == 0) {
		return complain(reader, value, "'%s' has no value", reader->key->name);
	}
	return result;
}

static int on_key(void *user, const struct ini_piece *name, const struct ini_piece *value)
{
	struct reader *reader = user;

	reader->key = NULL;
	if (reader->section == SECTION_UNKNOWN) {
		return 0; /* of the section it is known already */
	}
	for (size_t i = 0; i < array_length(keys); i++) {
		if (keys[i].section != reader->section || strcmp(keys[i].name, name->text) != 0) {
			continue;
		}
		if (reader->seen & (1u << i)) {
			return complain(reader, name, "'%s' is given twice", name->text);
		}
		reader->seen |= 1u << i;
		reader->key = &keys[i];
		return on_value(reader, value);
	}
	return complain(reader, name,
		reader->section == SECTION_NONE ? "'%s' stands in no section"
						: "unknown key '%s' in this section",
		name->text);
}

static int on_more(void *user, const struct ini_piece *value)
{
	struct reader *reader = user;

	if (reader->key && !reader->key->is_list) {
		return complain(reader, value, "'%s' has one value", reader->key->name);
	}
	return on_value(reader, value);
}

static int on_mistake(void *user, unsigned int line, unsigned int column, const char *text)
{
	struct reader *reader = user;

	return complain(reader, &(struct ini_piece){line, column, ""}, "%s", text);
}

static const struct ini_handler handler = {
	.section = on_section, .key = on_key, .more = on_more, .mistake = on_mistake};

/* A grant that grants nothing is surely not meant. */
static int check_grants(struct reader *reader)
{
	int result = 0;

	for (size_t i = 0; i < reader->config->grant_count && result == 0; i++) {
		const struct grant *grant = &reader->config->grants[i];
		bool has_subject = grant->any_user || grant->user_count || grant->group_count;
		if (!has_subject || grant->policy_count == 0) {
			result = report_add(reader->report, POLICY_ERROR, reader->file, 0, 0,
				"[grant %s] needs policies, and users or groups", grant->name);
		}
	}
	return result;
}

int config_read(struct config *config, const char *file, const char *text, size_t size,
	struct policy_report *report)
{
	struct reader reader = {.config = config, .file = file, .report = report};

	int result = ini_read(text, size, &handler, &reader);
	return result < 0 ? result : check_grants(&reader);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/control_request.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/json.h"

#define DEPTH_MAX 4
#define KEYS_MAX  6

enum key_type { TYPE_NUMBER, TYPE_STRING, TYPE_FLAG, TYPE_NUMBERS, TYPE_STRINGS, TYPES };

static const struct {
	const char *name; /* in messages and in `help` */
	enum json_type type, items;
} types[] = {
	[TYPE_NUMBER] = {"number", json_type_int, json_type_null},
	[TYPE_STRING] = {"string", json_type_string, json_type_null},
	[TYPE_FLAG] = {"boolean", json_type_boolean, json_type_null},
	[TYPE_NUMBERS] = {"list of numbers", json_type_array, json_type_int},
	[TYPE_STRINGS] = {"list of strings", json_type_array, json_type_string},
};
static_assert(array_length(types) == TYPES, "a name for each type");

struct key {
	const char *name; /* NULL behind the last */
	enum key_type type;
	bool required;
	uint64_t most; /* of a number */
};

static const struct request {
	const char *name;
	bool for_administrators;
	control_handler *handle;
	struct key keys[KEYS_MAX];
} requests[] = {
	{"version", false, answer_version, {{0}}},
	{"help", false, answer_help, {{0}}},
	{"status", false, answer_status, {{0}}},
	{"sessions", false, answer_sessions,
		{{"session", TYPE_NUMBER, false, UINT64_MAX}, {"policy", TYPE_STRING, false, 0}}},
	{"end", false, answer_end,
		{{"session", TYPE_NUMBER, true, UINT64_MAX}, {"grace", TYPE_NUMBER, false, 600}}},
	{"metrics", false, answer_metrics, {{0}}},
	{"reload", true, answer_reload, {{0}}},
	{"stop", true, answer_stop,
		{{"sessions", TYPE_STRING, false, 0}, {"grace", TYPE_NUMBER, false, 600}}},
	{"monitor", false, answer_monitor,
		{{"sessions", TYPE_NUMBERS, false, UINT64_MAX},
			{"verdicts", TYPE_STRINGS, false, 0},
			{"operations", TYPE_STRINGS, false, 0}, {"policy", TYPE_STRING, false, 0},
			{"path", TYPE_STRING, false, 0}}},
};

/* Every request may have these. */
static const struct key common_keys[] = {
	{"request", TYPE_STRING, true, 0},
	{"version", TYPE_NUMBER, false, UINT64_MAX},
};

static const char *const error_names[] = {
	[CONTROL_NOT_JSON] = "not-json",
	[CONTROL_TOO_LONG] = "too-long",
	[CONTROL_WRONG_VERSION] = "wrong-version",
	[CONTROL_UNKNOWN_REQUEST] = "unknown-request",
	[CONTROL_UNKNOWN_KEY] = "unknown-key",
	[CONTROL_MISSING_KEY] = "missing-key",
	[CONTROL_WRONG_TYPE] = "wrong-type",
	[CONTROL_WRONG_VALUE] = "wrong-value",
	[CONTROL_DENIED] = "denied",
	[CONTROL_NOT_FOUND] = "not-found",
	[CONTROL_BUSY] = "busy",
	[CONTROL_FAILED] = "failed",
	[CONTROL_TOO_SLOW] = "too-slow",
};
static_assert(array_length(error_names) == CONTROL_ERRORS, "a name for each error");

struct json_object *control_error_make(enum control_error error, const char *key, const char *text)
{
	struct json_object *answer = json_object_new_object();
	struct json_object *about = json_object_new_object();

	json_add(about, "code", json_object_new_string(error_names[error]));
	if (key) {
		json_add(about, "key", json_object_new_string(key));
	}
	json_add(about, "text", json_object_new_string(text));
	json_add(answer, "error", about);
	return answer;
}

static struct json_object *describe_keys(const struct request *request)
{
	struct json_object *keys = json_object_new_object();

	for (const struct key *key = request->keys; key->name; key++) {
		struct json_object *about = json_object_new_object();
		json_add(about, "type", json_object_new_string(types[key->type].name));
		json_add(about, "required", json_object_new_boolean(key->required));
		json_add(keys, key->name, about);
	}
	return keys;
}

struct json_object *control_describe_requests(void)
{
	struct json_object *answer = json_object_new_object();
	struct json_object *all = json_object_new_object();
	struct json_object *errors = json_object_new_array();

	for (size_t i = 0; i < array_length(requests); i++) {
		struct json_object *about = json_object_new_object();
		json_add(about, "administrators",
			json_object_new_boolean(requests[i].for_administrators));
		json_add(about, "keys", describe_keys(&requests[i]));
		json_add(all, requests[i].name, about);
	}
	for (size_t i = 0; i < array_length(error_names); i++) {
		json_append(errors, json_object_new_string(error_names[i]));
	}
	json_add(answer, "requests", all);
	json_add(answer, "errors", errors);
	return answer;
}

static struct json_object *parse(const char *line, size_t length)
{
	struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);

	if (!tokener) {
		return NULL;
	}
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	struct json_object *request = json_tokener_parse_ex(tokener, line, (int)length);
	if (json_tokener_get_parse_end(tokener) != length ||
		!json_object_is_type(request, json_type_object)) {
		json_object_put(request);
		request = NULL;
	}
	json_tokener_free(tokener);
	return request;
}

static const struct key *find_key(const struct key *keys, size_t count, const char *name)
{
	for (size_t i = 0; i < count && keys[i].name; i++) {
		if (strcmp(keys[i].name, name) == 0) {
			return &keys[i];
		}
	}
	return NULL;
}

/* Negative numbers are a value that is wrong, not a type. */
static bool is_in_range(struct json_object *value, uint64_t most)
{
	return json_object_get_int64(value) >= 0 && json_object_get_uint64(value) <= most;
}

static bool text_fits(struct json_object *value)
{
	return (size_t)json_object_get_string_len(value) <= CONTROL_TEXT_MAX &&
	       strlen(json_object_get_string(value)) == (size_t)json_object_get_string_len(value);
}

/* One value, of a key or in its list. */
static bool check_item(struct connection *connection, const struct key *key,
	struct json_object *value, enum json_type wanted)
{
	if (!json_object_is_type(value, wanted)) {
		connection_refuse(connection, CONTROL_WRONG_TYPE, key->name, "'%s' is a %s",
			key->name, types[key->type].name);
		return false;
	}
	if (wanted == json_type_int && !is_in_range(value, key->most)) {
		connection_refuse(connection, CONTROL_WRONG_VALUE, key->name,
			"'%s' is a number from 0 to %" PRIu64, key->name, key->most);
		return false;
	}
	if (wanted == json_type_string && !text_fits(value)) {
		connection_refuse(connection, CONTROL_WRONG_VALUE, key->name,
			"'%s' has at most %u bytes and no NUL", key->name, CONTROL_TEXT_MAX);
		return false;
	}
	return true;
}

static bool check_value(
	struct connection *connection, const struct key *key, struct json_object *value)
{
	if (!check_item(connection, key, value, types[key->type].type)) {
		return false;
	}
	size_t count =
		types[key->type].type == json_type_array ? json_object_array_length(value) : 0;
	for (size_t i = 0; i < count; i++) {
		if (!check_item(connection, key, json_object_array_get_idx(value, i),
			    types[key->type].items)) {
			return false;
		}
	}
	return true;
}

static bool check_keys(
	struct connection *connection, const struct request *request, struct json_object *object)
{
	json_object_object_foreach(object, name, value)
	{
		const struct key *key = find_key(request->keys, KEYS_MAX, name);
		key = key ? key : find_key(common_keys, array_length(common_keys), name);
		if (!key) {
			connection_refuse(connection, CONTROL_UNKNOWN_KEY, name,
				"'%s' has no key '%s'", request->name, name);
			return false;
		}
		if (!check_value(connection, key, value)) {
			return false;
		}
	}
	for (const struct key *key = request->keys; key->name; key++) {
		if (key->required && !json_object_object_get_ex(object, key->name, NULL)) {
			connection_refuse(connection, CONTROL_MISSING_KEY, key->name,
				"'%s' needs the key '%s'", request->name, key->name);
			return false;
		}
	}
	return true;
}

/* The request's row, or NULL with the answer given. */
static const struct request *find_request(struct connection *connection, struct json_object *object)
{
	struct json_object *version = NULL, *name = NULL;

	if (json_object_object_get_ex(object, "version", &version) &&
		(!json_object_is_type(version, json_type_int) ||
			json_object_get_int64(version) != CONTROL_VERSION)) {
		connection_refuse(connection, CONTROL_WRONG_VERSION, "version",
			"this usherd speaks version %d", CONTROL_VERSION);
		return NULL;
	}
	if (!json_object_object_get_ex(object, "request", &name)) {
		connection_refuse(
			connection, CONTROL_MISSING_KEY, "request", "no request is named");
		return NULL;
	}
	if (!json_object_is_type(name, json_type_string)) {
		connection_refuse(connection, CONTROL_WRONG_TYPE, "request",
			"'request' is a string, the request's name");
		return NULL;
	}
	for (size_t i = 0; i < array_length(requests); i++) {
		if (strcmp(requests[i].name, json_object_get_string(name)) == 0) {
			return &requests[i];
		}
	}
	connection_refuse(connection, CONTROL_UNKNOWN_REQUEST, "request",
		"there is no request '%.100s'; 'help' lists them", json_object_get_string(name));
	return NULL;
}

/* The tag goes back as it came: a string or a number. False with the answer given. */
static bool take_tag(struct connection *connection, struct json_object *object)
{
	struct json_object *tag = NULL;

	if (!json_object_object_get_ex(object, "tag", &tag)) {
		return true;
	}
	if (!json_object_is_type(tag, json_type_string) &&
		!json_object_is_type(tag, json_type_int)) {
		connection_refuse(
			connection, CONTROL_WRONG_TYPE, "tag", "'tag' is a string or a number");
		return false;
	}
	connection->tag = json_object_get(tag);
	json_object_object_del(object, "tag");
	return true;
}

static void dispatch(struct connection *connection, struct json_object *object)
{
	const struct request *request = find_request(connection, object);

	if (!request) {
		return;
	}
	connection->request = request->name;
	if (!check_keys(connection, request, object)) {
		return;
	}
	if (request->for_administrators && !connection->is_administrator) {
		connection_refuse(connection, CONTROL_DENIED, NULL,
			"'%s' is for root, the user of usherd and the members of control-group",
			request->name);
		return;
	}
	request->handle(connection, object);
}

void control_request(struct connection *connection, const char *line, size_t length)
{
	errno = 0;
	struct json_object *object = parse(line, length);

	if (errno == ENOMEM) { /* then keys may be missing, and nobody has left them out */
		connection_refuse(connection, CONTROL_FAILED, NULL, "usherd is out of memory");
		json_object_put(object);
		return;
	}
	if (!object) {
		connection_refuse(connection, CONTROL_NOT_JSON, NULL, "not a JSON object");
		return;
	}
	if (take_tag(connection, object)) {
		dispatch(connection, object);
	}
	json_object_put(object);
}

uint64_t control_number(struct json_object *request, const char *key, uint64_t absent)
{
	struct json_object *value = NULL;

	return json_object_object_get_ex(request, key, &value) ? json_object_get_uint64(value)
							       : absent;
}

const char *control_string(struct json_object *request, const char *key, const char *absent)
{
	struct json_object *value = NULL;

	return json_object_object_get_ex(request, key, &value) ? json_object_get_string(value)
							       : absent;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/prepare.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/wire.h"
#include "daemon/config.h"
#include "daemon/peer.h"
#include "daemon/policy/filter_launch.h"
#include "daemon/policy/policy.h"
#include "daemon/policy/texts.h"
#include "daemon/pool.h"

/* The values of a client's variables, as the system knows them. */
struct values {
	char uid[16];
	char *home; /* NULL if the user database does not have the uid */
	char *temporary, *runtime;
};

static __attribute__((format(printf, 3, 4))) int fail(
	struct preparation *preparation, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&preparation->text, format, arguments) < 0) {
		preparation->text = NULL;
	}
	va_end(arguments);
	return error;
}

static void finish_values(struct values *values)
{
	free(values->home);
	free(values->temporary);
	free(values->runtime);
}

/* Patterns are held against resolved names, so a directory that is there is given by its own. */
static char *resolve(const char *directory)
{
	char *resolved = realpath(directory, NULL);

	return resolved ? resolved : strdup(directory);
}

static int find_user(struct preparation *preparation, struct values *values)
{
	struct passwd entry, *found = NULL;
	size_t room = 64 * 1024; /* for any entry that is one */
	cleanup_free char *buffer = malloc(room);

	if (!buffer) {
		return -ENOMEM;
	}
	if (getpwuid_r(preparation->uid, &entry, buffer, room, &found) != 0 || !found) {
		return 0;
	}
	preparation->user = strdup(entry.pw_name);
	values->home = resolve(entry.pw_dir);
	return preparation->user && values->home ? 0 : -ENOMEM;
}

static int find_values(struct preparation *preparation, struct values *values)
{
	char runtime[48];

	snprintf(values->uid, sizeof(values->uid), "%u", preparation->uid);
	snprintf(runtime, sizeof(runtime), "/run/user/%u", preparation->uid);
	values->temporary = resolve("/tmp");
	values->runtime = resolve(runtime);
	return values->temporary && values->runtime ? find_user(preparation, values) : -ENOMEM;
}

static const struct policy_diagnostic *first_error(const struct policy_report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		if (report->items[i].severity == POLICY_ERROR) {
			return &report->items[i];
		}
	}
	return NULL;
}

/* The whole report for the log, and its first mistake for the client. */
static int explain_report(
	struct preparation *preparation, const struct policy_report *report, int error)
{
	const struct policy_diagnostic *first = first_error(report);
	char place[32] = "";
	size_t size;
	FILE *out = open_memstream(&preparation->report, &size);

	if (out) {
		policy_report_print(report, out, false);
		fclose(out);
	}
	if (!first) {
		return fail(preparation, error, "policy '%s' cannot be read: %s",
			preparation->policy, strerror(-error));
	}
	if (first->line > 0) {
		snprintf(place, sizeof(place), ":%u:%u", first->line, first->column);
	}
	return fail(preparation, error, "policy '%s' has %zu mistake%s: %s%s: %s",
		preparation->policy, report->error_count, report->error_count == 1 ? "" : "s",
		first->file, place, first->text);
}

/* One that was loaded with the configuration, or that nobody has loaded yet. */
static int find_policy(const struct preparation *preparation, char **pathp)
{
	const struct config *config = preparation->config;
	const char *kept = policy_texts_find(config->texts, preparation->policy);

	if (kept) {
		*pathp = strdup(kept);
		return *pathp ? 0 : -ENOMEM;
	}
	return policy_find(preparation->policy, (const char *const *)config->policies, pathp);
}

static int load_policy(
	struct preparation *preparation, const struct values *values, struct policy **policyp)
{
	const char *const *directories = (const char *const *)preparation->config->policies;
	struct policy_options options = {.variables = {.home = values->home,
						 .user = preparation->user,
						 .uid = values->uid,
						 .cwd = preparation->directory,
						 .tmpdir = values->temporary,
						 .xdg_runtime_dir = values->runtime,
						 .sets = (const char *const *)preparation->sets,
						 .set_count = preparation->set_count},
		.directories = directories,
		.texts = preparation->config->texts,
		.flags = POLICY_LOAD_REGULAR | (geteuid() == 0 ? POLICY_LOAD_TRUSTED : 0u),
		.network = preparation->asked};
	cleanup_free char *path = NULL;
	struct policy_report report = {0};

	int result = find_policy(preparation, &path);
	if (result < 0) {
		return fail(preparation, result,
			"there is no policy '%s' in the policy directories of usherd",
			preparation->policy);
	}
	result = policy_load(policyp, path, &options, &report);
	if (result < 0) {
		explain_report(preparation, &report, result);
	}
	policy_report_finish(&report);
	return result;
}

static int explain_enforcement(
	struct preparation *preparation, enum enforcement_part failed, int error)
{
	switch (failed) {
	case ENFORCEMENT_GIVEN:
		return error != -E2BIG ? error
				       : fail(preparation, error,
						 "policy '%s' names more sockets than can be "
						 "handed over (%u)",
						 preparation->policy, WIRE_GIVEN_MAX);
	case ENFORCEMENT_FILTER:
		return fail(preparation, error, "policy '%s' cannot be made a filter: %s",
			preparation->policy,
			error == -E2BIG ? "it has too many rules about system calls"
					: strerror(-error));
	case ENFORCEMENT_LAUNCH:
		return fail(preparation, error,
			"no program can be started under the policy '%s': [syscalls] refuses %s; "
			"allow it",
			preparation->policy,
			filter_launch_obstacle(&preparation->enforcement.filter));
	case ENFORCEMENT_EXECUTE:
		return fail(preparation, error,
			"the rules about execute of policy '%s' cannot be sent: %s",
			preparation->policy,
			error == -E2BIG ? "they are too many" : strerror(-error));
	case ENFORCEMENT_GRANTS:
		break;
	}
	return error;
}

static int make(struct preparation *preparation, const struct values *values)
{
	const struct enforcement_options options = {
		.targets_are_root = preparation->targets_are_root,
		.offers_landlock = preparation->offers_landlock};
	cleanup_policy struct policy *policy = NULL;
	enum enforcement_part failed;

	int result = load_policy(preparation, values, &policy);
	if (result < 0) {
		return result;
	}
	result = enforcement_make(&preparation->enforcement, policy, &options, &failed);
	if (result < 0) {
		return explain_enforcement(preparation, failed, result);
	}
	preparation->snapshot = policy_to_snapshot(policy);
	return preparation->snapshot < 0 ? preparation->snapshot : 0;
}

static void work(uv_work_t *work)
{
	struct preparation *preparation = container_of(work, struct preparation, work);
	struct values values = {0};

	preparation->error = find_values(preparation, &values);
	if (preparation->error == 0) {
		preparation->error = make(preparation, &values);
	}
	if (preparation->error < 0 && !preparation->text) {
		fail(preparation, 0, "policy '%s' cannot be used: %s", preparation->policy,
			strerror(-preparation->error));
	}
	finish_values(&values);
}

static void after_work(uv_work_t *work, int status)
{
	struct preparation *preparation = container_of(work, struct preparation, work);

	if (status < 0) {
		preparation->error = status; /* cancelled: the loop ends */
	}
	if (preparation->owner) {
		preparation->done(preparation, preparation->owner);
	} else {
		preparation_free(preparation);
	}
}

static int copy_sets(struct preparation *preparation, const struct wire_hello_strings *hello)
{
	preparation->sets = calloc(hello->set_count + 1, sizeof(*preparation->sets));
	if (!preparation->sets) {
		return -ENOMEM;
	}
	for (; preparation->set_count < hello->set_count; preparation->set_count++) {
		char *copy = strdup(hello->sets[preparation->set_count]);
		if (!copy) {
			return -ENOMEM;
		}
		preparation->sets[preparation->set_count] = copy;
	}
	return 0;
}

int prepare_start(struct preparation **preparationp, uv_loop_t *loop, struct config *config,
	const struct peer *peer, const struct wire_hello_strings *hello,
	void (*done)(struct preparation *preparation, void *owner), void *owner)
{
	struct preparation *preparation = calloc(1, sizeof(*preparation));

	if (!preparation) {
		return -ENOMEM;
	}
	preparation->snapshot = -1;
	preparation->config = config_ref(config);
	preparation->uid = peer->uid;
	preparation->targets_are_root = peer->ids_can_vary;
	preparation->asked = (enum wire_network)hello->network;
	preparation->offers_landlock = hello->offers_landlock;
	preparation->directory = peer_working_directory(peer);
	preparation->done = done;
	preparation->owner = owner;
	preparation->policy = strdup(hello->policy);
	int result = preparation->policy ? copy_sets(preparation, hello) : -ENOMEM;
	if (result == 0) {
		result = pool_queue(loop, &preparation->work, work, after_work);
	}
	if (result < 0) {
		preparation_free(preparation);
		return result;
	}
	*preparationp = preparation;
	return 0;
}

void prepare_forget(struct preparation *preparation)
{
	preparation->owner = NULL;
}

void preparation_free(struct preparation *preparation)
{
	if (!preparation) {
		return;
	}
	for (size_t i = 0; i < preparation->set_count; i++) {
		free(preparation->sets[i]);
	}
	enforcement_finish(&preparation->enforcement);
	close_fd(&preparation->snapshot);
	config_unref(preparation->config);
	free(preparation->sets);
	free(preparation->text);
	free(preparation->report);
	free(preparation->user);
	free(preparation->policy);
	free(preparation->directory);
	free(preparation);
}

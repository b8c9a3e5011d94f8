/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files are known by their whole names; policies by theirs, of which the first counts in the order
 * of the directories.
 */
#include "daemon/policy/texts.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/model.h"
#include "daemon/policy/report.h"

#define SUFFIX ".ini"

/* Stands for a client's values where only the text is of interest. */
static const struct policy_variables somebody = {.home = "/home/somebody",
	.user = "somebody",
	.uid = "65534",
	.cwd = "/home/somebody",
	.tmpdir = "/tmp",
	.xdg_runtime_dir = "/run/user/65534"};

struct text {
	char *path, *text;
	size_t size;
};

struct policy_name {
	char *name, *path;
};

struct policy_texts {
	struct text *files;
	size_t file_count;
	struct policy_name *policies;
	size_t policy_count;
};

struct loading {
	struct policy_texts *texts;
	const char *const *directories;
	unsigned int flags;
	struct policy_report *report;
};

static struct text *find_file(const struct policy_texts *texts, const char *path)
{
	for (size_t i = 0; i < texts->file_count; i++) {
		if (strcmp(texts->files[i].path, path) == 0) {
			return &texts->files[i];
		}
	}
	return NULL;
}

static int add_file(struct policy_texts *texts, const struct policy_file *file)
{
	cleanup_free char *path = strdup(file->name);
	cleanup_free char *text = malloc(file->size + 1);
	struct text *files = reallocarray(texts->files, texts->file_count + 1, sizeof(*files));

	if (files) {
		texts->files = files;
	}
	if (!path || !text || !files) {
		return -ENOMEM;
	}
	memcpy(text, file->text, file->size);
	text[file->size] = '\0';
	files[texts->file_count].path = steal_pointer(&path);
	files[texts->file_count].text = steal_pointer(&text);
	files[texts->file_count++].size = file->size;
	return 0;
}

static int add_policy(struct policy_texts *texts, const char *name, const char *path)
{
	cleanup_free char *name_copy = strdup(name);
	cleanup_free char *path_copy = strdup(path);
	struct policy_name *policies =
		reallocarray(texts->policies, texts->policy_count + 1, sizeof(*policies));

	if (policies) {
		texts->policies = policies;
	}
	if (!name_copy || !path_copy || !policies) {
		return -ENOMEM;
	}
	policies[texts->policy_count].name = steal_pointer(&name_copy);
	policies[texts->policy_count++].path = steal_pointer(&path_copy);
	return 0;
}

/* The policy's own file and those that it includes. */
static int keep(
	struct policy_texts *texts, const char *name, const char *path, const struct policy *policy)
{
	int result = 0;

	for (size_t i = 0; i < policy->file_count && result == 0; i++) {
		if (!find_file(texts, policy->files[i].name)) {
			result = add_file(texts, &policy->files[i]);
		}
	}
	return result < 0 ? result : add_policy(texts, name, path);
}

static bool is_told(const struct policy_report *report, const struct policy_diagnostic *item)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct policy_diagnostic *told = &report->items[i];
		if (told->line == item->line && told->column == item->column &&
			strcmp(told->file, item->file) == 0 &&
			strcmp(told->text, item->text) == 0) {
			return true;
		}
	}
	return false;
}

/* A mistake in a file that many include is one mistake. */
static int tell_once(struct policy_report *report, const struct policy_report *more)
{
	int result = 0;

	for (size_t i = 0; i < more->count && result == 0; i++) {
		const struct policy_diagnostic *item = &more->items[i];
		if (!is_told(report, item)) {
			result = report_add(report, item->severity, item->file, item->line,
				item->column, "%s", item->text);
		}
	}
	return result;
}

static int load_one(const struct loading *loading, const char *name, const char *path)
{
	struct policy_options options = {.variables = somebody,
		.directories = loading->directories,
		.flags = POLICY_LOAD_ANY_SETS |
			 (loading->flags & POLICY_TEXTS_TRUSTED ? POLICY_LOAD_TRUSTED : 0u)};
	cleanup_policy struct policy *policy = NULL;
	struct policy_report report;

	int result = policy_load(&policy, path, &options, &report);
	if (result == 0) {
		result = keep(loading->texts, name, path, policy);
	} else if (result != -ENOMEM) {
		/* What is wrong is in the report; the others are to be looked at, too. */
		result = 0;
	}
	int told = tell_once(loading->report, &report);
	policy_report_finish(&report);
	return result < 0 ? result : told;
}

static int is_policy(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && length > strlen(SUFFIX) &&
	       strcmp(entry->d_name + length - strlen(SUFFIX), SUFFIX) == 0;
}

static int load_file(const struct loading *loading, const char *directory, const char *file)
{
	cleanup_free char *name = strndup(file, strlen(file) - strlen(SUFFIX));
	cleanup_free char *path = NULL;

	if (!name || asprintf(&path, "%s/%s", directory, file) < 0) {
		return -ENOMEM;
	}
	return policy_texts_find(loading->texts, name) ? 0 : load_one(loading, name, path);
}

static int load_directory(const struct loading *loading, const char *directory)
{
	struct dirent **entries = NULL;
	int count = scandir(directory, &entries, is_policy, alphasort);
	int result = 0;

	if (count < 0 && errno != ENOENT && errno != ENOTDIR) {
		result = report_add(loading->report, POLICY_ERROR, directory, 0, 0,
			"the directory cannot be read: %s", strerror(errno));
	}
	for (int i = 0; i < count; i++) {
		result = result < 0 ? result : load_file(loading, directory, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return result;
}

int policy_texts_load(struct policy_texts **textsp, const char *const *directories,
	unsigned int flags, struct policy_report *report)
{
	struct policy_texts *texts = calloc(1, sizeof(*texts));
	const struct loading loading = {texts, directories, flags, report};
	size_t mistakes = report->error_count;
	int result = texts ? 0 : -ENOMEM;

	for (size_t i = 0; directories[i] && result == 0; i++) {
		result = load_directory(&loading, directories[i]);
	}
	if (result == 0 && !(flags & POLICY_TEXTS_FORGIVING) && report->error_count > mistakes) {
		result = -EINVAL;
	}
	if (result < 0) {
		policy_texts_free(texts);
		return result;
	}
	*textsp = texts;
	return 0;
}

void policy_texts_free(struct policy_texts *texts)
{
	if (!texts) {
		return;
	}
	for (size_t i = 0; i < texts->file_count; i++) {
		free(texts->files[i].path);
		free(texts->files[i].text);
	}
	for (size_t i = 0; i < texts->policy_count; i++) {
		free(texts->policies[i].name);
		free(texts->policies[i].path);
	}
	free(texts->files);
	free(texts->policies);
	free(texts);
}

size_t policy_texts_count(const struct policy_texts *texts)
{
	return texts->policy_count;
}

const char *policy_texts_find(const struct policy_texts *texts, const char *name)
{
	for (size_t i = 0; i < texts->policy_count; i++) {
		if (strcmp(texts->policies[i].name, name) == 0) {
			return texts->policies[i].path;
		}
	}
	return NULL;
}

size_t policy_texts_get(
	const struct policy_texts *texts, const char *path, const char **textp, size_t *sizep)
{
	const struct text *file = find_file(texts, path);

	if (!file) {
		return 0;
	}
	*textp = file->text;
	*sizep = file->size;
	return (size_t)(file - texts->files) + 1;
}

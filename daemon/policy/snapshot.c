/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot: the texts that a policy was made from, in the order in which they were read, the
 * values of its variables and the ports of the services it names. It is parsed by the same code as
 * the files were, so that another process, and another build after an upgrade, has the same policy
 * with the same places of its rules, and needs neither the files nor the machine's databases.
 *
 * Layout: a header, then (name, text) of each file, (name, protocol, port) of each service, (name,
 * value) of each variable; a string is its length in four bytes and its bytes. The memfd is sealed:
 * a reader may map it and trust it not to change.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/policy/parse.h"

#define SNAPSHOT_MAGIC    0x70737375u /* "ussp" */
#define SNAPSHOT_VERSION  1u          /* layout 8a316358 */
#define SNAPSHOT_SIZE_MAX (SOURCE_TOTAL_MAX + (4u << 20))
#define SNAPSHOT_SEALS    (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

struct snapshot_header {
	uint32_t magic, version;
	uint32_t files, services, variables;
	uint32_t network; /* enum wire_network that was asked for, beside what the files say */
};
static_assert(sizeof(struct snapshot_header) == 24, "snapshot layout");

/* ---- writing ---- */

static void write_string(FILE *out, const char *text, size_t length)
{
	uint32_t size = (uint32_t)length;

	fwrite(&size, sizeof(size), 1, out);
	fwrite(text, 1, length, out);
}

static void write_number(FILE *out, uint32_t number)
{
	fwrite(&number, sizeof(number), 1, out);
}

static void write_policy(FILE *out, const struct policy *policy)
{
	struct snapshot_header header = {
		.magic = SNAPSHOT_MAGIC,
		.version = SNAPSHOT_VERSION,
		.files = (uint32_t)policy->file_count,
		.services = (uint32_t)policy->service_count,
		.variables = (uint32_t)policy->variables.count,
		.network = policy->asked,
	};

	fwrite(&header, sizeof(header), 1, out);
	for (size_t i = 0; i < policy->file_count; i++) {
		const struct policy_file *file = &policy->files[i];

		write_string(out, file->name, strlen(file->name));
		write_string(out, file->text, file->size);
	}
	for (size_t i = 0; i < policy->service_count; i++) {
		const struct policy_service *service = &policy->services[i];

		write_string(out, service->name, strlen(service->name));
		write_string(out, service->protocol, strlen(service->protocol));
		write_number(out, service->port);
	}
	for (size_t i = 0; i < policy->variables.count; i++) {
		const struct variable *variable = &policy->variables.items[i];

		write_string(out, variable->name, strlen(variable->name));
		write_string(out, variable->value, strlen(variable->value));
	}
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno != EINTR) {
			return -errno;
		}
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

static int render(const struct policy *policy, char **datap, size_t *sizep)
{
	FILE *out = open_memstream(datap, sizep);
	bool failed;

	if (!out) {
		return -ENOMEM;
	}
	write_policy(out, policy);
	failed = ferror(out) != 0;
	return fclose(out) != 0 || failed ? -ENOMEM : 0;
}

int policy_to_snapshot(const struct policy *policy)
{
	cleanup_free char *data = NULL;
	cleanup_fd int fd = -1;
	size_t size = 0;
	int r = render(policy, &data, &size);

	if (r < 0) {
		return r;
	}
	fd = memfd_create("usher-policy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0) {
		return -errno;
	}
	r = write_all(fd, data, size);
	if (r < 0) {
		return r;
	}
	if (fcntl(fd, F_ADD_SEALS, SNAPSHOT_SEALS) < 0) {
		return -errno;
	}
	return steal_fd(&fd);
}

/* ---- reading ---- */

struct snapshot_reader {
	const char *next, *end;
	uint32_t files; /* left */
};

static int read_bytes(struct snapshot_reader *reader, void *to, size_t size)
{
	if ((size_t)(reader->end - reader->next) < size) {
		return -EBADMSG;
	}
	memcpy(to, reader->next, size);
	reader->next += size;
	return 0;
}

/* An allocated string; `sizep` NULL: it has no NUL inside. */
static int read_string(struct snapshot_reader *reader, char **textp, size_t *sizep)
{
	uint32_t size;
	char *text;
	int r = read_bytes(reader, &size, sizeof(size));

	if (r < 0 || (size_t)(reader->end - reader->next) < size ||
		(!sizep && memchr(reader->next, '\0', size))) {
		return -EBADMSG;
	}
	text = malloc((size_t)size + 1);
	if (!text) {
		return -ENOMEM;
	}
	read_bytes(reader, text, size);
	text[size] = '\0';
	if (sizep) {
		*sizep = size;
	}
	*textp = text;
	return 0;
}

/* The source's way of getting the next file. */
static int replay_file(void *user, char **namep, char **textp, size_t *sizep)
{
	struct snapshot_reader *reader = user;
	cleanup_free char *name = NULL;
	int r;

	if (reader->files == 0) {
		return -EBADMSG;
	}
	reader->files--;
	r = read_string(reader, &name, NULL);
	r = r < 0 ? r : read_string(reader, textp, sizep);
	if (r == 0) {
		*namep = steal_pointer(&name);
	}
	return r;
}

static int skip_string(struct snapshot_reader *reader)
{
	uint32_t size;
	int r = read_bytes(reader, &size, sizeof(size));

	if (r < 0 || (size_t)(reader->end - reader->next) < size) {
		return -EBADMSG;
	}
	reader->next += size;
	return 0;
}

static int read_service(struct snapshot_reader *reader, struct policy *policy)
{
	cleanup_free char *name = NULL;
	cleanup_free char *protocol = NULL;
	uint32_t port = 0;
	int r = read_string(reader, &name, NULL);

	r = r < 0 ? r : read_string(reader, &protocol, NULL);
	r = r < 0 ? r : read_bytes(reader, &port, sizeof(port));
	return r < 0 ? r : policy_add_service(policy, name, protocol, port);
}

static int read_variable(struct snapshot_reader *reader, struct policy *policy)
{
	cleanup_free char *name = NULL;
	cleanup_free char *value = NULL;
	int r = read_string(reader, &name, NULL);

	r = r < 0 ? r : read_string(reader, &value, NULL);
	return r < 0 ? r : variables_add(&policy->variables, name, value);
}

/* What stands behind the files is needed before they are parsed. */
static int read_tables(
	struct snapshot_reader reader, const struct snapshot_header *header, struct policy *policy)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < header->files; i++) {
		r = skip_string(&reader);
		r = r < 0 ? r : skip_string(&reader);
	}
	for (uint32_t i = 0; r == 0 && i < header->services; i++) {
		r = read_service(&reader, policy);
	}
	for (uint32_t i = 0; r == 0 && i < header->variables; i++) {
		r = read_variable(&reader, policy);
	}
	return r < 0 ? r : reader.next != reader.end ? -EBADMSG : 0;
}

static int parse_snapshot(struct snapshot_reader *reader, struct policy *policy)
{
	struct policy_report report = {.items = NULL};
	struct source source = {.replay = replay_file, .user = reader};
	struct parse parse = {
		.policy = policy, .source = &source, .replay = true, .report = &report};
	bool wrong = false;
	int r = parse_policy(&parse, "");

	for (size_t i = 0; i < parse.report_count; i++) {
		wrong |= parse.reports[i].error_count > 0;
	}
	parse_finish(&parse);
	policy_report_finish(&report);
	if (r == 0 && (wrong || reader->files != 0)) {
		r = -EBADMSG;
	}
	return r < 0 ? r : policy_seal(policy);
}

static int read_snapshot(struct policy **policyp, const char *data, size_t size)
{
	cleanup_policy struct policy *policy = policy_new();
	struct snapshot_reader reader = {data, data + size, 0};
	struct snapshot_header header;
	int r = policy ? read_bytes(&reader, &header, sizeof(header)) : -ENOMEM;

	if (r == 0 && (header.magic != SNAPSHOT_MAGIC || header.version != SNAPSHOT_VERSION ||
			      header.network >= WIRE_NETWORKS)) {
		r = -EBADMSG;
	}
	r = r < 0 ? r : read_tables(reader, &header, policy);
	if (r == 0) {
		policy->asked = (enum wire_network)header.network;
		reader.files = header.files;
		r = parse_snapshot(&reader, policy);
	}
	if (r == 0) {
		*policyp = steal_pointer(&policy);
	}
	return r;
}

int policy_from_snapshot(struct policy **policyp, int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat status;
	void *data;
	int r;

	if (seals < 0 || (seals & SNAPSHOT_SEALS) != SNAPSHOT_SEALS || fstat(fd, &status) < 0 ||
		status.st_size < (off_t)sizeof(struct snapshot_header) ||
		status.st_size > (off_t)SNAPSHOT_SIZE_MAX) {
		return -EBADMSG;
	}
	data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED) {
		return -errno;
	}
	r = read_snapshot(policyp, data, (size_t)status.st_size);
	munmap(data, (size_t)status.st_size);
	return r;
}

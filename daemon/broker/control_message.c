/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/broker/control_message.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/idmap.h"
#include "daemon/broker/namespaces.h"
#include "daemon/broker/request.h"
#include "daemon/broker/target.h"
#include "daemon/broker/target_fd.h"

#define RIGHTS_MAX 253 /* SCM_MAX_FD of the kernel */

/* One message in the buffer: its header is a copy, its data lies there. */
struct control {
	struct cmsghdr header;
	char *data;
	size_t size;
};

/*
 * The message at `*offset`, which moves on behind it: 1, 0 at the end, or -EINVAL. As
 * for_each_cmsghdr() and CMSG_OK() of the kernel's include/linux/socket.h.
 */
static int next_control(
	const struct message_request *message, size_t *offset, struct control *control)
{
	size_t rest = message->control_size - *offset;

	if (*offset > message->control_size || rest < sizeof(control->header)) {
		return 0;
	}
	memcpy(&control->header, message->control + *offset, sizeof(control->header));
	if (control->header.cmsg_len < sizeof(control->header) || control->header.cmsg_len > rest) {
		return -EINVAL;
	}
	control->data = message->control + *offset + sizeof(control->header);
	control->size = control->header.cmsg_len - sizeof(control->header);
	*offset += CMSG_ALIGN(control->header.cmsg_len);
	return 1;
}

static bool is_of_socket(const struct control *control, int type)
{
	return control->header.cmsg_level == SOL_SOCKET && control->header.cmsg_type == type;
}

/* Each number becomes that of a copy of the target's descriptor. */
static int take_rights(struct request *request, const struct control *control)
{
	struct message_request *message = &request->message;
	size_t count = control->size / sizeof(int);
	int *numbers = (int *)(void *)control->data;

	if (count > RIGHTS_MAX - message->right_count) {
		return -EINVAL;
	}
	if (!message->rights) {
		message->rights = calloc(RIGHTS_MAX, sizeof(int));
	}
	if (!message->rights) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++) {
		int fd = numbers[i] < 0 ? -EBADF : target_take_fd(request->tid, numbers[i]);

		if (fd < 0) {
			return fd;
		}
		message->rights[message->right_count++] = fd;
		numbers[i] = fd;
	}
	return 0;
}

static bool has(const struct request *request, int capability)
{
	return request->identity->capabilities & (1ull << capability);
}

/* Are these numbers those of a field like "Uid: real effective saved filesystem"? */
static bool is_one_of(const char *field, uint32_t id)
{
	unsigned int real, effective, saved;

	return field && sscanf(field, "%u %u %u", &real, &effective, &saved) == 3 &&
	       (id == real || id == effective || id == saved);
}

static uint32_t outward(const struct request *request, const char *file, uint32_t id)
{
	struct idmap map;

	if (target_is_in_other_user_namespace(request->tid) &&
		idmap_read(&map, request->tid, file) == 0) {
		(void)idmap_outward(&map, &id);
	}
	return id;
}

/* The number that the target's process has for itself, in its own namespace. */
static pid_t own_number(const char *status)
{
	const char *field = target_status_field(status, "NStgid");
	size_t length = field ? strcspn(field, "\n") : 0;

	while (length > 0 && field[length - 1] != '\t') {
		length--;
	}
	return length > 0 || field ? (pid_t)strtol(field + length, NULL, 10) : -1;
}

/* Do capabilities of our user namespace count over the numbers of processes that we see? */
static bool pids_are_of_our_namespace(void)
{
	cleanup_fd int pids = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	cleanup_fd int ours = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	cleanup_fd int owner = pids < 0 ? -1 : ioctl(pids, NS_GET_USERNS);
	struct stat first, second;

	return owner >= 0 && ours >= 0 && fstat(owner, &first) == 0 && fstat(ours, &second) == 0 &&
	       namespaces_is_same(&first, &second);
}

static bool rules_pids;

static void find_out_about_pids(void)
{
	rules_pids = pids_are_of_our_namespace();
}

/* Who the message comes from, where the kernel lets us say so: only who rules may name another. */
static pid_t sender(struct request *request)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pid_t tgid = 0;

	if (has(request, CAP_SYS_ADMIN)) {
		pthread_once(&once, find_out_about_pids);
		tgid = rules_pids ? target_tgid(request->tid) : 0;
	}

	return tgid > 0 ? tgid : getpid();
}

/* scm_check_creds() of the kernel's net/core/scm.c, about the target. */
static int check_credentials(struct request *request, struct ucred *claim)
{
	char status[TARGET_STATUS_ROOM];
	int error = target_read_status(request->tid, status);

	if (error < 0) {
		return error;
	}
	claim->uid = outward(request, "uid_map", claim->uid);
	claim->gid = outward(request, "gid_map", claim->gid);
	bool is_own = claim->pid == own_number(status);
	if ((!is_own && !has(request, CAP_SYS_ADMIN)) ||
		(!is_one_of(target_status_field(status, "Uid"), claim->uid) &&
			!has(request, CAP_SETUID)) ||
		(!is_one_of(target_status_field(status, "Gid"), claim->gid) &&
			!has(request, CAP_SETGID))) {
		return -EPERM;
	}
	if (is_own) {
		claim->pid = sender(request);
	}
	return 0;
}

static int take_credentials(struct request *request, const struct control *control)
{
	struct ucred claim;

	if (control->size != sizeof(claim)) {
		return -EINVAL;
	}
	memcpy(&claim, control->data, sizeof(claim));
	int error = check_credentials(request, &claim);
	memcpy(control->data, &claim, sizeof(claim));
	return error;
}

/*
 * A receiver that asks for credentials would see our real ids, which in a session of root's are not
 * the target's if that has changed them: we say who it is, `behind` what the target says.
 */
static int add_credentials(struct request *request, size_t behind)
{
	struct message_request *message = &request->message;
	const struct identity *identity = request->identity;
	struct cmsghdr header = {.cmsg_len = CMSG_LEN(sizeof(struct ucred)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_CREDENTIALS};
	struct ucred claim = {
		.pid = sender(request),
		.uid = has(request, CAP_SETUID) ? identity->real_uid : identity->effective_uid,
		.gid = has(request, CAP_SETGID) ? identity->real_gid : identity->effective_gid,
	};
	char *control = realloc(message->control, behind + CMSG_SPACE(sizeof(claim)));

	if (!control) {
		return -ENOMEM;
	}
	if (behind > message->control_size) { /* what pads the last one was not copied */
		memset(control + message->control_size, 0, behind - message->control_size);
	}
	memcpy(control + behind, &header, sizeof(header));
	memcpy(control + behind + CMSG_LEN(0), &claim, sizeof(claim));
	message->control = control;
	message->control_size = behind + CMSG_SPACE(sizeof(claim));
	return 0;
}

/* Does the message say by which hosts it is to go? Also where it says so of none. */
static bool is_route(const struct control *control)
{
	int level = control->header.cmsg_level, type = control->header.cmsg_type;

	return (level == IPPROTO_IP && type == IP_RETOPTS) ||
	       (level == IPPROTO_IPV6 && (type == IPV6_RTHDR || type == IPV6_2292RTHDR));
}

/* Their messages tell who has sent them. */
static bool tells_sender(int domain)
{
	return domain == AF_UNIX || domain == AF_NETLINK;
}

static int translate(
	struct request *request, const struct control *control, int domain, bool *has_credentials)
{
	if (!tells_sender(domain)) {
		return is_route(control) ? -EPERM : 0;
	}
	if (is_of_socket(control, SCM_RIGHTS)) {
		return domain == AF_UNIX ? take_rights(request, control) : -EINVAL;
	}
	if (is_of_socket(control, SCM_CREDENTIALS)) {
		*has_credentials = true;
		return take_credentials(request, control);
	}
	return 0;
}

static bool speaks_for_itself(const struct request *request)
{
	return !has(request, CAP_SYS_ADMIN) && request->identity->real_uid == getuid() &&
	       request->identity->real_gid == getgid();
}

int control_translate(struct request *request)
{
	const struct message_request *message = &request->message;
	bool has_credentials = false;
	int domain = request->address.domain;
	struct control control;
	size_t offset = 0;
	int more = next_control(message, &offset, &control);

	for (; more > 0; more = next_control(message, &offset, &control)) {
		int error = translate(request, &control, domain, &has_credentials);

		if (error < 0) {
			return error;
		}
	}
	if (!tells_sender(domain)) {
		return 0; /* where they are cut up wrongly the kernel says so, if it looks at them
			   */
	}
	if (more < 0 || has_credentials || speaks_for_itself(request)) {
		return more;
	}
	return add_credentials(request, offset);
}

void control_drop_rights(struct request *request)
{
	struct message_request *message = &request->message;
	struct control control;
	size_t offset = 0, kept = 0;
	size_t start = 0;

	while (next_control(message, &offset, &control) > 0) {
		size_t length = offset < message->control_size ? offset - start
							       : message->control_size - start;
		if (!is_of_socket(&control, SCM_RIGHTS)) {
			memmove(message->control + kept, message->control + start, length);
			kept += length;
		}
		start = offset;
	}
	message->control_size = kept;
}

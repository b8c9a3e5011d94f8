/* SPDX-License-Identifier: Apache-2.0 */
#include "client/handover.h"

#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client/commands.h"
#include "client/core_limit.h"
#include "client/given.h"
#include "client/handover_failure.h"
#include "client/landlock.h"
#include "client/network.h"
#include "client/process_rights.h"
#include "client/rendezvous.h"
#include "daemon/base/cleanup.h"
#include "daemon/base/fdpass.h"
#include "daemon/base/given_up.h"
#include "daemon/base/wire.h"

union packet {
	struct wire_header header;
	struct wire_filter filter;
	struct wire_refused refused;
	char room[WIRE_PACKET_MAX];
};

/* What the two threads share. Each field is written by one of them, once. */
struct handover {
	struct rendezvous *rendezvous;
	const struct handover_hello *hello;
	const union packet *filter; /* what is loaded */
	union packet *answer;       /* room for what the helper hears */
	pid_t tid;
	bool offers_landlock;      /* in HELLO, until it turns out not to suit */
	int given[WIRE_GIVEN_MAX]; /* what the filter names */
	_Atomic int listener;      /* -1: the filter is not loaded yet */
	_Atomic int probe;         /* -1: the probe has not been answered yet */
	_Atomic int ready;         /* the helper has seen READY and checked the probe */
	_Atomic int abandoned;     /* loading failed: the helper has nothing to do */
};

/* The number of bytes that `string` takes in a tail, put there if there is room. */
static size_t put_string(char *tail, size_t used, size_t capacity, const char *string)
{
	size_t length = strlen(string) + 1;

	if (used + length <= capacity) {
		memcpy(tail + used, string, length);
	}
	return used + length;
}

/* `packet` is room for it. */
static int send_hello(
	int socket, const struct handover_hello *hello, bool offers_landlock, union packet *packet)
{
	struct wire_hello fixed = {.flags = offers_landlock ? WIRE_HELLO_LANDLOCK : 0,
		.set_count = (uint32_t)hello->set_count,
		.network = hello->network};
	size_t capacity = sizeof(*packet) - sizeof(fixed);
	int fds[2];
	size_t fd_count = 0;

	char *tail = packet->room + sizeof(fixed);
	size_t used = put_string(tail, 0, capacity, hello->policy);
	used = put_string(tail, used, capacity, hello->command);
	for (size_t i = 0; i < hello->set_count; i++) {
		used = put_string(tail, used, capacity, hello->sets[i]);
	}
	if (used > capacity || hello->set_count > WIRE_SETS_MAX) {
		return -E2BIG;
	}
	if (hello->log_fd >= 0) {
		fixed.flags |= WIRE_HELLO_LOG;
		fds[fd_count++] = hello->log_fd;
	}
	if (hello->verbose_fd >= 0) {
		fixed.flags |= WIRE_HELLO_VERBOSE;
		fds[fd_count++] = hello->verbose_fd;
	}
	fixed.tail_size = (uint32_t)used;
	fixed.header = wire_header_make(WIRE_HELLO, sizeof(fixed) + used);
	memcpy(packet, &fixed, sizeof(fixed));
	return fdpass_send(socket, packet, sizeof(fixed) + used, fds, fd_count);
}

/* Receives what is legal in `phase`. A refusal's text becomes the failure's. */
static int receive(
	int socket, enum wire_phase phase, union packet *packet, struct handover_failure *failure)
{
	int fds[FDPASS_MAX];
	size_t fd_count;
	ssize_t size = fdpass_receive(socket, packet, sizeof(*packet), fds, &fd_count);

	if (size <= 0) {
		return handover_fail(failure, size < 0 ? (int)size : -ECONNRESET,
			"the hand-over failed: %s",
			size < 0 ? strerror((int)-size) : "the other side went away");
	}
	int error = wire_check(phase, packet, (size_t)size, fd_count);
	fdpass_close_all(fds, fd_count);
	if (error < 0) {
		return handover_fail(failure, error,
			"the hand-over failed: usher and usherd do not understand each other; are "
			"they of one version?");
	}
	if (wire_type_of(packet) == WIRE_REFUSED) {
		error = packet->refused.error < 0 ? packet->refused.error : -EPROTO;
		return handover_fail(failure, error, "%s", packet->room + sizeof(packet->refused));
	}
	return 0;
}

/* Wakes nobody if the policy denies it: whoever waits looks again by himself. */
static void wait_while(_Atomic int *word, int value)
{
	static const struct timespec again = {.tv_nsec = 1000000};

	while (atomic_load(word) == value) {
		if (syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, &again, NULL, 0) < 0 &&
			errno != EAGAIN && errno != EINTR && errno != ETIMEDOUT) {
			sched_yield();
		}
	}
}

static void publish(_Atomic int *word, int value)
{
	atomic_store(word, value);
	(void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

_Noreturn static void die(const char *text)
{
	(void)dprintf(STDERR_FILENO, "usher: %s\n", text);
	_exit(EXIT_RUN);
}

/* The broker injected /dev/null, and told its number: so is the whole way proved. */
static void check_probe(struct handover *h)
{
	struct stat st, null;

	wait_while(&h->probe, -1);
	int fd = atomic_load(&h->probe);
	if (fd < 0 || fstat(fd, &st) < 0 || stat("/dev/null", &null) < 0 ||
		st.st_rdev != null.st_rdev) {
		die("the broker's answer to the probe call did not arrive; see 'usher doctor'");
	}
	close(fd);
}

/* The supervisor has died, and the next one may be on its way. */
static bool is_lost(int error)
{
	return error == -ECONNRESET || error == -EPIPE;
}

/* Who is refused before being heard cannot speak any more, and finds the reason in receive(). */
static int say_hello(struct handover *h, union packet *packet, struct handover_failure *failure)
{
	int error = send_hello(h->rendezvous->socket, h->hello, h->offers_landlock, packet);

	if (error < 0 && !is_lost(error)) {
		return handover_explain_sending(failure, error);
	}
	return receive(h->rendezvous->socket, WIRE_PHASE_FILTER, packet, failure);
}

/* HELLO and FILTER, with whoever is there; nothing has happened yet that could not be repeated. */
static int ask_for_filter(
	struct handover *h, union packet *packet, struct handover_failure *failure)
{
	int error = say_hello(h, packet, failure);

	while (is_lost(error) && rendezvous_again(h->rendezvous) == 0) {
		error = say_hello(h, packet, failure);
	}
	return error;
}

static int hand_listener_over(
	struct handover *h, union packet *packet, struct handover_failure *failure)
{
	struct wire_listener message = {.header = wire_header_make(WIRE_LISTENER, sizeof(message)),
		.tid = h->tid,
		.given_count = h->filter->filter.given_count};
	int fds[1 + WIRE_GIVEN_MAX] = {atomic_load(&h->listener)};

	memcpy(fds + 1, h->given, sizeof(h->given));
	int error = fdpass_send(
		h->rendezvous->socket, &message, sizeof(message), fds, 1 + message.given_count);

	if (error < 0 && !is_lost(error)) {
		return handover_explain_sending(failure, error);
	}
	return receive(h->rendezvous->socket, WIRE_PHASE_READY, packet, failure);
}

/* The filter that is loaded stays: a next supervisor that wants another one cannot serve it. */
static int dance_again(struct handover *h, union packet *packet, struct handover_failure *failure)
{
	int error = rendezvous_again(h->rendezvous);

	if (error < 0) {
		return handover_fail(failure, -ENOTCONN,
			h->rendezvous->path
				? "usherd was killed and did not come back"
				: "'usher run' was killed, or may open too few files for a broker "
				  "of its own (ulimit -n)");
	}
	error = ask_for_filter(h, packet, failure);
	if (error == 0 && (packet->header.size != h->filter->header.size ||
				  memcmp(packet, h->filter, packet->header.size) != 0)) {
		return handover_fail(failure, -ESTALE,
			"usherd was restarted meanwhile, and the policy is another now; try again");
	}
	return error;
}

/* LISTENER and READY, and all of it again if the supervisor dies before the end. */
static int finish_dance(struct handover *h, union packet *packet, struct handover_failure *failure)
{
	int error = hand_listener_over(h, packet, failure);

	while (is_lost(error)) {
		error = dance_again(h, packet, failure);
		if (error == 0) {
			error = hand_listener_over(h, packet, failure);
		}
	}
	return error;
}

static void *help(void *argument)
{
	struct handover *h = argument;
	struct handover_failure failure;

	while (atomic_load(&h->listener) < 0 && !atomic_load(&h->abandoned)) {
		wait_while(&h->listener, -1);
	}
	if (atomic_load(&h->abandoned)) {
		return NULL;
	}
	if (finish_dance(h, h->answer, &failure) < 0) {
		die(failure.text);
	}
	close(atomic_load(&h->listener));
	check_probe(h);
	publish(&h->ready, 1);
	return NULL;
}

static int load_filter(const struct sock_fprog *program, unsigned long flags)
{
	long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		SECCOMP_FILTER_FLAG_NEW_LISTENER | flags, program);

	return listener < 0 ? -errno : (int)listener;
}

/* From here on the calling thread is filtered. 0 or a negative errno with nothing loaded. */
static int load(
	struct handover *h, const struct wire_filter *filter, struct handover_failure *failure)
{
	struct sock_fprog program = {.len = (unsigned short)filter->count,
		.filter = (struct sock_filter *)(void *)((char *)filter + sizeof(*filter))};
	int listener = load_filter(&program, filter->seccomp_flags);

	if (listener == -EINVAL && filter->seccomp_flags) {
		listener = load_filter(&program, 0); /* WAIT_KILLABLE_RECV is of Linux 5.19 */
	}
	if (listener < 0) {
		atomic_store(&h->abandoned, 1);
		publish(&h->listener, INT_MAX);
		return handover_explain_filter(failure, listener);
	}
	publish(&h->listener, listener);
	return 0;
}

/* The Landlock layer that goes with the filter. 0, LANDLOCK_UNSUITED, or a negative errno. */
static int make_layer(const struct wire_filter *filter, struct landlock_layer *layer,
	struct handover_failure *failure)
{
	const struct landlock_rules rules = {
		.execute = wire_filter_execute(filter),
		.operations = filter->landlock,
		.grants = wire_filter_grants(filter),
	};
	char reason[LANDLOCK_REASON_MAX];
	int result = landlock_make(&rules, layer, reason);

	return result < 0 ? handover_explain_landlock(failure, result) : result;
}

/* FILTER and layer. */
static int try_filter(struct handover *h, union packet *packet, struct landlock_layer *layer,
	struct handover_failure *failure)
{
	int error = ask_for_filter(h, packet, failure);

	return error < 0 ? error : make_layer(&packet->filter, layer, failure);
}

/* If they do not suit this machine, then those that leave more to the broker. */
static int obtain_filter(struct handover *h, union packet *packet, struct landlock_layer *layer,
	struct handover_failure *failure)
{
	int result = try_filter(h, packet, layer, failure);

	if (result == LANDLOCK_UNSUITED) {
		h->offers_landlock = false;
		result = try_filter(h, packet, layer, failure);
	}
	return result == LANDLOCK_UNSUITED
		       ? handover_fail(failure, -EPROTO,
				 "the hand-over failed: files were left to Landlock unasked")
		       : result;
}

/* Before all else: it takes a process of one thread, and calls that the filter may refuse. */
static int enter_network(const struct wire_filter *filter, struct handover_failure *failure)
{
	int error = filter->network > WIRE_NETWORK_HOST
			    ? network_enter(filter->network == WIRE_NETWORK_BROKER)
			    : 0;

	return error == 0 ? 0
			  : handover_fail(failure, error,
				    "the program is to live in an empty network, and none can be "
				    "made: %s; see 'network namespace' of 'usher doctor'",
				    strerror(-error));
}

/* Before the filter, too. */
static int find_given(struct handover *h, struct handover_failure *failure)
{
	const struct wire_filter *filter = &h->filter->filter;
	const char *missing;

	if (filter->given_count > WIRE_GIVEN_MAX) {
		return handover_fail(
			failure, -E2BIG, "the policy names more than %u sockets", WIRE_GIVEN_MAX);
	}
	int error = given_find(h->hello->passed, wire_filter_given(filter), h->given, &missing);
	return error == 0 ? 0
			  : handover_fail(failure, error,
				    "the policy gives the socket '%s', and there is none of that "
				    "name; name it in a .socket unit: FileDescriptorName=%s",
				    missing, missing);
}

static void probe_and_wait(struct handover *h)
{
	long probe = syscall(SYS_seccomp, WIRE_PROBE_OPERATION, 0, WIRE_PROBE_TEXT);

	publish(&h->probe, probe < 0 ? -2 : (int)probe);
	wait_while(&h->ready, 0);
}

static int give_up_capabilities(const struct wire_filter *filter,
	const struct landlock_layer *layer, struct handover_failure *failure)
{
	uint64_t capabilities = (layer->shows_processes ? GIVEN_UP_FOR_PROC : 0) |
				(filter->network > WIRE_NETWORK_HOST ? GIVEN_UP_FOR_NETWORK : 0);
	int error = capabilities ? process_rights_give_up(capabilities) : 0;

	return error == 0 ? 0
			  : handover_fail(failure, error, "capabilities could not be given up: %s",
				    strerror(-error));
}

/* All before the filter, so that none of the calls that it takes is notified or denied. */
static int lose_rights(const struct wire_filter *filter, const struct landlock_layer *layer,
	struct handover_failure *failure)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		return handover_fail(
			failure, -errno, "no_new_privs cannot be set: %s", strerror(errno));
	}
	int error = core_limit_if_mixed();
	if (error < 0) {
		return handover_fail(
			failure, error, "core files could not be forbidden: %s", strerror(-error));
	}
	error = enter_network(filter, failure);
	if (error == 0) {
		error = landlock_lay_on(layer->ruleset);
		error = error < 0 ? handover_explain_landlock(failure, error) : 0;
	}
	return error == 0 ? give_up_capabilities(filter, layer, failure) : error;
}

int handover(struct rendezvous *rendezvous, const struct handover_hello *hello,
	struct handover_failure *failure)
{
	/* Static: the helper may outlive our frame by a moment, until exec ends it. */
	static struct handover h;
	static union packet room[2];
	union packet *packet = &room[0];
	struct landlock_layer layer = {.ruleset = -1};
	pthread_t helper;

	h = (struct handover){.rendezvous = rendezvous,
		.hello = hello,
		.filter = packet,
		.answer = &room[1],
		.tid = gettid(),
		/* Who wants to see each decision has each made by the broker. */
		.offers_landlock = hello->verbose_fd < 0 && landlock_is_there(),
		.listener = -1,
		.probe = -1};
	int error = obtain_filter(&h, packet, &layer, failure);
	if (error == 0) {
		error = find_given(&h, failure);
	}
	if (error == 0) {
		error = lose_rights(&packet->filter, &layer, failure);
	}
	close_fd(&layer.ruleset);
	if (error < 0) {
		return error;
	}
	error = -pthread_create(&helper, NULL, help, &h);
	if (error < 0) {
		return handover_fail(
			failure, error, "a thread cannot be started: %s", strerror(-error));
	}
	error = load(&h, &packet->filter, failure);
	if (error < 0) {
		pthread_join(helper, NULL);
		return error;
	}
	probe_and_wait(&h);
	(void)pthread_detach(helper);
	return 0;
}

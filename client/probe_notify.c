/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes of the notification itself: does a call come, does it wait, do signals and the end of the
 * target do to it what the broker builds on.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/probe.h"
#include "client/probe_target.h"
#include "daemon/base/cleanup.h"

#define ANSWER         4242
#define ANSWER_ERROR   EDOM
#define KERNEL_RESTART 512 /* ERESTARTSYS, which user space has no header for */
#define SETTLE_NS      20000000L
#define BATCH          100
#define BATCHES        6
#define HANG_UP_MS     1000

static pid_t prober; /* the parent of the targets */
static volatile sig_atomic_t handled;

static void handle(int signal)
{
	(void)signal;
	handled = handled + 1;
}

static void catch_signal(int flags)
{
	struct sigaction action = {.sa_handler = handle, .sa_flags = flags};

	handled = 0;
	sigaction(SIGUSR1, &action, NULL);
}

static int nothing_to_do(void)
{
	return 0;
}

/* One listener in a chain of filters: EBUSY says that there is one already. */
void probe_outer_listener(struct probe_result *result)
{
	struct probe_target target;
	int error = probe_target_start(&target, 0, nothing_to_do);

	if (error == -EBUSY) {
		probe_report(result, PROBE_MISSING, "a supervisor listens to our calls already");
		return;
	}
	if (error == 0) {
		probe_target_finish(&target);
	}
	probe_report(result, PROBE_OK, "nobody else listens to our calls");
}

static int expect_answers(void)
{
	if (probe_call(NULL) != ANSWER) {
		return 1;
	}
	if (probe_call(NULL) != -ANSWER_ERROR) {
		return 2;
	}
	if (probe_call(NULL) != prober) {
		return 3;
	}
	for (int i = 0; i < BATCH; i++) {
		probe_call(NULL);
	}
	return 0;
}

static const char *const answer_failures[] = {"a call did not return what was answered",
	"a call did not fail with the errno that was answered",
	"a call was not performed when it was let through", NULL};

static bool answer_once(
	struct probe_result *result, const struct probe_target *target, int64_t value, int error)
{
	struct seccomp_notif notification;

	if (!probe_next(result, target, &notification)) {
		return false;
	}
	int failed = probe_answer(target, notification.id, value, error);
	if (failed < 0) {
		probe_report(result, PROBE_MISSING, "answering a call: %s", strerror(-failed));
	}
	return failed == 0;
}

static bool continue_once(struct probe_result *result, const struct probe_target *target)
{
	struct seccomp_notif notification;

	if (!probe_next(result, target, &notification)) {
		return false;
	}
	int failed = probe_continue(target, notification.id);
	if (failed < 0) {
		probe_report(
			result, PROBE_MISSING, "letting a call through: %s", strerror(-failed));
	}
	return failed == 0;
}

/* Answers `count` calls without a look left or right. Microseconds of one, negative if one failed.
 */
static double answer_many(const struct probe_target *target, int count)
{
	double start = probe_now_us();

	for (int i = 0; i < count; i++) {
		struct seccomp_notif notification = {0};
		if (ioctl(target->listener, SECCOMP_IOCTL_NOTIF_RECV, &notification) < 0 ||
			probe_answer(target, notification.id, 0, 0) < 0) {
			return PROBE_NO_COST;
		}
	}
	return (probe_now_us() - start) / count;
}

static bool do_sizes_fit(struct probe_result *result)
{
	struct seccomp_notif_sizes sizes = {0};

	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0) {
		probe_report(result, PROBE_MISSING, "asking for the sizes: %s", strerror(errno));
		return false;
	}
	if (sizes.seccomp_notif > sizeof(struct seccomp_notif) ||
		sizes.seccomp_notif_resp > sizeof(struct seccomp_notif_resp)) {
		probe_report(result, PROBE_MISSING,
			"this kernel's notifications are larger than usher knows");
		return false;
	}
	return true;
}

void probe_notification(struct probe_result *result)
{
	struct probe_target target;

	prober = getpid();
	if (!do_sizes_fit(result) || !probe_start(result, &target, 0, expect_answers)) {
		return;
	}
	bool answered = answer_once(result, &target, ANSWER, 0) &&
			answer_once(result, &target, 0, -ANSWER_ERROR) &&
			continue_once(result, &target);
	if (answered) {
		result->cost_us = answer_many(&target, BATCH);
	}
	if (!answered) {
		probe_target_finish(&target);
	} else if (probe_finish(result, &target, answer_failures)) {
		probe_report(result, PROBE_OK, "calls are held, answered, refused and let through");
	}
}

static int expect_held_call(void)
{
	catch_signal(0);
	if (probe_call(NULL) != ANSWER) {
		return 1;
	}
	return handled == 1 ? 0 : 2;
}

static const char *const held_failures[] = {
	"a call that a signal reached did not return its answer",
	"the signal of a held call was lost", NULL};

static void settle(void)
{
	nanosleep(&(struct timespec){.tv_nsec = SETTLE_NS}, NULL);
}

void probe_killable(struct probe_result *result)
{
	struct probe_target target;
	struct seccomp_notif notification;

	if (!probe_start(result, &target, PROBE_TARGET_KILLABLE, expect_held_call)) {
		return;
	}
	if (!probe_next(result, &target, &notification)) {
		probe_target_finish(&target);
		return;
	}
	kill(target.pid, SIGUSR1);
	settle();
	if (!probe_is_pending(&target, notification.id)) {
		probe_target_finish(&target);
		probe_report(result, PROBE_LIMITED,
			"the kernel takes the flag, but a signal withdraws the call all the same");
		return;
	}
	probe_answer(&target, notification.id, ANSWER, 0);
	if (probe_finish(result, &target, held_failures)) {
		probe_report(result, PROBE_OK,
			"a signal waits until a call that is being served is answered");
	}
}

static int expect_restarts(void)
{
	catch_signal(SA_RESTART);
	if (probe_call(NULL) != ANSWER || handled != 1) {
		return 1;
	}
	catch_signal(0);
	if (probe_call(NULL) != -EINTR || handled != 1) {
		return 2;
	}
	return 0;
}

static const char *const restart_failures[] = {
	"a call given back for a handler with SA_RESTART was not made again",
	"a call given back for a handler without SA_RESTART did not fail with EINTR", NULL};

/* Receives a call, sends the target a signal and gives the call back to it. */
static bool give_back(struct probe_result *result, const struct probe_target *target)
{
	struct seccomp_notif notification;

	if (!probe_next(result, target, &notification)) {
		return false;
	}
	kill(target->pid, SIGUSR1);
	int failed = probe_answer(target, notification.id, 0, -KERNEL_RESTART);
	if (failed < 0) {
		probe_report(result, PROBE_MISSING, "giving a call back: %s", strerror(-failed));
	}
	return failed == 0;
}

void probe_restart(struct probe_result *result)
{
	struct probe_target target;

	if (!probe_start(result, &target, PROBE_TARGET_KILLABLE, expect_restarts)) {
		return;
	}
	if (!give_back(result, &target) || !answer_once(result, &target, ANSWER, 0) ||
		!give_back(result, &target)) {
		probe_target_finish(&target);
	} else if (probe_finish(result, &target, restart_failures)) {
		probe_report(result, PROBE_OK,
			"a call can be given back to a signal: made again, or EINTR, as the "
			"program "
			"chose");
	}
}

static int make_batches(void)
{
	for (int i = 0; i < BATCH * BATCHES; i++) {
		probe_call(NULL);
	}
	return 0;
}

/* The best of several batches, with and without in turn: other work only ever adds. */
static bool measure_wake_ups(const struct probe_target *target, double best[2])
{
	best[0] = best[1] = PROBE_NO_COST;
	for (int i = 0; i < BATCHES; i++) {
		uint64_t flags = i % 2 ? SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP : 0;
		if (probe_set_listener_flags(target, flags) < 0) {
			return false;
		}
		double cost = answer_many(target, BATCH);
		if (cost < 0) {
			return false;
		}
		best[i % 2] = best[i % 2] < 0 || cost < best[i % 2] ? cost : best[i % 2];
	}
	return true;
}

static void judge_wake_ups(
	struct probe_result *result, const struct probe_target *target, const double best[2])
{
	uint64_t unknown = SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP << 40;

	result->cost_us = best[1];
	if (probe_set_listener_flags(target, unknown) == 0) {
		probe_report(result, PROBE_LIMITED,
			"the kernel takes any flag, also one that does not exist");
	} else if (best[1] > best[0] * 1.5) {
		probe_report(result, PROBE_LIMITED,
			"slower than without: %.1f us a call against %.1f us", best[1], best[0]);
	} else {
		probe_report(result, PROBE_OK, "%.1f us a call, %.1f us without", best[1], best[0]);
	}
}

void probe_sync_wake_up(struct probe_result *result)
{
	struct probe_target target;
	double best[2];

	if (!probe_start(result, &target, 0, make_batches)) {
		return;
	}
	int error = probe_set_listener_flags(&target, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	if (error < 0) {
		probe_report(
			result, PROBE_MISSING, "the kernel refuses the flag: %s", strerror(-error));
	} else if (!measure_wake_ups(&target, best)) {
		probe_report(result, PROBE_MISSING, "calls could not be answered with it");
	} else {
		judge_wake_ups(result, &target, best);
	}
	probe_target_finish(&target);
}

void probe_hang_up(struct probe_result *result)
{
	struct probe_target target;

	if (!probe_start(result, &target, 0, nothing_to_do)) {
		return;
	}
	struct pollfd listener = {.fd = target.listener, .events = POLLIN};
	waitpid(target.pid, NULL, 0);
	if (poll(&listener, 1, HANG_UP_MS) == 1 && (listener.revents & POLLHUP)) {
		probe_report(
			result, PROBE_OK, "the listener tells when the last program has ended");
	} else {
		probe_report(result, PROBE_MISSING,
			"the listener does not tell when the last program has ended");
	}
	close_fd(&target.listener);
}

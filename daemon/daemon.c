/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/daemon.h"

#include <errno.h>
#include <linux/close_range.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "daemon/adopt.h"
#include "daemon/base/cleanup.h"
#include "daemon/base/install.h"
#include "daemon/base/limit.h"
#include "daemon/config.h"
#include "daemon/context.h"
#include "daemon/doors.h"
#include "daemon/ending.h"
#include "daemon/holder_again.h"
#include "daemon/inheritance.h"
#include "daemon/journal.h"
#include "daemon/policy/texts.h"
#include "daemon/relay.h"
#include "daemon/reload.h"
#include "daemon/service.h"
#include "daemon/session.h"
#include "daemon/store.h"
#include "paths.h"

#define EXIT_CONFIG  2
#define EXIT_STOPPED 3 /* systemd is not to start us again */

struct daemon {
	const struct daemon_options *options;
	uv_loop_t loop;
	struct context context;
	struct doors doors;
	struct holder_again holder_again;
	uv_signal_t on_hangup, on_terminate, on_interrupt;
	bool is_ending;
	struct inheritance *inheritance;
};

static int load_config(struct config **configp, const struct daemon_options *options)
{
	struct policy_report report = {0};

	int result = config_load(configp, options->config, &report);
	policy_report_print(&report, stderr, false);
	policy_report_finish(&report);
	return result;
}

/* A policy with mistakes is refused to those who ask for it; the others are served. */
static int load_policies(struct config *config)
{
	struct policy_report report = {0};

	int result = config_load_policies(config, POLICY_TEXTS_FORGIVING, &report);
	policy_report_print(&report, stderr, false);
	policy_report_finish(&report);
	return result;
}

int daemon_check(const struct daemon_options *options)
{
	struct config *config = NULL;

	if (load_config(&config, options) < 0) {
		return EXIT_CONFIG;
	}
	if (config->file) {
		printf("usherd: %s is right, with %zu grants\n", config->file, config->grant_count);
	} else {
		printf("usherd: there is no configuration; the defaults hold\n");
	}
	config_unref(config);
	return EXIT_SUCCESS;
}

/* What we were started with is not ours to trust. */
static int settle(void)
{
	sigset_t none;

	sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
		return -errno;
	}
	/* A broker inherits what we pass and nothing else. */
	if (syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC) < 0) {
		return -errno;
	}
	/* Each session takes some descriptors; those who run as our user shall not take them. */
	(void)limit_to_most(RLIMIT_NOFILE);
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0;
}

/*
 * A kernel that knows the flags complains about the missing program (EFAULT), another about the
 * flags (EINVAL). Nothing is loaded in either case.
 */
static uint32_t probe_seccomp_flags(void)
{
	unsigned long flags =
		SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, NULL) < 0 && errno == EFAULT
		       ? (uint32_t)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
		       : 0;
}

static int init_context(struct context *context, uv_loop_t *loop)
{
	context->loop = loop;
	context->seccomp_flags = probe_seccomp_flags();
	LIST_INIT(&context->clients);
	LIST_INIT(&context->sessions);
	LIST_INIT(&context->endings);
	LIST_INIT(&context->watchers);
	context->started = (int64_t)time(NULL);
	context->broker_program = install_broker_path();
	if (!context->broker_program) {
		journal_error("usher-broker is not where it belongs (%s); install usher again",
			USHER_LIBEXECDIR);
		return -ENOENT;
	}
	return peer_init_self(&context->self);
}

static void finish_context(struct context *context)
{
	config_unref(context->config);
	peer_finish(&context->self);
	free(context->broker_program);
	tally_finish(&context->clients_tally);
	tally_finish(&context->sessions_tally);
}

/* All or nothing: what is wrong leaves the old configuration in force. */
static void on_reload(uv_signal_t *handle, int number)
{
	struct daemon *daemon = container_of(handle, struct daemon, on_hangup);
	int result = reload_start(&daemon->context, NULL);

	(void)number;
	if (result < 0 && result != -EBUSY) {
		journal_error("cannot be reloaded: %s", strerror(-result));
	}
}

/* Does somebody come after us who takes over what we leave? */
static bool has_successor(const struct context *context)
{
	return service_kind() == SERVICE_SYSTEMD && context->store.is_there && !context->is_stopped;
}

static void release_sessions(struct context *context)
{
	unsigned int count = 0;

	while (!LIST_EMPTY(&context->sessions)) {
		session_release(LIST_FIRST(&context->sessions));
		count++;
	}
	if (count > 0 && has_successor(context)) {
		journal_notice(
			"sessions that are left to their brokers, and after a restart to the next "
			"usherd: %u; after a stop it does not know them",
			count);
	} else if (count > 0) {
		journal_notice(
			"sessions that go on without usherd: %u; their brokers keep serving, and "
			"are not started again if they die",
			count);
	}
}

/* Closes all that keeps the loop alive; it ends when what was under way is over. */
static void shut_down(uv_signal_t *handle, int number)
{
	struct daemon *daemon = handle->data;

	if (daemon->is_ending) {
		return;
	}
	daemon->is_ending = true;
	journal_notice("ends by signal %d", number);
	service_stopping();
	service_unwatch();
	holder_again_finish(&daemon->holder_again);
	doors_close(&daemon->doors, has_successor(&daemon->context));
	ending_finish(&daemon->context);
	reload_finish(&daemon->context);
	release_sessions(&daemon->context);
	uv_close((uv_handle_t *)&daemon->on_hangup, NULL);
	uv_close((uv_handle_t *)&daemon->on_terminate, NULL);
	uv_close((uv_handle_t *)&daemon->on_interrupt, NULL);
}

static int watch_signals(struct daemon *daemon)
{
	const struct {
		uv_signal_t *handle;
		uv_signal_cb callback;
		int number;
	} signals[] = {
		{&daemon->on_hangup, on_reload, SIGHUP},
		{&daemon->on_terminate, shut_down, SIGTERM},
		{&daemon->on_interrupt, shut_down, SIGINT},
	};

	for (size_t i = 0; i < array_length(signals); i++) {
		int result = uv_signal_init(&daemon->loop, signals[i].handle);
		signals[i].handle->data = daemon;
		if (result == 0) {
			result = uv_signal_start(
				signals[i].handle, signals[i].callback, signals[i].number);
		}
		if (result < 0) {
			return result;
		}
	}
	return 0;
}

static void on_holder_lost(void *owner)
{
	struct daemon *daemon = owner;

	daemon->context.store.is_there = false;
	journal_warning("the holder was killed: usherd serves on, and starts another");
	holder_again_begin(&daemon->holder_again);
}

static int start(struct daemon *daemon)
{
	int result = settle();

	if (result < 0) {
		journal_error("cannot be started: %s", strerror(-result));
		return result;
	}
	result = init_context(&daemon->context, &daemon->loop);
	if (result < 0) {
		return result;
	}
	const char *path =
		daemon->options->socket ? daemon->options->socket : daemon->context.config->socket;
	if (!path) {
		journal_error("there is no XDG_RUNTIME_DIR to put a socket in; name one with "
			      "--socket");
		return -ENOENT;
	}
	/* Who sees our socket may send us signals. */
	result = watch_signals(daemon);
	if (result == 0) {
		adopt_all(&daemon->context, daemon->inheritance);
		result = doors_open(&daemon->doors, &daemon->context, daemon->inheritance, path);
	}
	if (result == 0) {
		result = holder_again_init(&daemon->holder_again, &daemon->context, &daemon->doors,
			daemon->options->argv);
	}
	return result == 0 ? service_watch(&daemon->loop, on_holder_lost, daemon) : result;
}

static int exit_status(const struct daemon *daemon, int result)
{
	if (result < 0) {
		return EXIT_FAILURE;
	}
	return daemon->context.is_stopped && service_kind() == SERVICE_SYSTEMD ? EXIT_STOPPED
									       : EXIT_SUCCESS;
}

/* Of what passes: who is started again then may find the configuration right. */
static bool is_shortage(int error)
{
	return error == -ENOMEM || error == -EMFILE || error == -ENFILE;
}

/*
 * With a wrong configuration nothing begins. But sessions that were left to us go on: then nobody
 * new is served until the configuration is right and `usher reload` has told us so.
 */
static int configure(struct daemon *daemon)
{
	struct context *context = &daemon->context;
	int result = load_config(&context->config, daemon->options);

	if (result == 0) {
		result = load_policies(context->config);
	}
	if (result == 0) {
		return 0;
	}
	config_unref(context->config);
	context->config = NULL;
	if (is_shortage(result)) {
		journal_error(
			"not started: the configuration cannot be read: %s", strerror(-result));
		return result;
	}
	if (!adopt_is_due(daemon->inheritance) || config_load_closed(&context->config) < 0) {
		journal_error("not started: the configuration is wrong");
		return -EINVAL;
	}
	journal_error("the configuration is wrong: sessions that are there go on, and nobody new "
		      "is served until `usher reload`");
	return 0;
}

int daemon_run(const struct daemon_options *options, struct inheritance *inheritance)
{
	struct daemon daemon = {
		.options = options, .inheritance = inheritance, .doors = {.lock = -1}};

	journal_open();
	service_init(options->holder);
	store_init(&daemon.context.store);
	daemon.context.config_file = options->config;
	int result = configure(&daemon);
	if (result < 0) {
		return is_shortage(result) ? EXIT_FAILURE : EXIT_CONFIG;
	}
	result = uv_loop_init(&daemon.loop);
	if (result == 0) {
		result = start(&daemon);
	}
	if (is_shortage(result)) {
		journal_error("not started: %s", strerror(-result));
	}
	if (result == 0) {
		service_ready(daemon.context.sessions_tally.total);
		uv_run(&daemon.loop, UV_RUN_DEFAULT);
		relay_end_all();
		uv_run(&daemon.loop, UV_RUN_DEFAULT);
		(void)uv_loop_close(&daemon.loop);
	}
	int status = exit_status(&daemon, result);
	finish_context(&daemon.context);
	service_finish();
	doors_finish(&daemon.doors);
	return status;
}

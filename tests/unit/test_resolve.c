/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of every kind, resolved: relative and absolute, with links, in a changed root, long, in
 * /proc. What is compared is told in resolve_world.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/act.h"
#include "daemon/broker/resolve.h"
#include "resolve_world.h"

static const struct open_how reading = {.flags = O_RDONLY};

static void make_file(const char *path)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	must(fd);
}

/* In the tree, which is the working directory of us all. */
static void make_tree(const char *tree)
{
	static const char *const links[][2] = {{"file", "to-file"}, {"dir", "to-dir"},
		{"dir/", "to-dir-slash"}, {"../dir/sub", "dir/up"}, {"loop", "loop"},
		{"loop2", "loop1"}, {"loop1", "loop2"}, {"nowhere", "dangling"},
		{"nowhere/below", "dangling-below"}, {".", "here"}, {"..", "above"},
		{"/", "to-root"}, {"dir/sub/deep", "to-deep"}, {"to-dir/sub", "two"},
		{"to-file/", "to-file-slash"}, {"file/below", "file-below"},
		{"/proc/self", "to-self"}, {"/proc/self/root", "to-own-root"},
		{"/proc/self/cwd", "to-cwd"}, {"/dev/null", "to-null"},
		{"/nowhere", "abs-dangling"}, {"dir/../file", "dir-up-file"},
		{"../../../../../../../../../..", "far-above"}};
	char absolute[128], name[16], target[16];

	must(mkdir("dir", 0755));
	must(mkdir("dir/sub", 0755));
	must(mkdir("dir/sub/deep", 0755));
	must(mkdir("locked", 0700));
	make_file("file");
	make_file("dir/file");
	make_file("dir/sub/deep/file");
	make_file("with space\n");
	make_file("gone (deleted)");
	must(mknod("fifo-free", S_IFREG | 0600, 0));
	for (size_t i = 0; i < array_length(links); i++) {
		must(symlink(links[i][0], links[i][1]));
	}
	(void)snprintf(absolute, sizeof(absolute), "%s/dir/file", tree);
	must(symlink(absolute, "abs-file"));
	for (int i = 1; i <= 41; i++) {
		(void)snprintf(name, sizeof(name), "chain%d", i);
		(void)snprintf(target, sizeof(target), i == 1 ? "file" : "chain%d", i - 1);
		must(symlink(target, name));
	}
}

static int set_up(void **state)
{
	*state = world_build(false, make_tree);
	return 0;
}

static int set_up_chroot(void **state)
{
	*state = NULL;
	if (geteuid() == 0) {
		*state = world_build(true, make_tree);
		struct world *world = *state;
		atomic_fetch_or(&world->stage.broker.memory->facts, SESSION_ROOTS_VARY);
	}
	return 0;
}

static const char *const names[] = {"file", "./file", "dir/file", "dir//file", "dir/./file", "dir",
	"dir/", "dir//", "dir/.", "dir/..", "dir/../", "dir/../file", "dir/sub/../../file", ".",
	"./", "..", "../", "/", "//", "/..", "/.", "/../..", "nowhere", "nowhere/", "nowhere/below",
	"nowhere/../file", "nowhere/.", "file/", "file/.", "file/..", "file/below", "file/../file",
	"to-file", "to-file/", "to-file/.", "to-dir", "to-dir/", "to-dir/file", "to-dir/.",
	"to-dir/..", "to-dir/../file", "to-dir-slash", "to-dir-slash/", "to-dir-slash/file",
	"dir/up", "dir/up/deep/file", "dir/up/../file", "loop", "loop/", "loop/below", "loop1",
	"loop2/x", "dangling", "dangling/", "dangling/x", "dangling-below", "here", "here/",
	"here/file", "here/here/here/file", "above", "above/x", "to-root", "to-root/",
	"to-root/tmp", "to-root/proc/self", "to-deep/file", "to-deep/../file", "two",
	"two/deep/file", "two/../file", "to-file-slash", "file-below", "abs-file", "abs-file/",
	"abs-dangling", "dir-up-file", "far-above", "far-above/tmp", "to-null", "locked",
	"locked/x", "with space\n", "gone (deleted)", "chain39", "chain40", "chain41",
	"here/chain39", "here/chain40", "fifo-free", "dir/nowhere", "dir/sub/nowhere/../x",
	"to-dir/nowhere", "to-dir/sub/deep", "dir/up/..", "dir/up/../..", "/etc/passwd",
	"/etc/../etc/passwd", "/bin/sh", "/lib", "/lib/", "/usr/../bin/sh", "/dev/null",
	"/dev/zero", "/dev/fd", "/dev/fd/0", "/dev/stdin"};

static void a_table_of_names(void **state)
{
	if (!*state) {
		skip();
	}
	for (size_t i = 0; i < array_length(names); i++) {
		world_compare(*state, names[i]);
	}
}

static void absolute_names_of_the_tree(void **state)
{
	struct world *world = *state;
	char path[PATH_MAX];

	if (!world) {
		skip();
	}
	for (size_t i = 0; i < array_length(names); i++) {
		(void)snprintf(
			path, sizeof(path), "%s/%s", world->chrooted ? "" : world->tree, names[i]);
		world_compare(world, path);
	}
}

static void long_names(void **state)
{
	char path[PATH_MAX];
	static const size_t lengths[] = {NAME_MAX - 1, NAME_MAX, NAME_MAX + 1};

	for (size_t i = 0; i < array_length(lengths); i++) {
		memset(path, 'n', lengths[i]);
		path[lengths[i]] = '\0';
		world_compare(*state, path);
	}
	/* As many slashes, and as many components, as a path has room for. */
	memset(path, '/', sizeof(path));
	strcpy(path + sizeof(path) - 5, "file");
	memcpy(path, "here", 4);
	world_compare(*state, path);
	for (size_t i = 0; i + 8 < sizeof(path); i += 2) {
		memcpy(path + i, "./", 2);
	}
	strcpy(path + sizeof(path) - 8, "file");
	world_compare(*state, path);
	for (size_t i = 0; i + 12 < sizeof(path); i += 7) {
		memcpy(path + i, "dir/../", 7);
		strcpy(path + i + 7, "file");
	}
	world_compare(*state, path);
}

static void proc_is_the_targets(void **state)
{
	struct world *world = *state;
	static const char *const paths[] = {"/proc", "/proc/", "/proc/self", "/proc/self/",
		"/proc/self/status", "/proc/self/../self/status", "/proc/thread-self/status",
		"/proc/self/task", "/proc/self/cwd", "/proc/self/cwd/", "/proc/self/cwd/file",
		"/proc/self/cwd/to-dir/file", "/proc/self/root", "/proc/self/root/etc/passwd",
		"/proc/self/root/..", "/proc/self/exe", "/proc/self/exe/", "/proc/self/fd",
		"/proc/self/fd/0", "/proc/self/fd/0/x", "/proc/self/fd/4711", "/proc/self/environ",
		"/proc/self/maps", "/proc/mounts", "/proc/net/dev", "/proc/nowhere",
		"/proc/4194305/status", "/proc/sys/kernel/ostype", "to-self/status", "to-self",
		"to-cwd/file", "to-own-root/etc/passwd", "/dev/fd/../status", "/proc/self/ns/user",
		"/proc/self/ns/user/x"};

	for (size_t i = 0; i < array_length(paths); i++) {
		world_compare(world, paths[i]);
	}
}

/* `path` gives `error` both ways. */
static void both_ways_give(struct world *world, const char *path, int error)
{
	static struct answer answer;

	world_ask(world, path, &reading, RESOLVE_FAST_IF_POSSIBLE, &answer);
	assert_int_equal(answer.error, error);
	world_ask(world, path, &reading, RESOLVE_LONG_WAY, &answer);
	assert_int_equal(answer.error, error);
}

static void others_are_none_of_its_business(void **state)
{
	static const struct {
		const char *entry;
		int of_broker, of_others;
	} cases[] = {{"environ", EACCES, EACCES}, {"mem", EACCES, EACCES}, {"maps", EACCES, EACCES},
		{"fd/0", EACCES, EACCES}, {"ns/user", EACCES, EACCES}, {"stat", 0, 0},
		{"status", 0, 0}, {"cmdline", 0, 0}, {"", 0, 0},
		/* These lead to what has a name of its own. */
		{"cwd/x", EACCES, ENOENT}, {"root/etc/passwd", EACCES, 0}};
	static const char *const roads[] = {"/proc/", "/proc/self/../"};
	char path[PATH_MAX];

	for (size_t i = 0; i < array_length(cases) * array_length(roads); i++) {
		const char *road = roads[i % array_length(roads)];
		const char *entry = cases[i / array_length(roads)].entry;
		(void)snprintf(path, sizeof(path), "%s%d/./%s", road, getpid(), entry);
		both_ways_give(*state, path, cases[i / array_length(roads)].of_broker);
		(void)snprintf(path, sizeof(path), "%s%d/./%s", road, getppid(), entry);
		both_ways_give(*state, path, cases[i / array_length(roads)].of_others);
	}
}

struct path_holder {
	char path[64];
	char tree[64];
};

static void hold_path(void *argument)
{
	const struct path_holder *holder = argument;
	int held = open(holder->path, O_PATH);
	int own = open("/proc/self/status", O_PATH);

	if (held < 0 || own < 0 || dup2(held, 100) < 0 || dup2(own, 101) < 0) {
		abort();
	}
}

/* O_PATH is not asked for: a descriptor of another's environment is no right to read it. */
static void a_path_descriptor_opens_no_door(void **state)
{
	static struct world world;
	struct path_holder holder;
	static struct answer answer;

	(void)state;
	(void)snprintf(holder.path, sizeof(holder.path), "/proc/%d/environ", getpid());
	world = (struct world){0};
	stage_init(&world.stage, hold_path, &holder);
	both_ways_give(&world, "/proc/self/fd/100", EACCES);
	both_ways_give(&world, "/dev/fd/100", EACCES);
	world_ask(&world, "/dev/fd/101", &reading, RESOLVE_FAST_IF_POSSIBLE, &answer);
	assert_int_equal(answer.error, 0);
	assert_string_equal(answer.path, "/proc/self/status");
	stage_finish(&world.stage);
}

/* What is injected or denied by a name with a link in it is not, if it has another name. */
static void an_unconfirmed_name_decides_nothing(void **state)
{
	static const enum policy_action actions[] = {POLICY_DENY, POLICY_INJECT};
	static const struct open_how how = {.flags = O_RDONLY};
	struct world *world = *state;
	struct request *request = world->stage.request;

	for (size_t i = 0; i < array_length(actions); i++) {
		stage_call(&world->stage, SYS_openat, 0, 0, 0, 0);
		request->call = CALL_OPEN;
		request->open.how = how;
		request->open.operations = OPERATION_READ;
		world_pin(world, "to-dir/file", &how);
		assert_int_equal(resolve(&world->stage.broker, request, "to-dir/file", O_RDONLY, 0,
					 RESOLVE_FAST_IF_POSSIBLE),
			0);
		request->verdict = (struct policy_verdict){.action = actions[i], .error = EPERM};
		assert_true(request->place.provisional);
		assert_int_equal(act_open(&world->stage.broker, NULL, request), ACT_TAKE_LONG_WAY);
		resolve_release(request);
		close_fd(&request->place.start);
	}
}

static void nothing_stays_open(void **state)
{
	int before = dup(0);

	close(before);
	a_table_of_names(state);
	proc_is_the_targets(state);
	int after = dup(0);
	close(after);
	assert_int_equal(after, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_table_of_names, set_up, world_tear_down),
		cmocka_unit_test_setup_teardown(
			absolute_names_of_the_tree, set_up, world_tear_down),
		cmocka_unit_test_setup_teardown(a_table_of_names, set_up_chroot, world_tear_down),
		cmocka_unit_test_setup_teardown(
			absolute_names_of_the_tree, set_up_chroot, world_tear_down),
		cmocka_unit_test_setup_teardown(long_names, set_up, world_tear_down),
		cmocka_unit_test_setup_teardown(proc_is_the_targets, set_up, world_tear_down),
		cmocka_unit_test_setup_teardown(
			others_are_none_of_its_business, set_up, world_tear_down),
		cmocka_unit_test(a_path_descriptor_opens_no_door),
		cmocka_unit_test_setup_teardown(
			an_unconfirmed_name_decides_nothing, set_up, world_tear_down),
		cmocka_unit_test_setup_teardown(nothing_stays_open, set_up, world_tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three answers to the same question: the fast way (with the long one where it says so), the long
 * way, and the kernel's own for the target. They agree on the object, the errno and, where there
 * is one, the name.
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

#include "broker_target.h"
#include "daemon/base/cleanup.h"
#include "daemon/broker/act.h"
#include "daemon/broker/resolve.h"
#include "daemon/broker/target.h"

#define TRIES_MAX 4

struct world {
	struct stage stage;
	char tree[64];
	bool chrooted;
};

struct answer {
	int error;
	uint64_t device, inode;
	char path[NAME_ROOM];
};

static void pin(struct world *world, const char *path, const struct open_how *how)
{
	struct place *place = &world->stage.request->place;
	bool scoped = how->resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT);

	place->root = world->chrooted ? target_open_root(world->stage.target) : -1;
	place->start = path[0] != '/' || scoped ? target_open_cwd(world->stage.target) : -1;
	place->directory = place->object = -1;
	place->directory_owned = false;
}

/* One way, resolved and opened, as serve.c does it. */
static enum act_outcome go(
	struct world *world, const char *path, enum resolve_way way, struct answer *answer)
{
	struct stage *stage = &world->stage;
	struct request *request = stage->request;
	const struct open_how *how = &request->open.how;
	enum act_outcome outcome = ACT_DONE;

	request->result = resolve(&stage->broker, request, path, how->flags, how->resolve, way);
	if (request->result == 0) {
		outcome = act_open(&stage->broker, NULL, request);
	}
	if (way == RESOLVE_LONG_WAY) {
		assert_false(request->place.provisional);
	}
	answer->error = request->result < 0 ? -request->result : 0;
	strcpy(answer->path, request->place.path);
	resolve_release(request);
	return outcome;
}

static void ask(struct world *world, const char *path, const struct open_how *how,
	enum resolve_way way, struct answer *answer)
{
	struct request *request = world->stage.request;
	struct stat st;

	*answer = (struct answer){0};
	stage_call(&world->stage, SYS_openat, 0, 0, 0, 0);
	request->call = CALL_OPEN;
	request->open.how = *how;
	request->open.operations = OPERATION_READ;
	request->open.only_existing = false;
	strcpy(request->open.path, path);
	pin(world, path, how);
	enum act_outcome outcome = ACT_TAKE_LONG_WAY;
	for (int i = 0; i < TRIES_MAX && outcome == ACT_TAKE_LONG_WAY; i++) {
		outcome = go(world, path, way, answer);
		way = RESOLVE_LONG_WAY;
	}
	assert_int_equal(outcome, ACT_DONE);
	if (answer->error == 0) {
		assert_int_equal(fstat(request->result, &st), 0);
		answer->device = st.st_dev;
		answer->inode = st.st_ino;
		close(request->result);
	}
	close_fd(&request->place.start);
	close_fd(&request->place.root);
}

/* The kernel's name, as policies would have it. */
static void as_policies_name(const struct world *world, char *name)
{
	char own[64], text[PATH_MAX];

	(void)snprintf(own, sizeof(own), "/proc/%d", world->stage.target);
	size_t length = strlen(own);
	if (strncmp(name, own, length) == 0 && (name[length] == '/' || !name[length])) {
		(void)snprintf(text, sizeof(text), "/proc/self%s", name + length);
		strcpy(name, text);
	} else if (world->chrooted && name[0] == '/') {
		(void)snprintf(text, sizeof(text), "%s%s", world->tree, name[1] ? name : "");
		strcpy(name, text);
	}
}

/* Agreed? The name of what is not there is only compared between the two ways. */
static void compare(struct world *world, const char *path, const struct open_how *how)
{
	static struct answer fast, slow;
	static struct native_open native;

	ask(world, path, how, RESOLVE_FAST_IF_POSSIBLE, &fast);
	ask(world, path, how, RESOLVE_LONG_WAY, &slow);
	/* A rename or mount anywhere in the system meanwhile is EAGAIN where ".." is scoped
	 * (openat2(2)), and has the kernel begin anew with the links counted that it has met. */
	for (int i = 0; i < TRIES_MAX; i++) {
		stage_open_natively(&world->stage, path, how, &native);
		if (native.error != EAGAIN && native.error != ELOOP) {
			break;
		}
	}
	as_policies_name(world, native.name);
	if (fast.error != native.error || slow.error != native.error) {
		fail_msg("'%s' flags %llo resolve %llx: fast %s, long %s, the kernel %s", path,
			(unsigned long long)how->flags, (unsigned long long)how->resolve,
			strerrorname_np(fast.error), strerrorname_np(slow.error),
			strerrorname_np(native.error));
	}
	if (strcmp(fast.path, slow.path) != 0) {
		fail_msg(
			"'%s' is '%s' the fast way, '%s' the long way", path, fast.path, slow.path);
	}
	if (native.error) {
		return;
	}
	if (fast.inode != native.inode || slow.inode != native.inode ||
		fast.device != native.device || slow.device != native.device) {
		fail_msg("'%s' is another file than the kernel's '%s'", path, native.name);
	}
	if (native.name[0] == '/' && strcmp(slow.path, native.name) != 0) {
		fail_msg("'%s' is called '%s', the kernel's name is '%s'", path, slow.path,
			native.name);
	}
}

static const struct open_how hows[] = {
	{.flags = O_RDONLY},
	{.flags = O_RDONLY | O_NOFOLLOW},
	{.flags = O_RDONLY | O_DIRECTORY},
	{.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW},
	{.flags = O_RDONLY, .resolve = RESOLVE_NO_SYMLINKS},
	{.flags = O_RDONLY, .resolve = RESOLVE_NO_MAGICLINKS},
	{.flags = O_RDONLY, .resolve = RESOLVE_BENEATH},
	{.flags = O_RDONLY, .resolve = RESOLVE_IN_ROOT},
	{.flags = O_RDONLY, .resolve = RESOLVE_NO_XDEV},
};

static void compare_all(struct world *world, const char *path)
{
	for (size_t i = 0; i < array_length(hows); i++) {
		compare(world, path, &hows[i]);
	}
}

static void must(int result)
{
	if (result < 0) {
		fail_msg("the tree cannot be made: %s", strerror(errno));
	}
}

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

static void enter(void *argument)
{
	const struct world *world = argument;

	if (chdir(world->tree) < 0 || (world->chrooted && (chroot(".") < 0))) {
		abort();
	}
}

static struct world *build(bool chrooted)
{
	static struct world world;

	world = (struct world){.tree = "/tmp/resolve-XXXXXX", .chrooted = chrooted};
	assert_non_null(mkdtemp(world.tree));
	must(chmod(world.tree, 0755));
	must(chdir(world.tree));
	make_tree(world.tree);
	stage_init(&world.stage, enter, &world);
	return &world;
}

static int set_up(void **state)
{
	*state = build(false);
	return 0;
}

static int set_up_chroot(void **state)
{
	*state = NULL;
	if (geteuid() == 0) {
		*state = build(true);
		struct world *world = *state;
		atomic_fetch_or(&world->stage.broker.memory->facts, SESSION_ROOTS_VARY);
	}
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;
	char command[128];

	if (world) {
		stage_finish(&world->stage);
		must(chdir("/"));
		(void)snprintf(command, sizeof(command), "rm -rf %s", world->tree);
		assert_int_equal(system(command), 0);
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
		compare_all(*state, names[i]);
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
		compare_all(world, path);
	}
}

static void long_names(void **state)
{
	char path[PATH_MAX];
	static const size_t lengths[] = {NAME_MAX - 1, NAME_MAX, NAME_MAX + 1};

	for (size_t i = 0; i < array_length(lengths); i++) {
		memset(path, 'n', lengths[i]);
		path[lengths[i]] = '\0';
		compare_all(*state, path);
	}
	/* As many slashes, and as many components, as a path has room for. */
	memset(path, '/', sizeof(path));
	strcpy(path + sizeof(path) - 5, "file");
	memcpy(path, "here", 4);
	compare_all(*state, path);
	for (size_t i = 0; i + 8 < sizeof(path); i += 2) {
		memcpy(path + i, "./", 2);
	}
	strcpy(path + sizeof(path) - 8, "file");
	compare_all(*state, path);
	for (size_t i = 0; i + 12 < sizeof(path); i += 7) {
		memcpy(path + i, "dir/../", 7);
		strcpy(path + i + 7, "file");
	}
	compare_all(*state, path);
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
		compare_all(world, paths[i]);
	}
}

/* `path` gives `error` both ways. */
static void both_ways_give(struct world *world, const char *path, int error)
{
	static struct answer answer;

	ask(world, path, &hows[0], RESOLVE_FAST_IF_POSSIBLE, &answer);
	assert_int_equal(answer.error, error);
	ask(world, path, &hows[0], RESOLVE_LONG_WAY, &answer);
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
	ask(&world, "/dev/fd/101", &hows[0], RESOLVE_FAST_IF_POSSIBLE, &answer);
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
		pin(world, "to-dir/file", &how);
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

static unsigned int seed = 20240229;

static unsigned int below(unsigned int limit)
{
	return (unsigned int)rand_r(&seed) % limit;
}

static const char *const components[] = {
	"a", "b", "c", "d", "e", "a", "b", "c", "..", "..", ".", "", "f", "nowhere"};

static void random_path(char *path, bool may_be_absolute, const char *tree)
{
	unsigned int count = 1 + below(6);

	path[0] = '\0';
	if (may_be_absolute && below(5) == 0) {
		(void)sprintf(path, "%s/", tree);
	}
	for (unsigned int i = 0; i < count; i++) {
		strcat(path, components[below(array_length(components))]);
		strcat(path, i + 1 < count || below(6) == 0 ? "/" : "");
	}
}

/* Some of these cannot be made, as their directories are links or not there: then they are not. */
static void grow(const char *tree)
{
	char path[PATH_MAX], text[PATH_MAX];

	for (int i = 0; i < 40; i++) {
		random_path(path, false, tree);
		switch (below(4)) {
		case 0:
		case 1:
			(void)mkdir(path, 0755);
			break;
		case 2:
			random_path(text, true, tree);
			(void)!symlink(text, path);
			break;
		default: {
			int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
			if (fd >= 0) {
				close(fd);
			}
		}
		}
	}
}

static void random_trees_and_paths(void **state)
{
	struct world *world = *state;
	char path[PATH_MAX], root[96];

	for (int tree = 0; tree < 12; tree++) {
		/* Each is grown within the last, so that ".." leads to what is there. */
		must(mkdir("r", 0755));
		must(chdir("r"));
		assert_non_null(getcwd(root, sizeof(root)));
		stage_finish(&world->stage);
		strcpy(world->tree, root);
		stage_init(&world->stage, enter, world);
		grow(root);
		for (int i = 0; i < 60; i++) {
			random_path(path, true, root);
			/* An empty one is refused by decoding. */
			compare_all(world, path[0] ? path : ".");
		}
	}
}

static int tear_down_random(void **state)
{
	struct world *world = *state;

	world->tree[strlen("/tmp/resolve-XXXXXX")] = '\0';
	return tear_down(state);
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
		cmocka_unit_test_setup_teardown(a_table_of_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(absolute_names_of_the_tree, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_table_of_names, set_up_chroot, tear_down),
		cmocka_unit_test_setup_teardown(
			absolute_names_of_the_tree, set_up_chroot, tear_down),
		cmocka_unit_test_setup_teardown(long_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(proc_is_the_targets, set_up, tear_down),
		cmocka_unit_test_setup_teardown(others_are_none_of_its_business, set_up, tear_down),
		cmocka_unit_test(a_path_descriptor_opens_no_door),
		cmocka_unit_test_setup_teardown(
			an_unconfirmed_name_decides_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(random_trees_and_paths, set_up, tear_down_random),
		cmocka_unit_test_setup_teardown(nothing_stays_open, set_up, tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names in random trees: the fast way, the middle way, the walk and the kernel's own, for the
 * target, find the same object or the same errno; the first two agree with the kernel about its
 * name, too. The input makes directories, files and links, and then asks for names.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/act.h"
#include "daemon/broker/resolve.h"
#include "daemon/broker/target.h"
#include "daemon/broker/walk.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/broker_target.h"

#define MAKES_MAX      24u
#define NAMES_MAX      8u
#define COMPONENTS_MAX 7u
#define NAME_BYTES     (8 * COMPONENTS_MAX)
#define TRIES_MAX      4

static char tree[] = "/tmp/usher-fuzz-XXXXXX";
static struct stage stage;

struct found {
	int error;
	uint64_t device, inode;
	char name[NAME_ROOM];
};

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	return ftw->level > 0 ? remove(path) : 0;
}

static void empty_tree(void)
{
	must(nftw(tree, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

static void remove_tree(void)
{
	empty_tree();
	(void)rmdir(tree);
}

static void stand_in_tree(void *unused)
{
	(void)unused;
	must(chdir(tree) == 0);
}

static void set_up(void)
{
	static bool done;

	if (!done) {
		done = true;
		must(mkdtemp(tree));
		must(chmod(tree, 0755) == 0);
		stage_init(&stage, stand_in_tree, NULL);
		must(chdir(tree) == 0);
		must(atexit(remove_tree) == 0);
	}
}

/* Few names, so that they meet. Sometimes absolute, sometimes with a slash at the end. */
static void take_name(struct input *input, char *name)
{
	static const char *const parts[] = {"a", "b", "c", "d", ".", "..", "a", "b"};
	uint8_t shape = input_byte(input);
	unsigned int count = 1 + shape % COMPONENTS_MAX;
	size_t length = 0;

	name[0] = '\0';
	for (unsigned int i = 0; i < count; i++) {
		uint8_t choice = input_byte(input);
		length += (size_t)sprintf(name + length, "%s%s", i ? choice & 8 ? "//" : "/" : "",
			parts[choice % array_length(parts)]);
	}
	if (shape & 0x40) {
		memcpy(name + length, "/", 2);
	}
}

/* As it stands, or from the root: all absolute names lead into the tree. */
static void take_path(struct input *input, char *path)
{
	char name[NAME_BYTES];
	bool absolute = input_byte(input) & 1;

	take_name(input, name);
	(void)sprintf(path, "%s%s%s", absolute ? tree : "", absolute ? "/" : "", name);
}

static void make_one(struct input *input)
{
	char path[NAME_BYTES + sizeof(tree)], other[NAME_BYTES + sizeof(tree)];
	uint8_t kind = input_byte(input);

	take_name(input, path);
	if (strstr(path, "..")) {
		return; /* nothing is made outside of the tree */
	}
	switch (kind % 4) {
	case 0:
		(void)mkdir(path, kind & 0x80 ? 0700 : 0755);
		break;
	case 1:
		close(open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_EXCL | O_CLOEXEC, 0644));
		break;
	default:
		take_path(input, other);
		(void)!symlink(other, path);
		break;
	}
}

static void begin(const char *path)
{
	struct place *place = &stage.request->place;

	stage_call(&stage, SYS_openat, 0, 0, 0, 0);
	stage.request->call = CALL_OPEN;
	stage.request->open.operations = OPERATION_READ;
	stage.request->open.only_existing = false;
	strcpy(stage.request->open.path, path);
	place->root = -1;
	place->start = path[0] == '/' ? -1 : target_open_cwd(stage.target);
	place->directory = place->object = -1;
	place->directory_owned = false;
}

static void note_object(int fd, struct found *found)
{
	struct stat st;

	must(fstat(fd, &st) == 0);
	found->device = st.st_dev;
	found->inode = st.st_ino;
}

/* As serve.c does it, beginning with this way. */
static void ask(
	const char *path, const struct open_how *how, enum resolve_way way, struct found *found)
{
	struct request *request = stage.request;
	enum act_outcome outcome = ACT_TAKE_LONG_WAY;

	*found = (struct found){0};
	begin(path);
	request->open.how = *how;
	for (int i = 0; i < TRIES_MAX && outcome == ACT_TAKE_LONG_WAY; i++) {
		outcome = ACT_DONE;
		request->result =
			resolve(&stage.broker, request, path, how->flags, how->resolve, way);
		if (request->result == 0) {
			outcome = act_open(&stage.broker, NULL, request);
		}
		strcpy(found->name, request->place.path);
		resolve_release(request);
		way = RESOLVE_LONG_WAY;
	}
	must(outcome == ACT_DONE);
	found->error = request->result < 0 ? -request->result : 0;
	if (found->error == 0) {
		note_object(request->result, found);
		close(request->result);
	}
	close_fd(&request->place.start);
}

/* The walk alone; what it has pinned is looked at and not opened. */
static void ask_walk(const char *path, const struct open_how *how, struct found *found)
{
	struct place *place = &stage.request->place;
	const struct walk_options options = {
		.place = place, .follow_last = !(how->flags & O_NOFOLLOW), .resolve = how->resolve};
	struct stat st = {0};

	*found = (struct found){0};
	begin(path);
	place->kind = PLACE_NAME;
	place->error = 0;
	int error = walk(&stage.broker, stage.request, path, &options);
	found->error = error < 0 ? -error : place->error;
	if (found->error == 0 &&
		fstatat(place->directory, place->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		found->error = errno;
	}
	found->device = st.st_dev;
	found->inode = st.st_ino;
	resolve_release(stage.request);
	close_fd(&place->start);
}

static void tell(const char *path, const char *way, const struct found *found)
{
	(void)fprintf(stderr, "'%s' %s: errno %d, inode %llu, '%s'\n", path, way, found->error,
		(unsigned long long)found->inode, found->name);
}

static void compare(const char *path, const char *way, const struct found *found,
	const struct native_open *native)
{
	if (found->error != native->error || found->inode != native->inode ||
		found->device != native->device ||
		(native->error == 0 && found->name[0] && strcmp(found->name, native->name) != 0)) {
		tell(path, way, found);
		(void)fprintf(stderr, "natively: errno %d, inode %llu, '%s'\n", native->error,
			(unsigned long long)native->inode, native->name);
		abort();
	}
}

/* What the walk leaves to the open itself: what kind of file it is, and slashes behind it. */
static bool is_told_by_open(int error)
{
	return error == ENOTDIR || error == ELOOP || error == EISDIR;
}

static void ask_all_ways(struct input *input)
{
	char path[NAME_BYTES + sizeof(tree)];
	struct native_open native;
	struct found found;
	uint8_t flags = input_byte(input);
	const struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | (flags & 1 ? O_NOFOLLOW : 0) |
			 (flags & 2 ? O_DIRECTORY : 0),
	};

	take_path(input, path);
	stage_open_natively(&stage, path, &how, &native);
	ask(path, &how, RESOLVE_FAST_IF_POSSIBLE, &found);
	compare(path, "the fast way", &found, &native);
	ask(path, &how, RESOLVE_LONG_WAY, &found);
	compare(path, "the middle way", &found, &native);
	ask_walk(path, &how, &found);
	if (!is_told_by_open(native.error)) {
		compare(path, "the walk", &found, &native);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};

	set_up();
	unsigned int makes = input_byte(&input) % MAKES_MAX;
	for (unsigned int i = 0; i < makes && input.size > 0; i++) {
		make_one(&input);
	}
	for (unsigned int i = 0; i < NAMES_MAX && input.size > 0; i++) {
		ask_all_ways(&input);
	}
	empty_tree();
	return 0;
}

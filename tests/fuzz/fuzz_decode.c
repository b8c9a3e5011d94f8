/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Notifications made of the input, with arguments that lead into memory made of the input, up to
 * its last byte and past it: whatever a program passes, decode copies it once, whole, within its
 * bounds, or refuses it, and gives back what it has pinned.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/decode.h"
#include "daemon/broker/path_call.h"
#include "daemon/broker/target_fd.h"
#include "tests/common/descriptors.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/broker_target.h"
#include "usher/wire.h"

#define PAGE     4096u
#define PAGES    3u /* and behind them one that is not there */
#define CALLS    512
#define FIRST_FD 100

static char *memory; /* at the same address here and in the target */
static struct stage stage;
static unsigned int at_first; /* descriptors open before anything was decoded */

static void put_at(int number, int fd)
{
	must(fd >= 0 && dup2(fd, number) == number);
	close(fd);
}

static void open_descriptors(void *argument)
{
	(void)argument;
	put_at(FIRST_FD, open("/dev/null", O_RDWR | O_CLOEXEC));
	put_at(FIRST_FD + 1, socket(AF_INET, SOCK_STREAM, 0));
	put_at(FIRST_FD + 2, socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0));
	put_at(FIRST_FD + 3, socket(AF_INET, SOCK_DGRAM, 0));
	put_at(FIRST_FD + 4, socket(AF_UNIX, SOCK_STREAM, 0));
	put_at(FIRST_FD + 5, open("/tmp", O_PATH | O_DIRECTORY));
	put_at(FIRST_FD + 6, open("/etc", O_RDONLY | O_DIRECTORY));
	put_at(FIRST_FD + 7, socket(AF_UNIX, SOCK_DGRAM, 0));
}

static void set_up(void)
{
	if (memory) {
		return;
	}
	memory = mmap(NULL, (PAGES + 1) * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		-1, 0);
	must(memory != MAP_FAILED);
	must(munmap(memory + PAGES * PAGE, PAGE) == 0);
	stage_init(&stage, open_descriptors, NULL);
	at_first = descriptors_open();
}

/* What a program may pass: a place in the memory, a descriptor, a small number, any number. */
static uint64_t take_argument(struct input *input)
{
	uint8_t kind = input_byte(input);
	uint64_t here = (uint64_t)(uintptr_t)memory;

	switch (kind % 8) {
	case 0:
	case 1:
		return here +
		       (input_byte(input) | (uint64_t)input_byte(input) << 8) % (PAGES * PAGE);
	case 2:
		return here + PAGES * PAGE - input_byte(input); /* at its very end */
	case 3:
		return FIRST_FD + input_byte(input) % 9;
	case 4:
		return (uint64_t)AT_FDCWD;
	case 5:
		return input_byte(input);
	case 6:
		return 1ull << (input_byte(input) % 64);
	default:
		return input_number(input);
	}
}

/* Pointers within what is pointed to: the words of the memory that say so become some. */
static void relocate(size_t size)
{
	uint64_t word;

	for (size_t i = 0; i + sizeof(word) <= size; i += sizeof(word)) {
		memcpy(&word, memory + i, sizeof(word));
		if ((word & 0xffff) == 0x4141) {
			word = (uint64_t)(uintptr_t)memory + (word >> 16) % (PAGES * PAGE + 8);
			memcpy(memory + i, &word, sizeof(word));
		}
	}
}

static bool is_ended(const char *text, size_t room)
{
	return strnlen(text, room) < room;
}

static void check_decoded(const struct request *request)
{
	switch (request->call) {
	case CALL_OPEN:
		must(is_ended(request->open.path, sizeof(request->open.path)));
		must(request->open.operations != 0 || (request->open.how.flags & O_PATH));
		break;
	case CALL_PATH:
		must(request->path.call);
		must(is_ended(request->path.path, sizeof(request->path.path)));
		must(request->path.call->path_second == NO_ARGUMENT ||
			is_ended(request->path.second_path, sizeof(request->path.second_path)));
		break;
	case CALL_CONNECT:
	case CALL_BIND:
	case CALL_SEND:
		must(request->address.length <= sizeof(request->address.name));
		must(request->address.endpoint.kind != ENDPOINT_UNIX_PATH ||
			is_ended(request->address.endpoint.path, sizeof(request->address.name)));
		must(request->call != CALL_SEND || request->message.size < SSIZE_MAX);
		break;
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	uint64_t arguments[6];

	set_up();
	int nr = (input_byte(&input) | input_byte(&input) << 8) % CALLS;
	for (size_t i = 0; i < array_length(arguments); i++) {
		arguments[i] = take_argument(&input);
	}
	size_t length = input.size < PAGES * PAGE ? input.size : PAGES * PAGE;
	memset(memory, 0, PAGES * PAGE);
	memcpy(memory, input.data, length);
	relocate(length);
	/* The same bytes end where the memory ends. */
	memcpy(memory + PAGES * PAGE - (length < PAGE ? length : PAGE), input.data,
		length < PAGE ? length : PAGE);

	stage_call(&stage, nr, arguments[0], arguments[1], arguments[2], arguments[3]);
	stage.slot->notification.data.args[4] = arguments[4];
	stage.slot->notification.data.args[5] = arguments[5];
	int error = decode(&stage.broker, stage.request);
	must(error <= 0 && error > -4096);
	if (error == 0) {
		check_decoded(stage.request);
	}
	decode_release(stage.request);
	must(descriptors_open() <= at_first + TARGET_FDS_KEPT);
	return 0;
}

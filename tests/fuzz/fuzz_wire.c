/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets of the hand-over. The first byte is the phase, the second the number of descriptors; the
 * rest is the packet, in memory that ends where it ends. What has passed the check can be read.
 */
#include "daemon/base/wire.h"
#include "tests/fuzz/fuzz.h"

static void read_strings(const char *text, size_t size, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t length = strnlen(text, size);
		must(length < size);
		text += length + 1;
		size -= length + 1;
	}
}

static void read_hello(const void *packet)
{
	struct wire_hello_strings strings = {0};

	if (wire_hello_read(packet, &strings) < 0) {
		return;
	}
	must(strlen(strings.policy) + strlen(strings.command) < WIRE_PACKET_MAX);
	must(strings.set_count <= WIRE_SETS_MAX);
	for (size_t i = 0; i < strings.set_count; i++) {
		must(strchr(strings.sets[i], '='));
	}
}

static void read_packet(const void *packet)
{
	const struct wire_refused *refused = packet;
	const struct wire_filter *filter = packet;

	switch (wire_type_of(packet)) {
	case WIRE_HELLO:
		read_hello(packet);
		break;
	case WIRE_FILTER:
		read_strings(wire_filter_execute(filter).text, filter->execute_size,
			filter->execute_count);
		break;
	case WIRE_REFUSED:
		must(strlen((const char *)(refused + 1)) == refused->text_size - 1u ||
			memchr(refused + 1, 0, refused->text_size - 1u));
		break;
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2) {
		return -1;
	}
	enum wire_phase phase = (enum wire_phase)(data[0] % WIRE_PHASES);
	size_t fd_count = data[1] % (WIRE_FDS_MAX + 2);
	size_t length = size - 2;
	void *packet = calloc(1, length ? length : 1);
	must(packet);
	memcpy(packet, data + 2, length);
	if (wire_check(phase, packet, length, fd_count) == 0) {
		read_packet(packet);
	}
	free(packet);
	return 0;
}

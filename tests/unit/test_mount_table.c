/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's table of mounts, as text. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/mount_table.h"

static int read_text(struct mount_table *table, const char *text)
{
	cleanup_fd int fd = memfd_create("mountinfo", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return mount_table_read(table, fd);
}

static void lines_are_mounts(void **state)
{
	struct mount_table table;

	(void)state;
	assert_int_equal(
		read_text(&table,
			"22 1 254:1 / / rw,relatime - ext4 /dev/vda rw\n"
			"30 22 0:25 /a\\040b /mnt/c\\134d rw shared:7 master:3 - tmpfs none rw\n"
			"31 22 0:26 / /x rw master:7 propagate_from:3 - tmpfs none shared:9\n"),
		0);
	assert_int_equal(table.count, 3);
	assert_null(mount_table_find(&table, 23));
	const struct mount *mount = mount_table_find(&table, 30);
	assert_non_null(mount);
	assert_int_equal(mount->device, makedev(0, 25));
	assert_string_equal(mount->root, "/a b");
	assert_string_equal(mount->point, "/mnt/c\\d");
	assert_int_equal(mount->peers, 7);
	assert_int_equal(mount->master, 3);
	assert_string_equal(mount->type, "tmpfs");
	assert_int_equal(table.mounts[2].peers, 0); /* what follows the dash is not ours to read */
	assert_int_equal(table.mounts[0].device, makedev(254, 1));
	assert_string_equal(table.mounts[0].type, "ext4");
	mount_table_finish(&table);
}

static void peers_and_those_who_receive_are_reached(void **state)
{
	struct mount_table ours, peer, slave, master;

	(void)state;
	assert_int_equal(read_text(&ours, "1 0 0:1 / / rw shared:5 - tmpfs n rw\n"), 0);
	assert_int_equal(read_text(&peer, "2 0 0:1 / / rw shared:5 - tmpfs n rw\n"), 0);
	assert_int_equal(read_text(&slave, "3 0 0:1 / / rw master:5 - tmpfs n rw\n"), 0);
	assert_int_equal(read_text(&master, "4 0 0:1 / / rw - tmpfs n rw\n"), 0);
	assert_true(mount_table_propagates_to(&ours, &peer));
	assert_true(mount_table_propagates_to(&ours, &slave));
	assert_false(mount_table_propagates_to(&slave, &ours));
	assert_false(mount_table_propagates_to(&master, &master));
	mount_table_finish(&ours);
	mount_table_finish(&peer);
	mount_table_finish(&slave);
	mount_table_finish(&master);
}

static void rubbish_is_refused(void **state)
{
	struct mount_table table;

	(void)state;
	assert_int_equal(read_text(&table, "22 1 254:1 /\n"), -EPROTO);
	assert_int_equal(read_text(&table, "x\n"), -EPROTO);
	assert_int_equal(read_text(&table, "22 1 254:1 / / rw shared:1\n"), -EPROTO);
	assert_int_equal(read_text(&table, "22 1 254:1 / / rw -\n"), -EPROTO);
	assert_null(table.mounts);
	assert_int_equal(read_text(&table, ""), 0);
	assert_int_equal(table.count, 0);
	mount_table_finish(&table);
}

static void a_long_table_is_read_whole(void **state)
{
	struct mount_table table;

	(void)state;
	assert_int_equal(mount_table_read_of(&table, getpid()), 0);
	assert_true(table.count > 0);
	mount_table_finish(&table);
	size_t size = 0;
	cleanup_free char *text = malloc(2000 * 64);
	assert_non_null(text);
	for (int i = 0; i < 2000; i++) {
		size += (size_t)sprintf(text + size, "%d 1 0:%d / /m%d rw - tmpfs n rw\n", i, i, i);
	}
	assert_int_equal(read_text(&table, text), 0);
	assert_int_equal(table.count, 2000);
	assert_string_equal(mount_table_find(&table, 1999)->point, "/m1999");
	mount_table_finish(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_mounts),
		cmocka_unit_test(peers_and_those_who_receive_are_reached),
		cmocka_unit_test(rubbish_is_refused),
		cmocka_unit_test(a_long_table_is_read_whole),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

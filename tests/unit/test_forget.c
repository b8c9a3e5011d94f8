/* SPDX-License-Identifier: Apache-2.0 */
/* Which calls make the broker look at each caller's ids from then on, and which change none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <sys/syscall.h>

#include "daemon/base/cleanup.h"
#include "daemon/broker/act.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/request.h"

#define KEEP   UINT32_MAX
#define WIDE   (1ull << 32)
#define USER   1000u
#define GROUP  2000u
#define OTHER  3000u
#define VARIES SESSION_IDS_VARY

static const struct {
	int nr;
	uint64_t args[3];
	uint32_t facts;
	uint32_t of_files; /* the broker's filesystem ids, if they are not the effective ones */
} cases[] = {
	{SYS_setresuid, {KEEP, USER, KEEP}, 0, 0},
	{SYS_setresuid, {KEEP, KEEP, KEEP}, 0, 0},
	{SYS_setresuid, {UINT64_MAX, WIDE | USER, KEEP}, 0, 0}, /* the kernel takes 32 bits */
	{SYS_setresgid, {KEEP, GROUP, KEEP}, 0, 0},
	{SYS_setresuid, {KEEP, OTHER, KEEP}, VARIES, 0},
	{SYS_setresuid, {KEEP, GROUP, KEEP}, VARIES, 0},
	{SYS_setresgid, {KEEP, USER, KEEP}, VARIES, 0},
	{SYS_setresuid, {USER, USER, KEEP}, VARIES, 0},
	{SYS_setresuid, {KEEP, USER, USER}, VARIES, 0},
	{SYS_setresuid, {KEEP, 0, KEEP}, VARIES, 0},
	{SYS_setresuid, {KEEP, USER, KEEP}, VARIES, OTHER}, /* it sets the filesystem's, too */
	{SYS_setresgid, {KEEP, KEEP, KEEP}, VARIES, OTHER},
	{SYS_setuid, {USER, 0, 0}, VARIES, 0},
	{SYS_setreuid, {KEEP, USER, 0}, VARIES, 0},
	{SYS_setfsuid, {USER, 0, 0}, VARIES, 0},
	{SYS_setgroups, {0, 0, 0}, VARIES, 0},
	{SYS_capset, {0, 0, 0}, VARIES, 0},
};

static void what_sets_the_ids_that_are_set_changes_nothing(void **state)
{
	struct session_memory *memory = calloc(1, sizeof(*memory));
	struct request *request = calloc(1, sizeof(*request));

	(void)state;
	assert_true(memory && request);
	for (size_t i = 0; i < array_length(cases); i++) {
		struct broker broker = {.memory = memory,
			.identity = {.uid = USER,
				.gid = GROUP,
				.effective_uid = USER,
				.effective_gid = GROUP}};
		struct session_slot slot = {.notification.data.nr = cases[i].nr};

		for (size_t k = 0; k < array_length(cases[i].args); k++) {
			slot.notification.data.args[k] = cases[i].args[k];
		}
		if (cases[i].of_files != 0) {
			broker.identity.uid = broker.identity.gid = cases[i].of_files;
		}
		atomic_store(&memory->facts, 0);
		request->slot = &slot;
		assert_int_equal(act_forget(&broker, request), ACT_CONTINUE);
		assert_int_equal(atomic_load(&memory->facts), cases[i].facts);
	}
	free(request);
	free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_sets_the_ids_that_are_set_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

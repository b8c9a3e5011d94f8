/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/pool.h"

#include <stdbool.h>
#include <stdlib.h>

#define THREADS      4
#define THREADS_TEXT "4"
/* One that has ended is counted for a moment longer. */
#define TRIED (2 * THREADS)

static void wait_for_end(void *end)
{
	uv_sem_wait(end);
}

/* Makes as many threads as there will be, and ends them. 0 or a negative errno. */
static int try_threads(void)
{
	uv_thread_t threads[TRIED];
	uv_sem_t end;
	unsigned int count = 0;
	int result = uv_sem_init(&end, 0);

	if (result < 0) {
		return result;
	}
	while (count < TRIED && result == 0) {
		result = uv_thread_create(&threads[count], wait_for_end, &end);
		count += result == 0;
	}
	for (unsigned int i = 0; i < count; i++) {
		uv_sem_post(&end);
	}
	for (unsigned int i = 0; i < count; i++) {
		uv_thread_join(&threads[i]);
	}
	uv_sem_destroy(&end);
	return result;
}

int pool_queue(uv_loop_t *loop, uv_work_t *request, uv_work_cb work, uv_after_work_cb after)
{
	static bool is_made;

	if (!is_made) {
		int result = setenv("UV_THREADPOOL_SIZE", THREADS_TEXT, 1) < 0 ? UV_ENOMEM
									       : try_threads();
		if (result < 0) {
			return result;
		}
		is_made = true;
	}
	return uv_queue_work(loop, request, work, after);
}

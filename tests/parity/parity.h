/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parity table: single calls, each in a process and a directory tree of its own, each with one
 * line that tells all that can be observed of it. The program judges nothing; run.py compares what
 * it prints natively with what it prints under usher.
 *
 * A case's text goes into shared memory and not through a descriptor, so that a case may close,
 * limit and replace descriptors as it likes and its numbers are those of a program of its own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/common/observe.h"
#include "tests/common/raw.h"

struct scene {
	struct observation observation;
	const char *root; /* the case's own directory, absolute; it is the working directory */
	const void *data; /* what the module gave along */
};

struct runner;

typedef void case_function(struct scene *scene);

/*
 * Runs one case, if its name is among those wanted: in a child that leads a session without a
 * terminal, has an umask of 022, and stands in a new tree (see tree.h).
 */
__attribute__((format(printf, 4, 5))) void runner_case(
	struct runner *runner, case_function *function, const void *data, const char *format, ...);

/* For a case: adds text to its line. */
#define tell(scene, ...)           observe(&(scene)->observation, __VA_ARGS__)
#define tell_result(scene, result) observe_result(&(scene)->observation, (result))
#define tell_fd(scene, result)     observe_fd(&(scene)->observation, (result))
#define tell_path(scene, path)     observe_path(&(scene)->observation, (path))

/* Ends a case whose preparation failed, saying so: a line that differs where only one run fails. */
_Noreturn void scene_broken(struct scene *scene, const char *what);

/* `ok` is whether a step of preparation did what it should. */
#define prepare(scene, ok)                        \
	do {                                      \
		if (!(ok)) {                      \
			scene_broken(scene, #ok); \
		}                                 \
	} while (0)

/* The modules: each runs its cases in a fixed order. */
void cases_open(struct runner *runner);
void cases_again(struct runner *runner);
void cases_path(struct runner *runner);
void cases_mode(struct runner *runner);
void cases_dirfd(struct runner *runner);
void cases_how(struct runner *runner);
void cases_proc(struct runner *runner);
void cases_limit(struct runner *runner);
void cases_thread(struct runner *runner);
void cases_process(struct runner *runner);
void cases_signal(struct runner *runner);
void cases_hang(struct runner *runner);
void cases_socket(struct runner *runner);
void cases_connect(struct runner *runner);
void cases_unix(struct runner *runner);
void cases_bind(struct runner *runner);
void cases_send(struct runner *runner);
void cases_message(struct runner *runner);
void cases_control(struct runner *runner);
/* All calls that take a path and open nothing; see cross.h. */
void cases_calls(struct runner *runner);

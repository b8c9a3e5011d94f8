/* SPDX-License-Identifier: Apache-2.0 */
/* The heart: one notified call, through all stages. */
#pragma once

struct worker;

/* Receives one call, serves it, and returns when the worker leads again. */
void serve(struct worker *worker);

/* Serves the call that a dead broker left in the worker's slot. */
void serve_again(struct worker *worker);

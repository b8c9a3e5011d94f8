/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of usher, each in a file of its name. argv[0] is the command's name. */
#pragma once

#define EXIT_RUN     125 /* run: usher's own failure; env(1) and timeout(1) have these three, too */
#define EXIT_CANNOT  126 /* run: the program is there and cannot be executed */
#define EXIT_MISSING 127 /* run: there is no such program */

int command_run(int argc, char **argv);
int command_check(int argc, char **argv);
int command_explain(int argc, char **argv);
int command_doctor(int argc, char **argv);
int command_status(int argc, char **argv);
int command_sessions(int argc, char **argv);
int command_metrics(int argc, char **argv);
int command_monitor(int argc, char **argv);
int command_reload(int argc, char **argv);
int command_stop(int argc, char **argv);
int command_top(int argc, char **argv);

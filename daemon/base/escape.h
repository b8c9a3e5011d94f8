/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON is UTF-8, and a terminal obeys some bytes; names of files and command lines are any bytes.
 * What is not ASCII or is a control character goes through as \xNN, and a backslash as two, so that
 * two names never look the same.
 */
#pragma once

/* Allocated; NULL without memory. */
char *escape_bytes(const char *bytes);

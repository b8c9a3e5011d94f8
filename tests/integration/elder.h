/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Included before all else this makes daemon/record.c that of an elder release: the brokers of its
 * sessions are noted as ones that speak an elder version of the messages (test_upgrade.py).
 */
#pragma once

#include "usher/wire.h"

#undef WIRE_VERSION
#define WIRE_VERSION 1

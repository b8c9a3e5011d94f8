/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct broker;
struct request;

/* 0, PIN_LINK_MET (pin.h), or a negative errno. */
int act_on_entry(const struct broker *broker, struct request *request);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * To be ourselves for a moment while a request is served with its target's rights. Who cannot go
 * back must not go on. A helper (helper.h) cannot, and stays what it is: less is refused to nobody.
 */
#pragma once

struct broker;
struct request;

void assume_broker(const struct broker *broker, const struct request *request);
void assume_target(const struct broker *broker, const struct request *request);

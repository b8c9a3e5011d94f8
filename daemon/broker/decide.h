/* SPDX-License-Identifier: Apache-2.0 */
/* Fourth stage: asks the policy. Its answer is request->verdict; nothing is opened or changed here.
 */
#pragma once

struct broker;
struct request;

void decide(const struct broker *broker, struct request *request);

/* SPDX-License-Identifier: Apache-2.0 */
/* A broker is given any bytes as the snapshot of its policy: it refuses them, or has a policy. */
#include "daemon/base/cleanup.h"
#include "daemon/policy/policy.h"
#include "tests/fuzz/memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_policy struct policy *policy = NULL;
	cleanup_fd int fd = memory_file(data, size);

	if (policy_from_snapshot(&policy, fd) == 0) {
		(void)policy_decide_file(policy, OPERATION_READ, "/etc/passwd");
		(void)policy_decide_socket(policy, 2, 1, 0);
	} else {
		must(!policy);
	}
	return 0;
}

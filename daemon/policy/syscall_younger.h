/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls that are younger than some libseccomp or some kernel's headers, so that SCMP_SYS(name)
 * can be written of them too: it lacks the name, or has it and goes by headers that lack the
 * number. From 424 on a number is every architecture's; the two that are x86's own are no calls
 * elsewhere, which libseccomp writes as a number below 0.
 */
#pragma once

#include <seccomp.h>

#undef __SNR_uretprobe
#undef __SNR_uprobe
#ifdef __x86_64__
#define __SNR_uretprobe 335
#define __SNR_uprobe    336
#else
#define __SNR_uretprobe (-10335)
#define __SNR_uprobe    (-10336)
#endif

#undef __SNR_cachestat
#undef __SNR_fchmodat2
#undef __SNR_map_shadow_stack
#undef __SNR_futex_wake
#undef __SNR_futex_wait
#undef __SNR_futex_requeue
#undef __SNR_statmount
#undef __SNR_listmount
#undef __SNR_lsm_get_self_attr
#undef __SNR_lsm_set_self_attr
#undef __SNR_lsm_list_modules
#undef __SNR_mseal
#undef __SNR_setxattrat
#undef __SNR_getxattrat
#undef __SNR_listxattrat
#undef __SNR_removexattrat
#undef __SNR_open_tree_attr
#undef __SNR_file_getattr
#undef __SNR_file_setattr
#define __SNR_cachestat         451
#define __SNR_fchmodat2         452
#define __SNR_map_shadow_stack  453
#define __SNR_futex_wake        454
#define __SNR_futex_wait        455
#define __SNR_futex_requeue     456
#define __SNR_statmount         457
#define __SNR_listmount         458
#define __SNR_lsm_get_self_attr 459
#define __SNR_lsm_set_self_attr 460
#define __SNR_lsm_list_modules  461
#define __SNR_mseal             462
#define __SNR_setxattrat        463
#define __SNR_getxattrat        464
#define __SNR_listxattrat       465
#define __SNR_removexattrat     466
#define __SNR_open_tree_attr    467
#define __SNR_file_getattr      468
#define __SNR_file_setattr      469

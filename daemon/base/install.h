/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where our programs and their files are: beside the running program if it lies in a build tree
 * (BUILD/client/usher and usher-top, BUILD/daemon/usherd, BUILD/daemon/broker/usher-broker,
 * BUILD/conf), or in an installed tree, also one that has been moved (PREFIX/bin/usher,
 * PREFIX/sbin/usherd ...), else where they were configured to be installed. Configuration is where
 * it was configured to be, and the environment has no say.
 */
#pragma once

#include <stddef.h>

/* An allocated path, or NULL if it cannot be found (errno says why). */
char *install_broker_path(void);
char *install_top_path(void);

/*
 * Where policies are looked for by name, in order: for a user's own session
 * $XDG_CONFIG_HOME/usher/policies (or ~/.config), /etc/usher/policies, the shipped ones.
 * NULL-terminated; free each and the array with install_free_directories.
 */
enum install_policy_scope {
	INSTALL_POLICIES_OF_USER, /* with the user's own directory first */
	INSTALL_POLICIES_OF_SYSTEM,
};
char **install_policy_directories(enum install_policy_scope scope);
void install_free_directories(char **directories);

/*
 * The daemon's socket that a client looks for, in order: the user's own
 * ($XDG_RUNTIME_DIR/usher/usherd.sock), the system's (/run/usher/usherd.sock). `index` from 0; an
 * allocated path, NULL past the last.
 */
char *install_socket_path(unsigned int index);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths as they are when resolved: /run, not /var/run. Where a whole folder is meant, a name that a
 * file in it could have stands for all.
 */
#include "daemon/policy/lint_tables.h"

#include <assert.h>

#include "daemon/base/cleanup.h"

static const char system_bus[] = "the system bus";
static const char session_bus[] = "the session bus";
static const char systemd[] = "systemd";
static const char docker[] = "docker";
static const char podman[] = "podman";
static const char containerd[] = "containerd";
static const char machines[] = "a manager of containers or machines";

const struct lint_place lint_launchers_table[] = {
	{"/run/dbus/system_bus_socket", system_bus},
	{"${XDG_RUNTIME_DIR}/bus", session_bus},
	{"@/tmp/dbus-AAAAAAAAAA", session_bus},
	{"/run/systemd/private", systemd},
	{"${XDG_RUNTIME_DIR}/systemd/private", systemd},
	{"/run/systemd/io.systemd.Manager", systemd},
	{"/run/docker.sock", docker},
	{"${XDG_RUNTIME_DIR}/docker.sock", docker},
	{"/run/podman/podman.sock", podman},
	{"${XDG_RUNTIME_DIR}/podman/podman.sock", podman},
	{"/run/containerd/containerd.sock", containerd},
	{"/run/crio/crio.sock", machines},
	{"/run/libvirt/libvirt-sock", machines},
	{"/var/lib/lxd/unix.socket", machines},
	{"/var/lib/incus/unix.socket", machines},
	{"/run/snapd.socket", machines},
};
const size_t lint_launcher_count = array_length(lint_launchers_table);
static_assert(array_length(lint_launchers_table) <= LINT_TABLE_MAX, "room in lint.c");

static const char shells[] = "files that shells read when they start";
static const char cron[] = "tables of cron";
static const char units[] = "units of systemd";
static const char autostart[] = "what a desktop starts";
static const char hooks[] = "hooks and settings of git";
static const char ssh[] = "files that ssh obeys";
static const char loader[] = "what the loader puts into programs";
static const char programs[] = "programs";

const struct lint_place lint_later_table[] = {
	{"${HOME}/.bashrc", shells},
	{"${HOME}/.bash_profile", shells},
	{"${HOME}/.bash_login", shells},
	{"${HOME}/.bash_logout", shells},
	{"${HOME}/.profile", shells},
	{"${HOME}/.zshrc", shells},
	{"${HOME}/.zshenv", shells},
	{"${HOME}/.zprofile", shells},
	{"${HOME}/.config/fish/config.fish", shells},
	{"/etc/profile", shells},
	{"/etc/profile.d/a.sh", shells},
	{"/etc/bash.bashrc", shells},
	{"/etc/crontab", cron},
	{"/etc/cron.d/a", cron},
	{"/etc/cron.daily/a", cron},
	{"/var/spool/cron/crontabs/${USER}", cron},
	{"/etc/systemd/system/a.service", units},
	{"/run/systemd/system/a.service", units},
	{"/usr/lib/systemd/system/a.service", units},
	{"${HOME}/.config/systemd/user/a.service", units},
	{"${HOME}/.config/autostart/a.desktop", autostart},
	{"${HOME}/.gitconfig", hooks},
	{"${HOME}/.config/git/config", hooks},
	{"${CWD}/.git/hooks/pre-commit", hooks},
	{"${CWD}/.git/config", hooks},
	{"${HOME}/.ssh/authorized_keys", ssh},
	{"${HOME}/.ssh/config", ssh},
	{"${HOME}/.ssh/rc", ssh},
	{"/etc/ld.so.preload", loader},
	{"/etc/ld.so.conf.d/a.conf", loader},
	{"${HOME}/.local/bin/a", programs},
	{"/usr/local/bin/a", programs},
	{"/usr/bin/a", programs},
};
const size_t lint_later_count = array_length(lint_later_table);
static_assert(array_length(lint_later_table) <= LINT_TABLE_MAX, "room in lint.c");

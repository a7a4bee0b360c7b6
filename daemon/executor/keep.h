/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/err.h"

/* Mode, pause and budget over a reboot. The executor waits for no disk, so short-lived processes of its user copy
 * its files from PATH_EXEC_DIR to PATH_EXEC_STATE_DIR when they change, and back at boot. */

/* Copies what is below runtime_dir/exec to state_dir, synced; what is the same already is not written.
 * Returns 0; -errno. */
int keep_save(const char *runtime_dir, const char *state_dir, struct err *reterr) _warn_unused_;

/* Copies back what is not there (it is, after anything but a boot), as it is: the executor judges what
 * cannot be read. Returns 0; -errno. */
int keep_restore(const char *runtime_dir, const char *state_dir, struct err *reterr) _warn_unused_;

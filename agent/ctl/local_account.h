/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

/* An account of the host itself: the agent is not asked, so its owner never waits for it. Whoever cannot be
 * looked up is none. */
bool is_local_account(const char *name);

/* SPDX-License-Identifier: MIT
 *
 * What has to be done from time to time, on one thread: the table is in sweeper.c. Each replica does all of it; doing
 * it twice does no harm.
 */
#pragma once

#include "base/macros.h"

struct app;
struct sweeper;

int sweeper_start(struct app *app, struct sweeper **ret);
/* Takes NULL. Waits for the task that runs. */
void sweeper_stop(struct sweeper *sweeper);
DEFINE_CLEANUP(struct sweeper, sweeper_stop)

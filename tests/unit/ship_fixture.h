/* SPDX-License-Identifier: MIT
 *
 * An event as sinks get it.
 */
#pragma once

#include "ship/ship.h"

struct ship_event ship_fixture_event(const char *id);

/* SPDX-License-Identifier: MIT
 *
 * Memory that a picture left goes back to the system a while later: by then other threads have let go of it too, and
 * changes that come close upon each other cost one look through the heap, none of them waiting for it.
 */
#pragma once

#include <systemd/sd-event.h>

int trim_create(sd_event *event, sd_event_source **ret);
void trim_soon(sd_event_source *source);

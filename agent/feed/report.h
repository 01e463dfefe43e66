/* SPDX-License-Identifier: MIT
 *
 * Tells the control plane how this host's feeds are (PUT /v1/hosts/self/status): soon after a change, and now and then.
 * Nothing depends on it, so what fails is left for the next time.
 */
#pragma once

#include <systemd/sd-event.h>

#include "feed/work.h"
#include "http/http.h"

struct report;
int report_new(sd_event *event, struct http *http, const char *url, struct work *work, struct report **ret);
void report_free(struct report *report); /* takes NULL */
void report_soon(struct report *report); /* takes NULL */

/* SPDX-License-Identifier: MIT
 *
 * Enrolment and feeds as people read them.
 */
#pragma once

#include "ctl/ctl.h"
#include "varlink/varlink_client.h"

void ctl_show_feeds(const struct ctl *ctl, const json_t *status);

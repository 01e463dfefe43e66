/* SPDX-License-Identifier: MIT
 *
 * From the logs to other systems (tenant-control.yaml(5), audit.sinks; docs/audit-log.md, "Shipping"): all tenants' and
 * the platform's, each sink by a thread of its own, at least once, in each log's order.
 */
#pragma once

#include "base/macros.h"
#include "base/problem.h"

struct app;
struct sinks;
/* Of the configuration. Nothing where it names none (*ret is NULL). */
int sinks_start(struct app *app, struct sinks **ret, struct problem *problem);
void sinks_stop(struct sinks *sinks); /* takes NULL */
DEFINE_CLEANUP(struct sinks, sinks_stop)

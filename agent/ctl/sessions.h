/* SPDX-License-Identifier: MIT
 *
 * Between tenantctl's verbs of sessions.
 */
#pragma once

#include <jansson.h>

#include "ctl/ctl.h"

int sessions_list_verb(struct ctl *ctl, int argc, char **argv); /* sessions_list.c */
int sessions_show_verb(struct ctl *ctl, int argc, char **argv); /* sessions_list.c */
int sessions_end_verb(struct ctl *ctl, int argc, char **argv);  /* sessions_end.c */

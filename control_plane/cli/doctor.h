/* SPDX-License-Identifier: MIT
 *
 * What doctor finds: one line for each thing that was looked at.
 */
#pragma once

#include "base/macros.h"
#include "control_plane/app.h"

enum finding { FINDING_OK, FINDING_WARNING, FINDING_BROKEN };
struct doctor;
void doctor_say(struct doctor *doctor, enum finding finding, const char *what, const char *format, ...) _printf_(4, 5);

/* doctor_files.c: who may read and change what; the certificate. */
void doctor_files(struct doctor *doctor, const struct config *config, const char *config_path);
/* doctor_database.c: as the service's own account. */
void doctor_database(struct doctor *doctor, struct app *app);
/* doctor_keys.c: do the keys in the database open? */
void doctor_keys(struct doctor *doctor, struct app *app);

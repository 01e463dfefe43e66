/* SPDX-License-Identifier: MIT
 *
 * The verbs that set a control plane up and look after it: init, migrate, doctor.
 */
#pragma once

#include <stdbool.h>

#include "control_plane/cli/cli.h"
#include "control_plane/config.h"

extern const struct verb_table setup_verbs;
int verb_init(int argc, char **argv);
int verb_migrate(int argc, char **argv);
int verb_doctor(int argc, char **argv);

/* A line for each step of init. */
void setup_say(const char *line);
/* Takes "--name VALUE" or "--name=VALUE" at argv[*i]; moves *i on. 1: taken, 0: another word, CLI_USAGE: no value. */
int setup_option(const char *verb, char **argv, int *i, const char *name, const char **ret);

/* ---- setup_database.c: how the database's owner is reached ---- */
/* Runs `work` as the unix user postgres, in a child, when this is root; as ourselves otherwise. Its result (0 … 100).
 */
int setup_as_postgres(int (*work)(void *context), void *context, struct problem *problem);
/* Who may make roles, by the server that the configuration names: malloc'd. -errno with the problem. */
int setup_admin_dsn(const struct config *config, char **ret, struct problem *problem);
/* The administrator's connection to the service's database; `admin_dsn` NULL: by the configuration. malloc'd. */
int setup_owner_dsn(const struct config *config, const char *admin_dsn, char **ret, struct problem *problem);

/* ---- setup_files.c ---- */
/* Writes `<config>.d/00-init.yaml` where it is not there. `certificate`, `key`: NULL for the ones that init makes. */
int setup_write_config(const char *config_path, const char *url, const char *certificate, const char *key,
		       struct problem *problem);
/* The key that seals secrets. `needed`: the database holds some already, so a new key would open none. */
int setup_seal_key(const struct config *config, bool needed, struct problem *problem);
int setup_certificate(const struct config *config, struct problem *problem);

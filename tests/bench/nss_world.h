/* SPDX-License-Identifier: MIT
 *
 * Directories for the benches of NSS, made of records directly: tenants of 20 000 people; each person is in
 * its tenant's group and in five projects of 50 people as editor (every tenth as owner), which makes 16
 * supplementary groups (an owner has five more).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "directory/directory.h"

#define WORLD_TENANT_PEOPLE 20000U
#define WORLD_PROJECTS_EACH 5U
#define WORLD_PROJECT_PEOPLE 50U
#define WORLD_NAME_SIZE 16

/* The directory of `people`, of whom those from `changing` on live in a small unit of their own with another
 * e-mail address and name for each `variant`. `before` as for directory_build. Ends the program on failure. */
struct directory *world_build(uint32_t people, uint32_t changing, unsigned variant, const struct directory *before);
/* The same, but of the changing unit only the last person differs from variant to variant. */
struct directory *world_build_one(uint32_t people, uint32_t changing, unsigned variant, const struct directory *before);
/* Forgets the units that world_build keeps for the next variant. */
void world_forget(void);
void world_login(uint32_t person, char out[WORLD_NAME_SIZE]);
uint32_t world_uid(uint32_t person);
uint32_t world_projects(uint32_t people);
/* Group of a project: level as in records.h. */
void world_group(uint32_t project, unsigned level, char out[32]);
uint32_t world_gid(uint32_t project, unsigned level);

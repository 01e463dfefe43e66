/* SPDX-License-Identifier: MIT
 *
 * The NSS module linked into a test looks for its map where the test says, not in /run.
 */
#pragma once

/* A fresh directory that stands for /run, with the agent's in it; the map's path is in nss_place_map. */
void nss_place_make(void);
void nss_place_remove(void);
extern char nss_place_parent[64], nss_place_directory[128], nss_place_map[160];

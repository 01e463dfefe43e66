/* SPDX-License-Identifier: MIT
 *
 * What the log's routes share: paths of tiles, proofs as JSON.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "tlog/tile.h"

/* "<level>/<n>" or "entries/<n>", n as x001/x234/067, and ".p/<width>" for partial ones (c2sp.org/tlog-tiles). 0,
 * -EINVAL. One path for each tile. */
int tile_path_read(const char *path, struct tlog_tile *ret, bool *ret_entries);
/* A new array of base64; NULL: out of memory. */
json_t *proof_json(const struct tlog_proof *proof);

/* SPDX-License-Identifier: MIT
 *
 * The writer's half of hash and checksum; the rules are in tenant/nss_map.h. (The module that reads the
 * map shares no code with the agent; a unit test holds the two halves against each other.)
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "tenant/nss_map.h"

uint64_t map_writer_hash_id(uint64_t seed, uint32_t id);
uint64_t map_writer_hash_name(uint64_t seed, const char *name, size_t length); /* length: 1 … NSS_MAP_NAME_MAX */
uint64_t map_writer_sum(const void *words, size_t size, uint64_t number);      /* size: a multiple of 64 */

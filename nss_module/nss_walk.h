/* SPDX-License-Identifier: MIT
 *
 * Where an enumeration stands. One per database and process, as getpwent has it; glibc calls the three
 * functions of a database under a lock of its own.
 */
#pragma once

#include <stdatomic.h>

#include "map_find.h"

struct nss_walk {
	_Atomic uint64_t cursor;
};

static inline void nss_walk_reset(struct nss_walk *walk)
{
	atomic_store_explicit(&walk->cursor, 0, memory_order_relaxed);
}

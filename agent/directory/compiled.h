/* SPDX-License-Identifier: MIT
 *
 * The compiled form of a unit: what the YAML loader made of a source, as bytes that load without parsing.
 * It names the source's SHA-256 and this build's format; anything else is refused (and rebuilt from the
 * source by the caller). It is trusted no further than its seal; still every offset and count is checked.
 *
 * Layout (little-endian): header, one block of texts that offsets point into, then for each kind its records at fixed
 * width, lists and secrets written out behind the record that has them, then places.
 */
#pragma once

#include <stdint.h>

#include "base/buffer.h"
#include "crypto/seal.h"
#include "directory/unit.h"

/* Appends. 0, -ENOMEM, -EFBIG. */
int compiled_write(const struct unit *unit, struct buffer *ret);
/* -EBADMSG: not such a form, damaged, or of another source or version. */
int compiled_read(const char *name, const uint8_t source_hash[SHA256_BYTES], const void *data, size_t length,
		  struct unit **ret);

/* For a record of what was accepted: takes the form of another release, too, where it has the same layout. */
int compiled_read_last(const char *name, const uint8_t source_hash[SHA256_BYTES], const void *data, size_t length,
		       struct unit **ret);

/* The sealed file of a source in `directory`. */
int compiled_store(const char *directory, const struct seal_key *key, const struct unit *unit);
/* -ENOENT, -EBADMSG or errno: parse the source instead. The file must be root's or our own. */
int compiled_load(const char *directory, const struct seal_key *key, const char *name,
		  const uint8_t source_hash[SHA256_BYTES], struct unit **ret);
int compiled_load_last(const char *directory, const struct seal_key *key, const char *name,
		       const uint8_t source_hash[SHA256_BYTES], struct unit **ret); /* like compiled_read_last */
/* Removes the forms of sources that are not among these units. */
void compiled_sweep(const char *directory, struct unit *const *units, uint32_t count);

/* SPDX-License-Identifier: MIT
 *
 * The compiled form of the directory: any bytes are refused or give a unit that can be read to its end,
 * written again, and built into a picture.
 */
#include <errno.h>
#include <string.h>

#include "directory/compiled.h"
#include "fuzz.h"

#define HASH_AT 24 /* of the source's hash in the form: behind magic and release */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t hash[SHA256_BYTES] = {0};
	struct unit *unit = NULL;
	struct directory *d = NULL;
	struct problem problem = {0};
	struct buffer form = BUFFER_INIT;
	int r;

	if (size >= HASH_AT + sizeof(hash))
		memcpy(hash, data + HASH_AT, sizeof(hash));
	r = compiled_read("fuzz", hash, data, size, &unit);
	if (r < 0) {
		FUZZ_CHECK(!unit && (r == -EBADMSG || r == -ENOMEM));
		return 0;
	}
	FUZZ_CHECK(compiled_write(unit, &form) == 0);
	r = directory_build(&unit, 1, "host", NULL, &d, &problem);
	FUZZ_CHECK(r == 0 || r == -EINVAL || r == -ENOMEM);
	directory_unref(d);
	unit_unref(unit);
	buffer_finish(&form);
	return 0;
}

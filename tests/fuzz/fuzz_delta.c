/* SPDX-License-Identifier: MIT
 *
 * Deltas: what is taken has operations, each on a record of its own, and follows on the revision before.
 */
#include <string.h>

#include "base/macros.h"
#include "feed/delta.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct problem problem = {0};
	struct delta delta = {0};
	enum feed_fault fault = delta_read(size > 0 ? (const char *)data : "", size, "a/feed/b", &delta, &problem);

	if (fault != FEED_FINE) {
		FUZZ_CHECK(!delta.json && !delta.ops && problem.text[0] != '\0');
		return 0;
	}
	FUZZ_CHECK(delta.op_count > 0 && delta.rev == delta.prev + 1 && delta.epoch > 0);
	for (uint32_t i = 0; i < delta.op_count; i++) {
		const struct delta_operation *op = &delta.ops[i];

		FUZZ_CHECK(op->version > 0 && op->id[0] != '\0' && !op->body == (op->op == DELTA_DEL));
		FUZZ_CHECK(op->op != DELTA_REVOKE || op->kind == RECORD_KEY || json_object_get(op->body, "of"));
		if (i < 64)
			for (uint32_t j = 0; j < i; j++)
				FUZZ_CHECK(delta.ops[j].kind != op->kind || strcmp(delta.ops[j].id, op->id) != 0);
	}
	delta_finish(&delta);
	return 0;
}

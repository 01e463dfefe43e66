/* SPDX-License-Identifier: MIT
 *
 * The directory file: any bytes load or are refused with a place; what loads survives being compiled, and a
 * picture of it either builds or says why not.
 */
#include <errno.h>
#include <string.h>

#include "directory/compiled.h"
#include "directory/edit_tree.h"
#include "directory/yaml_load.h"
#include "fuzz.h"

static void check_same(const struct unit *a, const struct unit *b)
{
	for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++) {
		FUZZ_CHECK(records_count(&a->records, kind) == records_count(&b->records, kind));
		for (uint32_t i = 0; i < records_count(&a->records, kind); i++)
			FUZZ_CHECK(
				record_equal(kind, records_at(&a->records, kind, i), records_at(&b->records, kind, i)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct unit *unit = NULL, *back = NULL;
	struct directory *d = NULL, *again = NULL;
	struct problem problem = {0};
	struct buffer form = BUFFER_INIT;
	struct edit_tree tree;
	int r = directory_yaml_load_text("fuzz", data, size, &unit, &problem);

	if (r < 0) {
		FUZZ_CHECK(!unit && (r != -EINVAL || (problem.text[0] && problem.line)));
		return 0;
	}
	FUZZ_CHECK(compiled_write(unit, &form) == 0);
	FUZZ_CHECK(compiled_read("fuzz", unit->source_hash, form.data, form.length, &back) == 0);
	check_same(unit, back);
	/* What the loader takes, the editor can read. */
	FUZZ_CHECK(edit_tree_read(&tree, (const char *)data, size, RECORD_USER, EDIT_NO_RECORD) == 0);
	edit_tree_finish(&tree);
	r = directory_build(&unit, 1, "host", NULL, &d, &problem);
	FUZZ_CHECK(r == 0 || (r == -EINVAL && problem.text[0]));
	if (r == 0)
		FUZZ_CHECK(directory_build(&back, 1, "host", d, &again, &problem) == 0);
	directory_unref(again);
	directory_unref(d);
	unit_unref(back);
	unit_unref(unit);
	buffer_finish(&form);
	return 0;
}

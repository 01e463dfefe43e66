/* SPDX-License-Identifier: MIT
 *
 * API keys: no text but one with the right form and checksum is taken for a key.
 */
#include <errno.h>
#include <string.h>

#include "crypto/api_key.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct api_key_parts parts = {.id = "untouched"};
	const char *text = (const char *)data;
	int r;

	r = api_key_parse(text, size, &parts);
	FUZZ_CHECK(r == 0 || r == -EINVAL || r == -EBADMSG);
	if (r != -EINVAL)
		FUZZ_CHECK(api_key_has_shape(text, size) && size == API_KEY_TEXT_CHARS);
	if (r != 0) {
		FUZZ_CHECK(strcmp(parts.id, "untouched") == 0);
		return 0;
	}
	FUZZ_CHECK(strlen(parts.id) == API_KEY_ID_CHARS);
	/* Any one changed digit is found out. */
	for (size_t i = 0; i < size; i++) {
		char changed[API_KEY_TEXT_CHARS];

		memcpy(changed, text, size);
		changed[i] = changed[i] == '0' ? '1' : '0';
		FUZZ_CHECK(api_key_parse(changed, size, &parts) < 0);
	}
	return 0;
}

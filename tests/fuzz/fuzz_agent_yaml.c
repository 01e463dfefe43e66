/* SPDX-License-Identifier: MIT
 *
 * agent.yaml: whatever the bytes, it is taken, or refused with a place and a text that can be shown.
 */
#include <string.h>

#include "base/text.h"
#include "config.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(config_freep) struct config *config = NULL;
	struct problem problem = {0};

	if (config_parse("fuzz", (const char *)data, size, &config, &problem) < 0) {
		FUZZ_CHECK(!config);
		FUZZ_CHECK(problem.text[0] && text_is_printable(problem.text, strlen(problem.text)));
		return 0;
	}
	FUZZ_CHECK(config->host_name[0] && config->connections >= 64);
	FUZZ_CHECK(config->directory_path[0] == '/' && config->map_path[0] == '/' && config->state_dir[0] == '/');
	for (uint32_t i = 0; i < config->service_count; i++) {
		FUZZ_CHECK(config->services[i].name && config->services[i].may);
		FUZZ_CHECK(config->services[i].user ||
			   (config->services[i].uid && config->services[i].uid != CONFIG_UID_NONE));
	}
	return 0;
}

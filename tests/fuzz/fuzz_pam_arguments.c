/* SPDX-License-Identifier: MIT
 *
 * Arguments behind pam_tenant.so, one a line: what is taken is what was written, what is not is described
 * without anything that could reach a terminal.
 */
#include <errno.h>
#include <string.h>

#include "../../pam_module/arguments.h"
#include "fuzz.h"

#define ARGUMENTS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char problem[ARGUMENT_PROBLEM_MAX] = "untouched", *text = malloc(size + 1), *line, *rest = text;
	struct arguments arguments = {.timeout_seconds = 77777};
	const char *argv[ARGUMENTS_MAX];
	int argc = 0, r;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	while (argc < ARGUMENTS_MAX && (line = strsep(&rest, "\n")))
		argv[argc++] = line;
	r = arguments_parse(argc, argv, &arguments, problem);
	if (r == 0) {
		FUZZ_CHECK(strcmp(problem, "untouched") == 0);
		FUZZ_CHECK(arguments.timeout_seconds <= 300);
		FUZZ_CHECK(!arguments.socket || arguments.socket[0] == '/');
		FUZZ_CHECK(!arguments.prompt || strlen(arguments.prompt) <= ARGUMENT_PROMPT_MAX);
		FUZZ_CHECK(!(arguments.use_first_pass && arguments.try_first_pass));
	} else {
		FUZZ_CHECK(r == -EINVAL && arguments.timeout_seconds == 77777 && problem[0]);
		for (const char *p = problem; *p; p++)
			FUZZ_CHECK(*p >= 0x20 && *p < 0x7f);
	}
	free(text);
	return 0;
}

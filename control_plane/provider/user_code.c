/* SPDX-License-Identifier: MIT */
#include "control_plane/provider/user_code.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"

static const char letters[] = "BCDFGHJKLMNPQRSTVWXZ";
#define LETTERS (sizeof(letters) - 1)
#define FAIR (256U - 256U % LETTERS) /* a byte below it gives each letter as often as the others */

int user_code_make(char out[USER_CODE_SIZE])
{
	size_t count = 0;

	while (count < USER_CODE_CHARS) {
		uint8_t bytes[2 * USER_CODE_CHARS];
		int r = random_bytes(bytes, sizeof(bytes));

		if (r < 0)
			return r;
		for (size_t i = 0; i < sizeof(bytes) && count < USER_CODE_CHARS; i++)
			if (bytes[i] < FAIR)
				out[count++] = letters[bytes[i] % LETTERS];
		secret_wipe(bytes, sizeof(bytes));
	}
	out[count] = '\0';
	return 0;
}

int user_code_parse(const char *text, char out[USER_CODE_SIZE])
{
	char code[USER_CODE_SIZE];
	size_t count = 0;

	for (; *text; text++) {
		int upper = toupper((unsigned char)*text);

		if (*text == '-' || *text == ' ')
			continue;
		if (count == USER_CODE_CHARS || !strchr(letters, upper))
			return -EINVAL;
		code[count++] = (char)upper;
	}
	if (count < USER_CODE_CHARS)
		return -EINVAL;
	code[count] = '\0';
	memcpy(out, code, sizeof(code));
	return 0;
}

void user_code_show(const char code[USER_CODE_SIZE], char out[USER_CODE_SHOWN_SIZE])
{
	(void)snprintf(out, USER_CODE_SHOWN_SIZE, "%.4s-%.4s", code, code + 4);
}

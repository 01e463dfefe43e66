/* SPDX-License-Identifier: MIT */
#include "credential/code.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* A digit in the one spelling; NUL: none. */
static char digit_of(char c)
{
	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	if (c == 'O')
		return '0';
	if (c == 'I' || c == 'L')
		return '1';
	if (!c || !strchr(alphabet, c))
		return '\0';
	return c;
}

bool code_normalise(const char *text, size_t length, char digits[CODE_DIGITS + 1])
{
	size_t count = 0;

	for (size_t i = 0; i < length; i++) {
		char digit;

		if (text[i] == '-' || text[i] == ' ')
			continue;
		digit = digit_of(text[i]);
		if (!digit || count == CODE_DIGITS)
			return false;
		digits[count++] = digit;
	}
	digits[count] = '\0';
	return count == CODE_DIGITS;
}

bool code_has_shape(const char *text, size_t length)
{
	char digits[CODE_DIGITS + 1];
	bool has = code_normalise(text, length, digits);

	secret_wipe(digits, sizeof(digits));
	return has;
}

int code_random(char digits[CODE_DIGITS + 1], char text[CODE_TEXT_SIZE])
{
	uint8_t bytes[CODE_DIGITS];
	int r = random_bytes(bytes, sizeof(bytes));

	if (r < 0)
		return r;
	for (size_t i = 0; i < CODE_DIGITS; i++)
		digits[i] = alphabet[bytes[i] % 32U]; /* 256 is a multiple of 32: all are as likely */
	digits[CODE_DIGITS] = '\0';
	(void)snprintf(text, CODE_TEXT_SIZE, "%.4s-%.4s-%.4s", digits, digits + 4, digits + 8);
	secret_wipe(bytes, sizeof(bytes));
	return 0;
}

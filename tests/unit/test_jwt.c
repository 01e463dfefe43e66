/* SPDX-License-Identifier: MIT
 *
 * Tokens: what is taken, and above all every text, header and claim that is not.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "jwt_fixture.h"

/* ---- what is taken ----------------------------------------------------------------------------- */
static void signed_and_verified(void **state)
{
	json_t *claims = json_loads(GOOD_CLAIMS, 0, NULL), *seen = NULL;
	struct buffer token = BUFFER_INIT;
	struct jwt_rules by = rules();
	char forged[TOKEN_SIZE];

	assert_result(jwt_sign(&ours, "at+jwt", claims, &token), 0);
	assert_true(jwt_has_shape(token.data, token.length));
	assert_int_equal(jwt_verify(token.data, token.length, &by, &seen), JWT_FINE);
	assert_true(json_equal(claims, seen));
	json_decref(seen);
	/* The key is found among several, in any place. */
	by.keys = (struct jwt_public[]){keys[1], keys[0]};
	by.key_count = 2;
	assert_int_equal(check_with(&by, token.data, token.length), JWT_FINE);
	/* Any one changed digit is found out. */
	by = rules();
	for (size_t i = 0; i < token.length; i++) {
		char before = token.data[i];

		token.data[i] = before == 'A' ? 'B' : 'A';
		assert_int_not_equal(check_with(&by, token.data, token.length), JWT_FINE);
		token.data[i] = before;
	}
	/* Every length that is cut. */
	for (size_t length = 0; length < token.length; length++) {
		char *exact = malloc(length ? length : 1);

		memcpy(exact, token.data, length);
		assert_int_not_equal(check_with(&by, exact, length), JWT_FINE);
		free(exact);
	}
	/* Order of members, space and members of the claims that nobody knows are free. */
	forge(forged, good_header,
	      "{ \"exp\":1800000900, \"more\":[1], \"iat\":1800000000,\n\"jti\":\"j1\",\"sub\":\"usr_1\","
	      "\"aud\":\"" ISSUER "\",\"iss\":\"" ISSUER "\"}");
	assert_int_equal(check(forged), JWT_FINE);
	buffer_finish(&token);
	json_decref(claims);
}

/* ---- headers ----------------------------------------------------------------------------------- */
static void wrong_headers(void **state)
{
	/* %s: the kid of our key. */
	const struct {
		const char *header;
		enum jwt_fault fault;
	} table[] = {
		{"{\"alg\":\"none\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", JWT_BAD_HEADER},
		{"{\"alg\":\"None\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", JWT_BAD_HEADER},
		{"{\"alg\":\"NONE\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", JWT_BAD_HEADER},
		{"{\"alg\":\"\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", JWT_BAD_HEADER},
		{"{\"alg\":null,\"typ\":\"at+jwt\",\"kid\":\"%s\"}", JWT_BAD_HEADER},
		{"{\"alg\":[\"ES256\"],\"typ\":\"at+jwt\",\"kid\":\"%s\"}", JWT_BAD_HEADER},
		{"{\"alg\":256,\"typ\":\"at+jwt\",\"kid\":\"%s\"}", JWT_BAD_HEADER},
		{"{\"alg\":\"es256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", JWT_BAD_HEADER},
		{"{\"alg\":\"ES256 \",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", JWT_BAD_HEADER},
		{"{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", JWT_BAD_HEADER},
		{"{\"alg\":\"HS384\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", JWT_BAD_HEADER},
		{"{\"alg\":\"RS256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", JWT_BAD_HEADER},
		{"{\"alg\":\"PS256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", JWT_BAD_HEADER},
		{"{\"alg\":\"ES384\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", JWT_BAD_HEADER},
		{"{\"alg\":\"ES512\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", JWT_BAD_HEADER},
		{"{\"alg\":\"ES256K\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", JWT_BAD_HEADER},
		{"{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", JWT_BAD_HEADER},
		{"{\"typ\":\"at+jwt\",\"kid\":\"%s\"}", JWT_BAD_HEADER},
		{"{\"alg\":\"ES256\",\"kid\":\"%s\"}", JWT_BAD_HEADER},
		{"{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"%s\"}", JWT_BAD_HEADER},
		{"{\"alg\":\"ES256\",\"typ\":\"AT+JWT\",\"kid\":\"%s\"}", JWT_BAD_HEADER},
		{"{\"alg\":\"ES256\",\"typ\":\"application/at+jwt\",\"kid\":\"%s\"}", JWT_BAD_HEADER},
		{"{\"alg\":\"ES256\",\"typ\":\"\",\"kid\":\"%s\"}", JWT_BAD_HEADER},
		{"{\"alg\":\"ES256\",\"typ\":\"at+jwt\"}", JWT_BAD_HEADER},
		{"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":null}", JWT_BAD_HEADER},
		{"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"crit\":[\"exp\"]}", JWT_BAD_HEADER},
		{"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"crit\":[]}", JWT_BAD_HEADER},
		{"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"b64\":false,\"crit\":[\"b64\"]}",
		 JWT_BAD_HEADER},
		{"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"b64\":true}", JWT_BAD_HEADER},
		{"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"jku\":\"https://evil.example/keys\"}",
		 JWT_BAD_HEADER},
		{"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"x5u\":\"https://evil.example/cert\"}",
		 JWT_BAD_HEADER},
		{"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"x5c\":[\"MIIB\"]}", JWT_BAD_HEADER},
		{"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"jwk\":{\"kty\":\"EC\"}}", JWT_BAD_HEADER},
		{"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"cty\":\"JWT\"}", JWT_BAD_HEADER},
		{"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"zip\":\"DEF\"}", JWT_BAD_HEADER},
		{"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"iss\":\"" ISSUER "\"}", JWT_BAD_HEADER},
		{"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"\"}", JWT_UNKNOWN_KEY},
		{"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"../../dev/null\"}", JWT_UNKNOWN_KEY},
		{"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"x' OR '1'='1\"}", JWT_UNKNOWN_KEY},
		{"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s \"}", JWT_UNKNOWN_KEY},
		/* The same member twice, under another spelling, or a text that ends early. */
		{"{\"alg\":\"none\",\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", JWT_MALFORMED},
		{"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"x\",\"kid\":\"%s\"}", JWT_MALFORMED},
		{"{\"alg\":\"ES256\",\"\\u0061lg\":\"none\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", JWT_MALFORMED},
		{"{\"Alg\":\"none\",\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", JWT_BAD_HEADER},
		{"{\"alg\":\"ES256\\u0000\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", JWT_MALFORMED},
		{"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"", JWT_MALFORMED},
		{"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}{}", JWT_MALFORMED},
		{"[{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}]", JWT_MALFORMED},
		{"\"ES256 %s\"", JWT_MALFORMED},
		{"{}", JWT_BAD_HEADER},
		{"null", JWT_MALFORMED},
		{" ", JWT_MALFORMED},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const char *at = strstr(table[i].header, "%s");
		char header[512], token[TOKEN_SIZE];

		if (at)
			snprintf(header, sizeof(header), "%.*s%s%s", (int)(at - table[i].header), table[i].header,
				 ours.public.kid, at + 2);
		else
			snprintf(header, sizeof(header), "%s", table[i].header);
		forge(token, header, GOOD_CLAIMS); /* our key did sign it */
		expect(table[i].header, token, table[i].fault);
		strrchr(token, '.')[1] = '\0'; /* and without a signature */
		assert_int_not_equal(check(token), JWT_FINE);
	}
}

/* ---- the text ---------------------------------------------------------------------------------- */
static void wrong_text(void **state)
{
	char good[TOKEN_SIZE], token[2 * TOKEN_SIZE + 16], *first, *second;
	size_t length;

	forge(good, good_header, GOOD_CLAIMS);
	length = strlen(good);
	/* Padding, white space, line ends, other alphabets, in each part and around. */
	for (size_t i = 0; i <= length; i++) {
		static const char extras[] = "= \n\r\t+/.\"\x7f\x80\0";

		for (size_t j = 0; j < sizeof(extras) - 1; j++) {
			struct jwt_rules by = rules();

			memcpy(token, good, i);
			token[i] = extras[j];
			memcpy(token + i + 1, good + i, length - i);
			if (check_with(&by, token, length + 1) != JWT_MALFORMED)
				fail_msg("byte %d at %zu", extras[j], i);
		}
	}
	/* Bits past the last byte: 64 bytes are 86 digits, the last with four bits that count for nothing. */
	strcpy(token, good);
	for (const char *c = "BCDEFGHIJKLMNOP"; *c; c++) {
		static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
		size_t value = (size_t)(strchr(digits, good[length - 1]) - digits);

		token[length - 1] = digits[value | (size_t)(*c - 'A')];
		expect("last bits", token, JWT_MALFORMED);
	}
	/* JSON serialisations, nested and encrypted forms, several tokens. */
	first = strchr(good, '.');
	second = strrchr(good, '.');
	snprintf(token, sizeof(token), "{\"protected\":\"%.*s\",\"payload\":\"%.*s\",\"signature\":\"%s\"}",
		 (int)(first - good), good, (int)(second - first - 1), first + 1, second + 1);
	expect("flattened JSON", token, JWT_MALFORMED);
	snprintf(token, sizeof(token),
		 "{\"payload\":\"%.*s\",\"signatures\":[{\"protected\":\"%.*s\",\"signature\":\"%s\"}]}",
		 (int)(second - first - 1), first + 1, (int)(first - good), good, second + 1);
	expect("general JSON", token, JWT_MALFORMED);
	snprintf(token, sizeof(token), "%s.%s", good, good);
	expect("two tokens", token, JWT_MALFORMED);
	snprintf(token, sizeof(token), "%s.", good);
	expect("a fourth part", token, JWT_MALFORMED);
	snprintf(token, sizeof(token), ".%s", good);
	expect("an empty first part", token, JWT_MALFORMED);
	snprintf(token, sizeof(token), "%.*s..%s", (int)(first - good), good, second + 1); /* detached */
	expect("no claims", token, JWT_MALFORMED);
	snprintf(token, sizeof(token), "%.*s", (int)(second - good), good);
	expect("two parts", token, JWT_MALFORMED);
	snprintf(token, sizeof(token), "Bearer %s", good);
	expect("with its scheme", token, JWT_MALFORMED);
	expect("nothing", "", JWT_MALFORMED);
	expect("dots", "..", JWT_MALFORMED);
	expect("one dot", ".", JWT_MALFORMED);
}

static void too_long(void **state)
{
	/* A member that fills the token up to the limit, and past it. */
	static const char head[] = "{\"iss\":\"" ISSUER "\",\"aud\":\"" ISSUER
				   "\",\"sub\":\"usr_1\",\"jti\":\"j1\",\"iat\":1800000000,\"exp\":1800000900,\"x\":\"";
	char claims[TOKEN_SIZE] = "", token[2 * TOKEN_SIZE];
	enum jwt_fault last = JWT_FINE;
	size_t longest = 0;

	for (size_t fill = 5700; fill < 6300; fill++) {
		memcpy(claims, head, sizeof(head) - 1);
		memset(claims + sizeof(head) - 1, 'x', fill);
		strcpy(claims + sizeof(head) - 1 + fill, "\"}");
		forge(token, good_header, claims);
		last = check(token);
		if (strlen(token) <= JWT_BYTES_MAX) {
			assert_int_equal(last, JWT_FINE);
			longest = strlen(token);
		} else {
			assert_int_equal(last, JWT_MALFORMED);
		}
	}
	assert_true(longest > JWT_BYTES_MAX - 2);
	assert_int_equal(last, JWT_MALFORMED);
	/* What we could not read we do not make. */
	{
		struct buffer out = BUFFER_INIT;
		json_t *large = json_loads(claims, 0, NULL);

		assert_non_null(large);
		assert_result(jwt_sign(&ours, "at+jwt", large, &out), -EMSGSIZE);
		assert_int_equal(out.length, 0);
		json_decref(large);
		buffer_finish(&out);
	}
}

/* ---- claims ------------------------------------------------------------------------------------ */
static void wrong_claims(void **state)
{
	/* One member of the good claims is replaced by a text (NULL: left out). */
	const struct {
		const char *name, *value;
		enum jwt_fault fault;
	} table[] = {
		{"iss", NULL, JWT_BAD_CLAIMS},
		{"iss", "\"\"", JWT_BAD_CLAIMS},
		{"iss", "null", JWT_BAD_CLAIMS},
		{"iss", "[\"" ISSUER "\"]", JWT_BAD_CLAIMS},
		{"iss", "\"https://other.example.org\"", JWT_OTHER_ISSUER},
		{"iss", "\"" ISSUER "/\"", JWT_OTHER_ISSUER},
		{"iss", "\"HTTPS://control.example.org\"", JWT_OTHER_ISSUER},
		{"aud", NULL, JWT_BAD_CLAIMS},
		{"aud", "\"\"", JWT_BAD_CLAIMS},
		/* RFC 7519 allows a list; ours names one. A list would let one token serve two. */
		{"aud", "[\"" ISSUER "\"]", JWT_BAD_CLAIMS},
		{"aud", "[\"" ISSUER "\",\"https://evil.example\"]", JWT_BAD_CLAIMS},
		{"aud", "[]", JWT_BAD_CLAIMS},
		{"aud", "{}", JWT_BAD_CLAIMS},
		{"aud", "\"https://other.example.org\"", JWT_OTHER_AUDIENCE},
		{"aud", "\"" ISSUER "/v1/hosts/token\"", JWT_OTHER_AUDIENCE},
		{"sub", NULL, JWT_BAD_CLAIMS},
		{"sub", "\"\"", JWT_BAD_CLAIMS},
		{"sub", "7", JWT_BAD_CLAIMS},
		{"jti", NULL, JWT_BAD_CLAIMS},
		{"jti", "\"\"", JWT_BAD_CLAIMS},
		{"jti", "1", JWT_BAD_CLAIMS},
		{"jti", "\"123456789012345678901234567890123456789012345678901234567890123\"", JWT_FINE},
		{"jti", "\"1234567890123456789012345678901234567890123456789012345678901234\"", JWT_BAD_CLAIMS},
		{"iat", NULL, JWT_BAD_CLAIMS},
		{"iat", "\"1800000000\"", JWT_BAD_CLAIMS},
		{"iat", "1800000000.5", JWT_BAD_CLAIMS},
		{"iat", "1.8e9", JWT_BAD_CLAIMS},
		{"iat", "-1", JWT_BAD_CLAIMS},
		{"iat", "0", JWT_BAD_CLAIMS},
		{"iat", "1800000030", JWT_FINE}, /* a clock that is fast, up to the leeway */
		{"iat", "1800000031", JWT_NOT_YET},
		{"exp", NULL, JWT_BAD_CLAIMS},
		{"exp", "\"1800000900\"", JWT_BAD_CLAIMS},
		{"exp", "true", JWT_BAD_CLAIMS},
		{"exp", "1800000900.0", JWT_BAD_CLAIMS},
		{"exp", "0", JWT_BAD_CLAIMS},
		{"exp", "1800000000", JWT_BAD_CLAIMS}, /* no lifetime */
		{"exp", "1799999999", JWT_BAD_CLAIMS}, /* a negative one */
		{"exp", "1800000001", JWT_FINE},
		{"exp", "1800000901", JWT_BAD_CLAIMS}, /* longer than we give */
		{"exp", "9007199254740992", JWT_BAD_CLAIMS},
		{"exp", "9223372036854775807", JWT_BAD_CLAIMS},
		{"exp", "9223372036854775808", JWT_MALFORMED},
		{"nbf", "1800000000", JWT_FINE},
		{"nbf", "1800000030", JWT_FINE},
		{"nbf", "1800000031", JWT_NOT_YET},
		{"nbf", "\"1800000000\"", JWT_BAD_CLAIMS},
		{"nbf", "null", JWT_BAD_CLAIMS},
		{"nbf", "-5", JWT_BAD_CLAIMS},
	};
	static const char *const names[] = {"iss", "aud", "sub", "jti", "iat", "exp"};
	static const char *const values[] = {"\"" ISSUER "\"", "\"" ISSUER "\"", "\"usr_1\"",
					     "\"j1\"",         "1800000000",     "1800000900"};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		char claims[1024] = "{\"z\":0", token[TOKEN_SIZE], what[256];

		for (size_t j = 0; j < ARRAY_LEN(names); j++)
			if (strcmp(names[j], table[i].name) != 0)
				snprintf(claims + strlen(claims), sizeof(claims) - strlen(claims), ",\"%s\":%s",
					 names[j], values[j]);
		if (table[i].value)
			snprintf(claims + strlen(claims), sizeof(claims) - strlen(claims), ",\"%s\":%s", table[i].name,
				 table[i].value);
		strcat(claims, "}");
		snprintf(what, sizeof(what), "%s %s", table[i].name, table[i].value ? table[i].value : "left out");
		forge(token, good_header, claims);
		expect(what, token, table[i].fault);
	}
}

static void claims_that_are_none(void **state)
{
	static const char *const table[] = {
		"",
		" ",
		"null",
		"[]",
		"\"text\"",
		"1",
		"[" GOOD_CLAIMS "]",
		GOOD_CLAIMS GOOD_CLAIMS,
		"{\"iss\":\"" ISSUER "\",\"aud\":\"" ISSUER
		"\",\"sub\":\"usr_2\",\"sub\":\"usr_1\",\"jti\":\"j\",\"iat\":1800000000,\"exp\":1800000900}",
		"{\"iss\":\"" ISSUER "\",\"aud\":\"" ISSUER
		"\",\"sub\":\"usr_2\\u0000\",\"jti\":\"j\",\"iat\":1800000000,\"exp\":1800000900}",
		"{\"iss\":\"\xff\"}",
		"{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		char token[TOKEN_SIZE];

		forge(token, good_header, table[i]);
		expect(table[i], token, JWT_MALFORMED);
	}
}

static void times(void **state)
{
	static const struct {
		int64_t now;
		enum jwt_fault fault;
	} table[] = {
		{NOW - 31, JWT_NOT_YET},  {NOW - 30, JWT_FINE},         {NOW, JWT_FINE},
		{NOW + 899, JWT_FINE},    {NOW + 900, JWT_FINE},        {NOW + 929, JWT_FINE},
		{NOW + 930, JWT_EXPIRED}, {NOW + 1000000, JWT_EXPIRED}, {0, JWT_NOT_YET},
	};
	char token[TOKEN_SIZE];

	forge(token, good_header, GOOD_CLAIMS);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct jwt_rules by = rules();

		by.now = table[i].now;
		assert_int_equal(check_with(&by, token, strlen(token)), table[i].fault);
	}
}

static void shapes(void **state)
{
	static const char *const not_tokens[] = {
		"",      "eyJ",       "eyJ.",     "eyJ..",    "eyJ.a",
		"a.b.c", "eyJ.a.b.c", "eyJ.a.b ", "eyJ.a.b=", "tnt_pk_0123456789abcdef"};

	for (size_t i = 0; i < ARRAY_LEN(not_tokens); i++)
		assert_false(jwt_has_shape(not_tokens[i], strlen(not_tokens[i])));
	assert_true(jwt_has_shape("eyJ.a.b", 7));
	assert_true(jwt_has_shape("eyJ.a.", 6)); /* unsigned, but nothing else either */
	for (int i = 0; i <= JWT_BAD_CLAIMS; i++)
		assert_true(strlen(jwt_fault_word((enum jwt_fault)i)) > 3);
	assert_string_equal(jwt_fault_word((enum jwt_fault)99), "unknown");
}

static void peeked(void **state)
{
	static const char *const unreadable[] = {"[]", "{\"sub\":7}", "{\"sub\":null}", "{\"sub\":\"a\",\"sub\":\"b\"}",
						 "x"};
	struct jwt_claimed claimed;
	char token[TOKEN_SIZE];

	forge(token, good_header, GOOD_CLAIMS);
	assert_result(jwt_peek(token, strlen(token), &claimed), 0);
	assert_string_equal(claimed.kid, ours.public.kid);
	assert_string_equal(claimed.subject, "usr_1");
	forge(token, "{}", "{}");
	assert_result(jwt_peek(token, strlen(token), &claimed), 0);
	assert_string_equal(claimed.kid, "");
	assert_string_equal(claimed.subject, "");
	for (size_t i = 0; i < ARRAY_LEN(unreadable); i++) {
		forge(token, good_header, unreadable[i]);
		assert_result(jwt_peek(token, strlen(token), &claimed), -EINVAL);
	}
	forge(token, "{\"kid\":\"1234567890123456789012345678901234567890123456789012345678901234\"}", "{}");
	assert_result(jwt_peek(token, strlen(token), &claimed), -EINVAL);
	assert_result(jwt_peek("", 0, &claimed), -EINVAL);
}

static void base64url(void **state)
{
	for (size_t length = 0; length < 100; length++) {
		uint8_t data[100], back[100];
		char text[140];
		size_t got;

		for (size_t i = 0; i < length; i++)
			data[i] = (uint8_t)(i * 167 + length);
		base64url_encode(data, length, text);
		assert_int_equal(strlen(text), BASE64URL_CHARS(length));
		assert_result(base64url_decode(text, strlen(text), back, sizeof(back), &got), 0);
		assert_int_equal(got, length);
		assert_memory_equal(back, data, length);
		if (length > 0)
			assert_result(base64url_decode(text, strlen(text), back, length - 1, &got), -ENOSPC);
		assert_result(base64url_decode("A", 1, back, sizeof(back), &got), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signed_and_verified),
		cmocka_unit_test(wrong_headers),
		cmocka_unit_test(wrong_text),
		cmocka_unit_test(too_long),
		cmocka_unit_test(wrong_claims),
		cmocka_unit_test(claims_that_are_none),
		cmocka_unit_test(times),
		cmocka_unit_test(shapes),
		cmocka_unit_test(peeked),
		cmocka_unit_test(base64url),
	};

	return cmocka_run_group_tests(tests, jwt_set_up, jwt_tear_down);
}

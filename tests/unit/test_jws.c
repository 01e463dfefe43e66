/* SPDX-License-Identifier: MIT
 *
 * Signed tokens of other issuers: headers and texts. Each defect is refused with its own reason.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "jose/base64url.h"
#include "jws_fixture.h"

#define CLAIMS "{\"iss\":\"https://id.example\",\"sub\":\"alice\"}"

static struct jwks *set;

static int set_up(void **state)
{
	int r = jws_set_up(state);

	set = whole_set();
	return r;
}

static int tear_down(void **state)
{
	jwks_unref(set);
	return jws_tear_down(state);
}

static struct jws_rules rules(void)
{
	return (struct jws_rules){.keys = set, .algorithms = JWS_ANY};
}

static void expect(const char *what, const char *token, enum jws_fault wanted)
{
	struct jws_rules by = rules();

	jws_expect(&by, what, token, wanted);
}

/* ---- what is taken ----------------------------------------------------------------------------- */
/* RFC 7515, A.2 and A.3; RFC 8037, A.4. */
static void published_tokens(void **state)
{
	static const char keys[] =
		"{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_"
		"wWJcyQoTbji9k0l8W26mP"
		"ddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_"
		"7OMg0L"
		"OL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_"
		"I5Ihl"
		"JH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\"},"
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
		"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
		"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";
	static const char payload[] = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
				      "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
	struct problem problem = {0};
	struct jws_rules by = rules();
	struct jwks *others = NULL;
	char token[1024];

	assert_result(jwks_parse(keys, strlen(keys), &others, &problem), 0);
	by.keys = others;
	snprintf(
		token, sizeof(token), "eyJhbGciOiJSUzI1NiJ9.%s.%s", payload,
		"cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9u"
		"JdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eS"
		"N9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AX"
		"LIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw");
	jws_expect(&by, "RFC 7515, A.2", token, JWS_FINE);
	snprintf(token, sizeof(token), "eyJhbGciOiJFUzI1NiJ9.%s.%s", payload,
		 "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
	jws_expect(&by, "RFC 7515, A.3", token, JWS_FINE);
	/* Its signature is good, but what it signs is no object. */
	snprintf(token, sizeof(token), "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.%s",
		 "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
	jws_expect(&by, "RFC 8037, A.4", token, JWS_MALFORMED);
	strrchr(token, '.')[1] = 'A';
	jws_expect(&by, "RFC 8037, A.4, changed", token, JWS_BAD_SIGNATURE);
	jwks_unref(others);
}

static void every_algorithm(void **state)
{
	struct jws_rules by = rules();
	char header[256], token[JWS_TEXT_SIZE];

	for (size_t i = 0; i < JWS_KINDS; i++) {
		json_t *claims = NULL;
		unsigned algorithm = 0;

		jws_header(header, sizeof(header), jws_kinds[i].name, jws_kinds[i].kid, ",\"typ\":\"JWT\"");
		make_token(token, test_keys[jws_kinds[i].key], jws_kinds[i].algorithm, header, CLAIMS);
		assert_int_equal(jws_verify(token, strlen(token), &by, &claims, &algorithm), JWS_FINE);
		assert_int_equal(algorithm, jws_kinds[i].algorithm);
		assert_string_equal(json_string_value(json_object_get(claims, "sub")), "alice");
		json_decref(claims);
		claims = NULL;
		assert_int_equal(jws_verify(token, strlen(token), &by, &claims, NULL), JWS_FINE);
		json_decref(claims);
		/* Any one changed digit is found out; so is every length that is cut. */
		for (size_t j = 0; token[j]; j++) {
			char before = token[j];

			token[j] = before == 'A' ? 'B' : 'A';
			assert_int_not_equal(jws_check(&by, token, strlen(token)), JWS_FINE);
			token[j] = before;
		}
		for (size_t length = 0; length < strlen(token); length++) {
			char *exact = malloc(length ? length : 1);

			memcpy(exact, token, length);
			assert_int_not_equal(jws_check(&by, exact, length), JWS_FINE);
			free(exact);
		}
	}
}

/* ---- headers ----------------------------------------------------------------------------------- */
static void wrong_headers(void **state)
{
	static const struct {
		const char *header;
		enum jws_fault fault;
	} table[] = {
		{"{\"alg\":\"none\",\"kid\":\"ec\"}", JWS_UNSIGNED},
		{"{\"alg\":\"None\",\"kid\":\"ec\"}", JWS_UNSIGNED},
		{"{\"alg\":\"NONE\",\"kid\":\"ec\"}", JWS_UNSIGNED},
		{"{\"alg\":\"nOnE\",\"kid\":\"ec\"}", JWS_UNSIGNED},
		{"{\"alg\":\"none\"}", JWS_UNSIGNED},
		{"{\"alg\":\"none \",\"kid\":\"ec\"}", JWS_ALGORITHM},
		{"{\"alg\":\"\",\"kid\":\"ec\"}", JWS_ALGORITHM},
		{"{\"alg\":\"es256\",\"kid\":\"ec\"}", JWS_ALGORITHM},
		{"{\"alg\":\"ES256 \",\"kid\":\"ec\"}", JWS_ALGORITHM},
		{"{\"alg\":\"ES256,RS256\",\"kid\":\"ec\"}", JWS_ALGORITHM},
		{"{\"alg\":\"HS256\",\"kid\":\"ec\"}", JWS_ALGORITHM},
		{"{\"alg\":\"HS384\",\"kid\":\"ec\"}", JWS_ALGORITHM},
		{"{\"alg\":\"HS512\",\"kid\":\"ec\"}", JWS_ALGORITHM},
		{"{\"alg\":\"ES384\",\"kid\":\"ec\"}", JWS_ALGORITHM},
		{"{\"alg\":\"ES256K\",\"kid\":\"ec\"}", JWS_ALGORITHM},
		{"{\"alg\":\"RS512\",\"kid\":\"ec\"}", JWS_ALGORITHM},
		{"{\"alg\":\"RSA1_5\",\"kid\":\"ec\"}", JWS_ALGORITHM},
		{"{\"alg\":\"Ed448\",\"kid\":\"ec\"}", JWS_ALGORITHM},
		{"{\"alg\":\"dir\",\"kid\":\"ec\"}", JWS_ALGORITHM},
		{"{\"alg\":null,\"kid\":\"ec\"}", JWS_MALFORMED},
		{"{\"alg\":[\"ES256\"],\"kid\":\"ec\"}", JWS_MALFORMED},
		{"{\"alg\":256,\"kid\":\"ec\"}", JWS_MALFORMED},
		{"{\"kid\":\"ec\"}", JWS_MALFORMED},
		{"{\"Alg\":\"ES256\",\"kid\":\"ec\"}", JWS_MALFORMED},
		{"{}", JWS_MALFORMED},
		/* The key: not known, another kind's, and names that would do harm elsewhere. */
		{"{\"alg\":\"ES256\",\"kid\":\"nobody\"}", JWS_UNKNOWN_KEY},
		{"{\"alg\":\"ES256\",\"kid\":\"\"}", JWS_UNKNOWN_KEY},
		{"{\"alg\":\"ES256\",\"kid\":\"EC\"}", JWS_UNKNOWN_KEY},
		{"{\"alg\":\"ES256\",\"kid\":\"ec \"}", JWS_UNKNOWN_KEY},
		{"{\"alg\":\"ES256\",\"kid\":\"../../ec\"}", JWS_UNKNOWN_KEY},
		{"{\"alg\":\"ES256\",\"kid\":\"../../../../dev/null\"}", JWS_UNKNOWN_KEY},
		{"{\"alg\":\"ES256\",\"kid\":\"https://evil.example/keys#ec\"}", JWS_UNKNOWN_KEY},
		{"{\"alg\":\"ES256\",\"kid\":\"x' UNION SELECT 'key\"}", JWS_UNKNOWN_KEY},
		{"{\"alg\":\"ES256\",\"kid\":\"|reboot\"}", JWS_UNKNOWN_KEY},
		{"{\"alg\":\"ES256\",\"kid\":\"ec\\n\"}", JWS_MALFORMED},
		{"{\"alg\":\"ES256\",\"kid\":\"\\u001b[2J\"}", JWS_MALFORMED},
		{"{\"alg\":\"ES256\",\"kid\":\"\\u202eec\"}", JWS_MALFORMED},
		{"{\"alg\":\"ES256\",\"kid\":\"ec\\u0000\"}", JWS_MALFORMED},
		{"{\"alg\":\"ES256\",\"kid\":1}", JWS_MALFORMED},
		{"{\"alg\":\"ES256\",\"kid\":null}", JWS_MALFORMED},
		{"{\"alg\":\"ES256\",\"kid\":[\"ec\"]}", JWS_MALFORMED},
		{"{\"alg\":\"ES256\",\"kid\":{\"ec\":1}}", JWS_MALFORMED},
		{"{\"alg\":\"ES256\"}", JWS_NO_KID},
		{"{\"alg\":\"RS256\"}", JWS_NO_KID},
		{"{\"alg\":\"RS256\",\"kid\":\"ec\"}", JWS_OTHER_KEY},
		{"{\"alg\":\"PS256\",\"kid\":\"ec\"}", JWS_OTHER_KEY},
		{"{\"alg\":\"EdDSA\",\"kid\":\"ec\"}", JWS_OTHER_KEY},
		{"{\"alg\":\"ES256\",\"kid\":\"rsa\"}", JWS_OTHER_KEY},
		{"{\"alg\":\"ES256\",\"kid\":\"ed\"}", JWS_OTHER_KEY},
		{"{\"alg\":\"ES256\",\"kid\":\"ec-b\"}", JWS_BAD_SIGNATURE},
		/* Keys that the token brings along. */
		{"{\"alg\":\"ES256\",\"kid\":\"ec\",\"jwk\":{\"kty\":\"EC\"}}", JWS_BRINGS_KEY},
		{"{\"alg\":\"ES256\",\"kid\":\"ec\",\"jku\":\"https://evil.example/keys\"}", JWS_BRINGS_KEY},
		{"{\"alg\":\"ES256\",\"kid\":\"ec\",\"x5u\":\"https://evil.example/cert\"}", JWS_BRINGS_KEY},
		{"{\"alg\":\"ES256\",\"kid\":\"ec\",\"x5c\":[\"MIIB\"]}", JWS_BRINGS_KEY},
		{"{\"alg\":\"ES256\",\"kid\":\"nobody\",\"jwk\":null}", JWS_BRINGS_KEY},
		/* Extensions. */
		{"{\"alg\":\"ES256\",\"kid\":\"ec\",\"crit\":[\"exp\"]}", JWS_CRITICAL},
		{"{\"alg\":\"ES256\",\"kid\":\"ec\",\"crit\":[]}", JWS_CRITICAL},
		{"{\"alg\":\"ES256\",\"kid\":\"ec\",\"crit\":null}", JWS_CRITICAL},
		{"{\"alg\":\"ES256\",\"kid\":\"ec\",\"crit\":[\"b64\"],\"b64\":false}", JWS_CRITICAL},
		{"{\"alg\":\"ES256\",\"kid\":\"ec\",\"b64\":false}", JWS_CRITICAL},
		{"{\"alg\":\"ES256\",\"kid\":\"ec\",\"b64\":true}", JWS_CRITICAL},
		{"{\"alg\":\"ES256\",\"kid\":\"ec\",\"enc\":\"A256GCM\"}", JWS_ENCRYPTED},
		/* Types. */
		{"{\"alg\":\"ES256\",\"kid\":\"ec\",\"cty\":\"JWT\"}", JWS_NESTED},
		{"{\"alg\":\"ES256\",\"kid\":\"ec\",\"cty\":\"jwt\"}", JWS_NESTED},
		{"{\"alg\":\"ES256\",\"kid\":\"ec\",\"cty\":\"application/jwt\"}", JWS_NESTED},
		{"{\"alg\":\"ES256\",\"kid\":\"ec\",\"cty\":\"json\"}", JWS_BAD_TYPE},
		{"{\"alg\":\"ES256\",\"kid\":\"ec\",\"cty\":1}", JWS_MALFORMED},
		{"{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":\"at+jwt\"}", JWS_BAD_TYPE},
		{"{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":\"logout+jwt\"}", JWS_BAD_TYPE},
		{"{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":\"dpop+jwt\"}", JWS_BAD_TYPE},
		{"{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":\"\"}", JWS_BAD_TYPE},
		{"{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":\"JWT \"}", JWS_BAD_TYPE},
		{"{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":\"text/application/jwt\"}", JWS_BAD_TYPE},
		{"{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":1}", JWS_MALFORMED},
		{"{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":null}", JWS_MALFORMED},
		/* The same member twice, also by another spelling and deeper inside; a text that ends early. */
		{"{\"alg\":\"none\",\"alg\":\"ES256\",\"kid\":\"ec\"}", JWS_MALFORMED},
		{"{\"alg\":\"ES256\",\"alg\":\"none\",\"kid\":\"ec\"}", JWS_MALFORMED},
		{"{\"alg\":\"ES256\",\"\\u0061lg\":\"none\",\"kid\":\"ec\"}", JWS_MALFORMED},
		{"{\"alg\":\"ES256\",\"kid\":\"nobody\",\"kid\":\"ec\"}", JWS_MALFORMED},
		{"{\"alg\":\"ES256\",\"kid\":\"ec\",\"more\":{\"a\":1,\"a\":2}}", JWS_MALFORMED},
		{"{\"alg\":\"ES256\\u0000\",\"kid\":\"ec\"}", JWS_MALFORMED},
		{"{\"alg\":\"ES256\",\"kid\":\"ec\"", JWS_MALFORMED},
		{"{\"alg\":\"ES256\",\"kid\":\"ec\"}{}", JWS_MALFORMED},
		{"[{\"alg\":\"ES256\",\"kid\":\"ec\"}]", JWS_MALFORMED},
		{"\"ES256\"", JWS_MALFORMED},
		{"null", JWS_MALFORMED},
		{" ", JWS_MALFORMED},
		{"\xff", JWS_MALFORMED},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		char token[JWS_TEXT_SIZE];

		make_token(token, test_keys[EC_A], JWS_ES256, table[i].header, CLAIMS); /* the key did sign it */
		expect(table[i].header, token, table[i].fault);
		strrchr(token, '.')[1] = '\0'; /* and without a signature */
		assert_int_not_equal(
			jws_check(&(struct jws_rules){.keys = set, .algorithms = JWS_ANY}, token, strlen(token)),
			JWS_FINE);
	}
}

static void good_headers(void **state)
{
	static const char *const headers[] = {
		"{\"alg\":\"ES256\",\"kid\":\"ec\"}",
		"{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":\"JWT\"}",
		"{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":\"jwt\"}",
		"{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":\"application/JWT\"}",
		"{ \"kid\" : \"e\\u0063\" ,\n\"alg\":\"ES256\", \"x5t\":\"AAAA\", \"unknown\":[1] }",
	};
	static const char *const access[] = {"at+jwt", "JWT", NULL};
	struct jws_rules by = rules();
	char token[JWS_TEXT_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		make_token(token, test_keys[EC_A], JWS_ES256, headers[i], CLAIMS);
		expect(headers[i], token, JWS_FINE);
	}
	/* Where types are asked for, one must be there. */
	by.types = access;
	jws_expect(&by, "no typ", token, JWS_BAD_TYPE);
	make_token(token, test_keys[EC_A], JWS_ES256, "{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":\"At+JWT\"}", CLAIMS);
	jws_expect(&by, "at+jwt", token, JWS_FINE);
	make_token(token, test_keys[EC_A], JWS_ES256,
		   "{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":\"application/at+jwt\"}", CLAIMS);
	jws_expect(&by, "application/at+jwt", token, JWS_FINE);
	make_token(token, test_keys[EC_A], JWS_ES256, "{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":\"id+jwt\"}", CLAIMS);
	jws_expect(&by, "id+jwt", token, JWS_BAD_TYPE);
}

static void very_long_kid(void **state)
{
	char header[JWKS_KID_MAX + 64], kid[JWKS_KID_MAX + 1], token[JWS_TEXT_SIZE];
	struct jws_claimed claimed;

	memset(kid, 'k', sizeof(kid));
	for (size_t length = JWKS_KID_MAX - 1; length <= JWKS_KID_MAX; length++) {
		kid[length] = '\0';
		jws_header(header, sizeof(header), "ES256", kid, "");
		make_token(token, test_keys[EC_A], JWS_ES256, header, CLAIMS);
		expect("long kid", token, length < JWKS_KID_MAX ? JWS_UNKNOWN_KEY : JWS_MALFORMED);
		assert_result(jws_peek(token, strlen(token), &claimed), length < JWKS_KID_MAX ? 0 : -EINVAL);
		memset(kid, 'k', sizeof(kid));
	}
}

/* ---- the text ---------------------------------------------------------------------------------- */
static void wrong_text(void **state)
{
	char good[4096], token[JWS_TEXT_SIZE], *first, *second;
	struct jws_rules by = rules();
	size_t length;

	make_token(good, test_keys[EC_A], JWS_ES256, "{\"alg\":\"ES256\",\"kid\":\"ec\"}", CLAIMS);
	length = strlen(good);
	/* Padding, white space, line ends, other alphabets, in each part and around. */
	for (size_t i = 0; i <= length; i++) {
		static const char extras[] = "= \n\r\t+/\"\x7f\x80\0";

		for (size_t j = 0; j < sizeof(extras) - 1; j++) {
			memcpy(token, good, i);
			token[i] = extras[j];
			memcpy(token + i + 1, good + i, length - i);
			if (jws_check(&by, token, length + 1) != JWS_MALFORMED)
				fail_msg("byte %d at %zu", extras[j], i);
		}
	}
	/* Bits past the last byte: 64 bytes are 86 digits, the last with four bits that count for nothing. */
	for (unsigned bits = 1; bits < 16; bits++) {
		static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

		strcpy(token, good);
		token[length - 1] = digits[(size_t)(strchr(digits, good[length - 1]) - digits) | bits];
		expect("last bits", token, JWS_MALFORMED);
	}
	first = strchr(good, '.');
	second = strrchr(good, '.');
	snprintf(token, sizeof(token), "{\"protected\":\"%.*s\",\"payload\":\"%.*s\",\"signature\":\"%s\"}",
		 (int)(first - good), good, (int)(second - first - 1), first + 1, second + 1);
	expect("flattened JSON", token, JWS_MALFORMED);
	snprintf(token, sizeof(token), "%s.%s", good, good);
	expect("two tokens", token, JWS_MALFORMED);
	snprintf(token, sizeof(token), "%s.", good);
	expect("a dot behind", token, JWS_MALFORMED);
	snprintf(token, sizeof(token), "%s..", good);
	expect("two dots behind", token, JWS_ENCRYPTED);
	snprintf(token, sizeof(token), "%s...", good);
	expect("three dots behind", token, JWS_MALFORMED);
	snprintf(token, sizeof(token), ".%s", good);
	expect("a dot before", token, JWS_MALFORMED);
	snprintf(token, sizeof(token), "%.*s..%s", (int)(first - good), good, second + 1);
	expect("no claims", token, JWS_MALFORMED);
	snprintf(token, sizeof(token), "%.*s", (int)(second - good), good);
	expect("two parts", token, JWS_MALFORMED);
	snprintf(token, sizeof(token), "%.*s.", (int)(second - good), good);
	expect("no signature", token, JWS_BAD_SIGNATURE);
	snprintf(token, sizeof(token), "%s.%s.%s.%s.%s", "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0", "", "AAAA", "AAAA",
		 "AAAA");
	expect("an encrypted one", token, JWS_ENCRYPTED);
	snprintf(token, sizeof(token), "Bearer %s", good);
	expect("with its scheme", token, JWS_MALFORMED);
	expect("nothing", "", JWS_MALFORMED);
	expect("dots", "..", JWS_MALFORMED);
	expect("one dot", ".", JWS_MALFORMED);
	expect("four dots", "....", JWS_ENCRYPTED);
}

/* A token within a token, and claims that are none. */
static void wrong_claims(void **state)
{
	static const char *const table[] = {
		"null",
		"[]",
		"\"text\"",
		"1",
		" ",
		"{",
		"{}x",
		"{}{}",
		"{\"a\":1,\"a\":2}",
		"{\"a\":1,\"\\u0061\":2}",
		"{\"a\":{\"b\":1,\"b\":1}}",
		"{\"a\":[{\"b\":1,\"b\":1}]}",
		"{\"a\":\"\\u0000\"}",
		"{\"a\":\"\xc0\x80\"}",
		"{\"a\":1e999}",
		"{\"a\":18446744073709551616}",
		"{\"a\":01}",
		"{\"a\":NaN}",
		"{'a':1}",
		"{\"a\":1,}",
	};
	char token[JWS_TEXT_SIZE], inner[4096], deep[256] = "{\"a\":";

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		make_token(token, test_keys[EC_A], JWS_ES256, "{\"alg\":\"ES256\",\"kid\":\"ec\"}", table[i]);
		expect(table[i], token, JWS_MALFORMED);
	}
	make_token(inner, test_keys[EC_A], JWS_ES256, "{\"alg\":\"ES256\",\"kid\":\"ec\"}", CLAIMS);
	make_token(token, test_keys[EC_A], JWS_ES256, "{\"alg\":\"ES256\",\"kid\":\"ec\"}", inner);
	expect("nested, unsaid", token, JWS_MALFORMED);
	make_token(token, test_keys[EC_A], JWS_ES256, "{\"alg\":\"ES256\",\"kid\":\"ec\",\"cty\":\"JWT\"}", inner);
	expect("nested", token, JWS_NESTED);
	for (int i = 0; i < 40; i++)
		strcat(deep, "[");
	make_token(token, test_keys[EC_A], JWS_ES256, "{\"alg\":\"ES256\",\"kid\":\"ec\"}", deep);
	expect("deep", token, JWS_MALFORMED);
	make_token(token, test_keys[EC_A], JWS_ES256, "{\"alg\":\"ES256\",\"kid\":\"ec\"}", "{}");
	expect("an empty object: what must be in it is not judged here", token, JWS_FINE);
}

static void too_large(void **state)
{
	static char claims[JWS_TEXT_SIZE], token[2 * JWS_TEXT_SIZE];
	size_t longest = 0;

	/* Space behind the header, so that every length is reached. */
	for (size_t fill = 12100; fill < 12280; fill++)
		for (int space = 0; space < 3; space++) {
			char header[64];

			snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"kid\":\"ec\"}%*s", space, "");
			snprintf(claims, sizeof(claims), "{\"x\":\"%*s\"}", (int)fill, "");
			make_token(token, test_keys[EC_A], JWS_ES256, header, claims);
			expect("large", token, strlen(token) <= JWS_BYTES_MAX ? JWS_FINE : JWS_TOO_LARGE);
			if (strlen(token) <= JWS_BYTES_MAX && strlen(token) > longest)
				longest = strlen(token);
		}
	assert_int_equal(longest, JWS_BYTES_MAX);
	assert_true(strlen(token) > JWS_BYTES_MAX);
	memset(token, 'A', sizeof(token));
	assert_int_equal(jws_check(&(struct jws_rules){.keys = set, .algorithms = JWS_ANY}, token, sizeof(token)),
			 JWS_TOO_LARGE);
}

/* ---- what it says of itself -------------------------------------------------------------------- */
static void peeked(void **state)
{
	struct jws_claimed claimed;
	char token[JWS_TEXT_SIZE], claims[1024];

	make_token(token, test_keys[EC_B], JWS_ES256, "{\"alg\":\"none\",\"kid\":\"ec\",\"typ\":\"JWT\"}", CLAIMS);
	assert_result(jws_peek(token, strlen(token), &claimed), 0);
	assert_string_equal(claimed.kid, "ec");
	assert_string_equal(claimed.issuer, "https://id.example");
	assert_string_equal(claimed.type, "JWT");
	make_token(token, test_keys[EC_B], JWS_ES256, "{\"alg\":\"none\"}", "{}");
	assert_result(jws_peek(token, strlen(token), &claimed), 0);
	assert_string_equal(claimed.kid, "");
	assert_string_equal(claimed.issuer, "");
	assert_string_equal(claimed.type, "");
	make_token(token, test_keys[EC_B], JWS_ES256, "{\"kid\":1}", "{}");
	assert_result(jws_peek(token, strlen(token), &claimed), -EINVAL);
	make_token(token, test_keys[EC_B], JWS_ES256, "{}", "{\"iss\":[\"https://id.example\"]}");
	assert_result(jws_peek(token, strlen(token), &claimed), -EINVAL);
	make_token(token, test_keys[EC_B], JWS_ES256, "{}", "{\"iss\":\"a\",\"iss\":\"b\"}");
	assert_result(jws_peek(token, strlen(token), &claimed), -EINVAL);
	for (int length = 511; length <= 512; length++) {
		snprintf(claims, sizeof(claims), "{\"iss\":\"%*s\"}", length, "");
		make_token(token, test_keys[EC_B], JWS_ES256, "{}", claims);
		assert_result(jws_peek(token, strlen(token), &claimed), length == 511 ? 0 : -EINVAL);
	}
	make_token(token, test_keys[EC_B], JWS_ES256, "{\"typ\":\"12345678901234567890123456789012\"}", "{}");
	assert_result(jws_peek(token, strlen(token), &claimed), -EINVAL);
	assert_result(jws_peek("a.b", 3, &claimed), -EINVAL);
	assert_result(jws_peek("", 0, &claimed), -EINVAL);
}

static void words(void **state)
{
	for (int i = 0; i < JWS_FAULT_COUNT; i++) {
		assert_true(strlen(jws_fault_word((enum jws_fault)i)) > 2);
		assert_true(strlen(jws_fault_sentence((enum jws_fault)i)) > 10);
		assert_int_not_equal(
			jws_fault_sentence((enum jws_fault)i)[strlen(jws_fault_sentence((enum jws_fault)i)) - 1], '.');
		for (int j = 0; j < i; j++)
			assert_string_not_equal(jws_fault_word((enum jws_fault)i), jws_fault_word((enum jws_fault)j));
	}
	assert_string_equal(jws_fault_word(JWS_FAULT_COUNT), "unknown");
	assert_string_equal(jws_fault_sentence((enum jws_fault) - 1), "The token is refused");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_tokens), cmocka_unit_test(every_algorithm), cmocka_unit_test(wrong_headers),
		cmocka_unit_test(good_headers),     cmocka_unit_test(very_long_kid),

		cmocka_unit_test(wrong_text),       cmocka_unit_test(wrong_claims),    cmocka_unit_test(too_large),
		cmocka_unit_test(peeked),           cmocka_unit_test(words),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

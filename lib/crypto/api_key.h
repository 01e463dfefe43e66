/* SPDX-License-Identifier: MIT
 *
 * API keys as text: `tnt_<kind>_<id>_<43 base62 digits of 256 random bits><6 base62 digits of CRC-32>`.
 * kind: "pk" (a person's), "sk" (a service account's) or "et" (no key, but the token by which a host enrols).
 * id: 16 base62 digits, the public part that finds the record. The checksum covers everything before it,
 * so a mistyped or cut key is told apart from a wrong one without a look-up, and secret scanners can match
 * exactly. The verifier is "sha256:" and 64 hex digits over the whole key text: a fast hash is right for 256
 * random bits.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/digest.h"

#define API_KEY_ID_CHARS 16
#define API_KEY_SECRET_CHARS 43
#define API_KEY_CHECK_CHARS 6
#define API_KEY_TEXT_CHARS (4 + 2 + 1 + API_KEY_ID_CHARS + 1 + API_KEY_SECRET_CHARS + API_KEY_CHECK_CHARS)

enum api_key_kind { API_KEY_PERSON, API_KEY_SERVICE, API_KEY_ENROLMENT };

struct api_key_parts {
	enum api_key_kind kind;
	char id[API_KEY_ID_CHARS + 1];
};

/* Looks like one of ours (prefix)? Cheap; decides which kind of credential was typed. */
bool api_key_has_shape(const char *text, size_t length);
/* 0; -EINVAL: not of the form; -EBADMSG: form right, checksum wrong (a typing slip). */
int api_key_parse(const char *text, size_t length, struct api_key_parts *ret);
/* Makes a new key. `out` holds API_KEY_TEXT_CHARS+1 and is secret: the caller wipes it. */
int api_key_make(enum api_key_kind kind, char *out, char id_out[API_KEY_ID_CHARS + 1]);
/* The same with an id that the caller chose; -EINVAL when it is not 16 base62 digits. */
int api_key_make_with_id(enum api_key_kind kind, const char *id, char *out);
int api_key_verifier(const char *text, size_t length, uint8_t out[SHA256_BYTES]);
/* `count` random base62 digits and a NUL: for new record ids. */
int base62_random(char *out, size_t count);

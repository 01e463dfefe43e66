/* SPDX-License-Identifier: MIT
 *
 * Directories and keys for tests of decisions: two tenants on one host, from YAML as an operator writes it.
 */
#pragma once

#include "base/text.h"
#include "crypto/api_key.h"
#include "directory/directory.h"

#define FIXTURE_NOW 1800000000 /* 2027-01-15T08:00:00Z, a Friday */

/* A key: its text (what a person types) and the lines of its record. */
struct fixture_key {
	char text[API_KEY_TEXT_CHARS + 1];
	char id[ID_MAX_BYTES + 1];
	char yaml[1024];
};
/* `more` are further lines of the record, such as "not_after: 2027-01-01"; one a line, without indent. */
struct fixture_key fixture_key(enum api_key_kind kind, const char *user, const char *label, const char *more);

/* Loads; fails the test with the loader's words when it does not. */
struct directory *fixture_load(const char *host, const char *yaml);
/* Like it, from pieces: the text ends with NULL. */
struct directory *fixture_join(const char *host, ...);

/* Tenant acme: projects vision (alice owner, edith editor, victor viewer, ann annotator) and speech (sam owner); adam
 * is acme's admin and in no project; mallory is in nothing; bot is a service account, editor of vision. Tenant beta:
 * project radar (bert owner). Host "gpu-1" serves vision (login owner, editor, annotator; sudo owner) and radar (login
 * owner, editor, viewer); host "cpu-1" serves speech by ssh only. Lists end in no key: "keys:" may follow. */
extern const char fixture_yaml[];

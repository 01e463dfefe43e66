/* SPDX-License-Identifier: MIT
 *
 * What a mapping in the directory file may hold, as tables: each key's name, type and place in the record.
 * yaml_fields.c reads a mapping by its table; yaml_load.c has the tables.
 */
#pragma once

#include "base/text.h"
#include "directory/unit.h"
#include "records/values.h"
#include "yaml/yaml_reader.h"

#define FIELDS_MAX 20U /* keys of one mapping */

enum field_type {
	FIELD_ID, /* a record's id or a reference; interned */
	FIELD_SLUG,
	FIELD_LOGIN, /* kept aside: yaml_load.c puts it into the home directory's text */
	FIELD_HOME,  /* likewise */
	FIELD_NAME,  /* goes into passwd: printable, no ':' */
	FIELD_TEXT,  /* printable; interned */
	FIELD_EMAIL,
	FIELD_PATH,
	FIELD_WORD,    /* a role's name */
	FIELD_PATTERN, /* a host name, or the beginning of one and '*' */
	FIELD_VERIFIER,
	FIELD_ISSUER, /* interned */
	FIELD_SUBJECT,
	FIELD_CLIENT_ID,
	FIELD_CLIENT_SECRET, /* kept apart and wiped, as is where it was read */
	FIELD_CLIENT_KEY,    /* likewise */
	FIELD_CLAIM,
	FIELD_DOMAIN,
	FIELD_U32,
	FIELD_LIMIT, /* a number that is not 0 */
	FIELD_MANAGED_ID,
	FIELD_TIME,
	FIELD_SECONDS,     /* a span of time, not 0 */
	FIELD_SPAN,        /* one that may be 0 */
	FIELD_BOOL,        /* true or false */
	FIELD_DAYS,        /* a span of whole days, rounded up */
	FIELD_CHOICE,      /* index into choices */
	FIELD_CHOICE_BOOL, /* choices[1] is true */
	FIELD_IDS,
	FIELD_WORDS,
	FIELD_ACTIONS,      /* of a key: checked against its tenant later */
	FIELD_ROLE_ACTIONS, /* of a role that a tenant defines */
	FIELD_CIDRS,
	FIELD_SSH_KEYS,
	FIELD_HOURS,
	FIELD_SCOPES,
	FIELD_CLAIMS,
	FIELD_DOMAINS,
	FIELD_MAP,     /* a mapping whose keys go into the same record */
	FIELD_RECORDS, /* a list of mappings */
};

struct schema;
struct field {
	const char *name;
	enum field_type type;
	bool required;
	size_t offset;
	const char *const *choices; /* NULL at its end */
	const struct schema *inner; /* FIELD_MAP, FIELD_RECORDS */
	size_t count_offset;        /* FIELD_RECORDS: of the uint32_t */
};
struct loader;
struct schema {
	const char *what; /* "a user" */
	const struct field *fields;
	uint32_t count;
	size_t size; /* of the record; FIELD_RECORDS */
	/* Defaults before and checks after; NULL: none. `start` is where the mapping begins. */
	void (*defaults)(struct loader *loader, void *record);
	int (*finish)(struct loader *loader, void *record, yaml_mark_t start);
};

struct loader {
	struct yaml_reader *reader;
	struct unit *unit;
	struct intern intern;
	char login[NAME_MAX_BYTES + 1], home[VALUE_HOME_MAX]; /* of the user being read; "" */
};

/* Reads the mapping that the current event starts. On return the current event is its end. */
int schema_read(struct loader *loader, const struct schema *schema, void *record);
/* One scalar (the current event) into the record. (yaml_scalars.c) */
int schema_scalar(struct loader *loader, const struct field *field, void *record);
/* One item of a list field (the current event) into *ret; size of an item in schema_item_size. */
int schema_item(struct loader *loader, const struct field *field, void *ret);
size_t schema_item_size(enum field_type type);
/* Interns and gives -ENOMEM; *ret untouched then. */
int schema_intern(struct loader *loader, const char *text, size_t length, const char **ret);
/* Complains about what begins at `start`; -EINVAL. (yaml_scalars.c) */
int schema_refuse_at(struct loader *loader, yaml_mark_t start, const struct problem *problem);

/* yaml_load_sso.c */
extern const struct schema schema_of_sudo, schema_of_identity, schema_of_idp;
/* yaml_load_sessions.c */
extern const struct schema schema_of_sessions, schema_of_grant;

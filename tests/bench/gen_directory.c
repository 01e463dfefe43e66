/* SPDX-License-Identifier: MIT */
#include "gen_directory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "crypto/digest.h"
#include "records/records.h"

#define BLOCK_SPARE 4096U
#define BLOCK_COUNT (GEN_TENANT_PEOPLE + BLOCK_SPARE)
#define FIRST_USER 64U /* of a block; before it the tenant's and the projects' groups */
#define DROP_COUNT 65536U

static uint32_t tenants_for(uint32_t people)
{
	return people ? (people + GEN_TENANT_PEOPLE - 1) / GEN_TENANT_PEOPLE : 1;
}

static uint32_t block_of(uint32_t tenant)
{
	return MANAGED_ID_FIRST + tenant * BLOCK_COUNT;
}

uint32_t gen_directory_uid(uint32_t person)
{
	return block_of(person / GEN_TENANT_PEOPLE) + FIRST_USER + person % GEN_TENANT_PEOPLE;
}

/* Base-62 digits of the checksum, by the rule in crypto/api_key.h: most significant first. */
static void put_base62(uint64_t value, char *out, unsigned digits)
{
	static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

	for (unsigned i = digits; i-- > 0; value /= 62)
		out[i] = alphabet[value % 62];
}

void gen_directory_key(uint32_t person, char out[API_KEY_TEXT_CHARS + 1])
{
	snprintf(out, API_KEY_TEXT_CHARS + 1, "tnt_pk_%016u_%043u", person, person);
	put_base62(crc32_ieee(out, API_KEY_TEXT_CHARS - API_KEY_CHECK_CHARS),
		   out + API_KEY_TEXT_CHARS - API_KEY_CHECK_CHARS, API_KEY_CHECK_CHARS);
	out[API_KEY_TEXT_CHARS] = '\0';
}

static int add_key(uint32_t person, struct buffer *ret)
{
	char key[API_KEY_TEXT_CHARS + 1], hex[2 * SHA256_BYTES + 1];
	uint8_t verifier[SHA256_BYTES];
	int r;

	gen_directory_key(person, key);
	r = api_key_verifier(key, strlen(key), verifier);
	if (r < 0)
		return r;
	text_to_hex(verifier, sizeof(verifier), hex);
	return buffer_printf(ret,
			     "  - id: key_%016u\n    user: usr_%07u\n    label: laptop\n    verifier: \"sha256:%s\"\n"
			     "    created: 2026-11-01T08:00:00Z\n",
			     person, person, hex);
}

int gen_directory(uint32_t people, struct buffer *ret)
{
	static const char *const roles[] = {"editor", "viewer", "owner", "editor"};
	uint32_t tenants = tenants_for(people);

	buffer_add_text(ret, "version: 1\ntenants:\n");
	for (uint32_t t = 0; t < tenants; t++)
		buffer_printf(ret,
			      "  - id: ten_%u\n    slug: t%u\n    name: Tenant %u\n    gid: %u\n"
			      "    ids: {first: %u, count: %u, next: %u}\n",
			      t, t, t, block_of(t), block_of(t), BLOCK_COUNT,
			      block_of(t) + FIRST_USER + GEN_TENANT_PEOPLE);
	buffer_add_text(ret, "projects:\n");
	for (uint32_t t = 0; t < tenants; t++)
		for (uint32_t p = 0; p < GEN_TENANT_PROJECTS; p++)
			buffer_printf(ret, "  - {id: prj_%u_%u, tenant: ten_%u, slug: p%u, gid: %u}\n", t, p, t, p,
				      block_of(t) + 1 + p * GROUP_LEVEL_COUNT);
	buffer_printf(ret, people ? "users:\n" : "users: []\n");
	for (uint32_t i = 0; i < people; i++)
		buffer_printf(ret,
			      "  - id: usr_%07u\n    tenant: ten_%u\n    login: u%07u\n    uid: %u\n"
			      "    name: Person Number %u\n    email: person%u@t%u.example\n",
			      i, i / GEN_TENANT_PEOPLE, i, gen_directory_uid(i), i, i, i / GEN_TENANT_PEOPLE);
	buffer_printf(ret, people ? "members:\n" : "members: []\n");
	for (uint32_t i = 0; i < people; i++)
		buffer_printf(ret, "  - {user: usr_%07u, project: prj_%u_%u, role: %s}\n", i, i / GEN_TENANT_PEOPLE,
			      i % GEN_TENANT_PROJECTS, roles[i % ARRAY_LEN(roles)]);
	buffer_printf(ret, people ? "keys:\n" : "keys: []\n");
	for (uint32_t i = 0; i < people; i += 10) {
		int r = add_key(i, ret);

		if (r < 0)
			return r;
	}
	buffer_add_text(ret, "hosts:\n  - name: \"*\"\n    serves:\n");
	for (uint32_t t = 0; t < tenants; t++)
		buffer_printf(ret, "      - {project: prj_%u_0, sudo: [owner]}\n", t);
	return ret->failed ? -ENOMEM : 0;
}

int gen_directory_drop_in(uint32_t people, uint32_t own, unsigned variant, struct buffer *ret)
{
	uint32_t first = block_of(tenants_for(people));

	buffer_printf(ret,
		      "version: 1\ntenants:\n  - id: ten_drop\n    slug: drop\n    gid: %u\n"
		      "    ids: {first: %u, count: %u, next: %u}\n"
		      "projects:\n  - {id: prj_drop, tenant: ten_drop, slug: main, gid: %u}\nusers:\n",
		      first, first, DROP_COUNT, first + FIRST_USER + own, first + 1);
	for (uint32_t i = 0; i < own; i++)
		buffer_printf(
			ret,
			"  - {id: usr_drop%u, tenant: ten_drop, login: drop%u, uid: %u, email: d%u@drop.example}\n", i,
			i, first + FIRST_USER + i, i ? i : 1000 + variant);
	buffer_add_text(ret, "members:\n");
	for (uint32_t i = 0; i < own; i++)
		buffer_printf(ret, "  - {user: usr_drop%u, project: prj_drop, role: editor}\n", i);
	return ret->failed ? -ENOMEM : 0;
}

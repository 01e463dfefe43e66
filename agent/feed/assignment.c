/* SPDX-License-Identifier: MIT
 *
 * Members that we do not know are left alone: a newer control plane may say more.
 */
#include "feed/assignment.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "feed/feed.h"
#include "json/json_read.h"

static int malformed(struct problem *problem, const char *what)
{
	return problem_set(problem, EBADMSG, "the control plane's answer cannot be used: %s", what);
}

static int read_tenant(json_t *json, struct assignments *ret, struct problem *problem)
{
	const char *id = json_string_value(json_object_get(json, "id"));
	const char *origin = json_string_value(json_object_get(json, "origin"));
	json_t *trust = json_object_get(json, "trust");
	struct assignment *tenant = &ret->tenants[ret->count];
	struct feed_trust document;

	if (!id || !text_is_id(id) || strlen(id) >= sizeof(tenant->tenant_id) || !origin || !json_is_string(trust))
		return malformed(problem, "a tenant without id, origin or trust document");
	if (assignments_find(ret, id))
		return malformed(problem, "a tenant is in it twice");
	tenant->trust = json_string_value(trust);
	tenant->trust_length = json_string_length(trust);
	/* By its own keys alone: where an older one is kept, the feed itself judges the way from there. */
	if (feed_trust_read(tenant->trust, tenant->trust_length, NULL, &document, problem) != FEED_FINE)
		return -EBADMSG;
	if (!text_equal(document.origin, origin))
		return malformed(problem, "a trust document of another feed");
	snprintf(tenant->tenant_id, sizeof(tenant->tenant_id), "%s", id);
	ret->count++;
	return 0;
}

int assignments_read(const char *body, size_t length, const char *id_name, struct assignments *ret,
		     struct problem *problem)
{
	json_t *tenants, *tenant;
	size_t i;
	int r;

	*ret = (struct assignments){0};
	if (json_read(body, length, &ret->json, &(struct problem){0}) < 0)
		return malformed(problem, "it is no JSON");
	ret->host_id = json_string_value(json_object_get(ret->json, id_name));
	ret->disabled = json_is_true(json_object_get(ret->json, "disabled"));
	ret->authority = json_string_value(json_object_get(ret->json, "authority"));
	ret->note = json_string_value(json_object_get(ret->json, "assignment"));
	ret->note_length = ret->note ? json_string_length(json_object_get(ret->json, "assignment")) : 0;
	tenants = json_object_get(ret->json, "tenants");
	if (!ret->host_id || !text_is_id(ret->host_id) || !json_is_array(tenants))
		return malformed(problem, "host id or tenants are missing");
	if (json_array_size(tenants) > HOST_TENANTS_MAX)
		return malformed(problem, "more tenants than a host can serve");
	json_array_foreach(tenants, i, tenant)
	{
		r = read_tenant(tenant, ret, problem);
		if (r < 0)
			return r;
	}
	return 0;
}

static int refuse(struct problem *problem, const char *what)
{
	problem_remedy(problem, "look who ends TLS for the control plane; nothing was changed on this host");
	return problem_set(problem, EKEYREJECTED, "what this host is said to serve is not believed: %s", what);
}

static int judge_tenants(const struct assignments *assignments, const struct feed_assignment *note,
			 struct problem *problem)
{
	if (assignments->count != note->tenant_count)
		return refuse(problem, "the answer has other tenants than the signed note");
	for (uint32_t i = 0; i < note->tenant_count; i++) {
		const struct assignment *tenant = assignments_find(assignments, note->tenants[i].tenant_id);
		uint8_t digest[SHA256_BYTES];

		if (!tenant)
			return refuse(problem, "the answer has other tenants than the signed note");
		if (sha256(tenant->trust, tenant->trust_length, digest) < 0 ||
		    memcmp(digest, note->tenants[i].trust, sizeof(digest)) != 0)
			return refuse(problem, "a trust document is not the one of the signed note");
	}
	return 0;
}

int assignments_verify(const struct assignments *assignments, const char *authority, const char *host_id,
		       struct feed_assignment *ret, struct problem *problem)
{
	struct problem why = {0};
	struct note_key key;

	if (note_key_parse(authority, strlen(authority), &key) < 0)
		return refuse(problem, "no authority key is known");
	if (!assignments->note)
		return refuse(problem, "it is not signed");
	if (feed_assignment_read(assignments->note, assignments->note_length, &key, ret, &why) != FEED_FINE)
		return refuse(problem, why.text);
	if (!text_equal(ret->host_id, host_id))
		return refuse(problem, "the signed note is about another host");
	return judge_tenants(assignments, ret, problem);
}

int assignments_follow(const struct feed_assignment *note, const struct host_identity *identity,
		       struct problem *problem)
{
	if (note->version < identity->assignment_version)
		return refuse(problem, "the signed note is older than one that was here before");
	if (note->version == identity->assignment_version &&
	    memcmp(note->digest, identity->assignment_digest, SHA256_BYTES) != 0)
		return refuse(problem, "there are two signed notes of one version");
	return 0;
}

static int refuse_disabled(struct problem *problem, const char *what)
{
	problem_remedy(problem, "look who ends TLS for the control plane; nothing was changed on this host");
	return problem_set(problem, EKEYREJECTED, "that this host is out of service is not believed: %s", what);
}

int assignments_disabled(const struct host_identity *identity, const char *body, size_t length,
			 struct feed_disabled *ret, struct problem *problem)
{
	_cleanup_(json_decrefp) json_t *json = NULL;
	struct feed_disabled disabled;
	struct problem why = {0};
	struct note_key key;
	const json_t *note;

	if (json_read(body, length, &json, &why) < 0)
		return -ENODATA;
	note = json_object_get(json, "note");
	if (!note)
		return -ENODATA;
	if (!json_is_string(note) || !*identity->authority ||
	    note_key_parse(identity->authority, strlen(identity->authority), &key) < 0)
		return refuse_disabled(problem, "no authority key is known");
	if (feed_disabled_read(json_string_value(note), json_string_length(note), &key, &disabled, &why) != FEED_FINE)
		return refuse_disabled(problem, why.text);
	if (!text_equal(disabled.host_id, identity->host_id))
		return refuse_disabled(problem, "the signed note is about another host");
	/* It was enabled since, and enrolled anew: the note is one that somebody kept. */
	if (!text_equal(disabled.key, identity->key.public.kid))
		return refuse_disabled(problem, "the signed note is about another key than this host has now");
	*ret = disabled;
	return 0;
}

void assignments_finish(struct assignments *assignments)
{
	json_decref(assignments->json);
	*assignments = (struct assignments){0};
}

const struct assignment *assignments_find(const struct assignments *assignments, const char *tenant_id)
{
	for (uint32_t i = 0; i < assignments->count; i++)
		if (text_equal(assignments->tenants[i].tenant_id, tenant_id))
			return &assignments->tenants[i];
	return NULL;
}

void assignments_refusal(unsigned status, const char *body, size_t length, struct problem *problem)
{
	_cleanup_(json_decrefp) json_t *json = NULL;
	const char *words = NULL;

	if (json_read(body, length, &json, &(struct problem){0}) == 0) {
		words = json_string_value(json_object_get(json, "detail"));
		if (!words)
			words = json_string_value(json_object_get(json, "title"));
	}
	if (words)
		problem_set(problem, EACCES, "the control plane says (%u): %s", status, words);
	else
		problem_set(problem, EACCES, "the control plane answers with status %u", status);
}

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

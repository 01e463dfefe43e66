/* SPDX-License-Identifier: MIT
 *
 * Erasing somebody from a log: their key goes, and an event stays that says so.
 */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/events.h"
#include "control_plane/api/record.h"
#include "control_plane/audit/persons.h"

static bool is_person(const char *text)
{
	return strcmp(text, "-") == 0 || (text_is_id(text) && (text_starts(text, "usr_") || text_starts(text, "opr_")));
}

static int erase(struct request *request, const char *log_id, const char *person)
{
	bool was_there = false;
	int r;

	if (!is_person(person))
		return respond_problem(request, PROBLEM_NOT_FOUND, "a person is named by id: usr_…, opr_…, or -");
	r = person_erase(request->tx, log_id, person, &was_there);
	if (r < 0)
		return respond_db(request, r, "person");
	if (!was_there)
		return respond_problem(request, PROBLEM_NOT_FOUND, "the log has no personal data of this person");
	/* After the key is gone: who erases themselves has a new one from this event on. */
	r = event_write(request, "person.erase", person, NULL);
	return r < 0 ? r : respond_empty(request);
}

static int erase_in_tenant(struct request *request)
{
	return erase(request, request->tenant_id, request->params[1]);
}

static int erase_on_platform(struct request *request)
{
	return erase(request, "", request->params[0]);
}

static const struct route routes[] = {
	ROUTE(HTTP_DELETE, "/v1/tenants/{tenant}/audit/persons/{person}", ROUTE_TENANT, "tenant.manage", ROUTE_WRITES,
	      erase_in_tenant),
	ROUTE(HTTP_DELETE, "/v1/audit/persons/{person}", ROUTE_OPERATOR, "platform.manage", ROUTE_WRITES,
	      erase_on_platform),
};
const struct route_table audit_persons_routes = {routes, ARRAY_LEN(routes)};

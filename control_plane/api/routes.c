/* SPDX-License-Identifier: MIT */
#include "control_plane/api/routes.h"

#include "control_plane/api/api_tables.h"

extern const struct route_table health_routes, description_routes, internal_routes;

const struct route_table *const api_routes[] = {
	&health_routes,
	&internal_routes,
	&description_routes,
	&tenants_routes,
	&users_routes,
	&members_routes,
	&projects_routes,
	&roles_routes,
	&keys_routes,
	&key_changes_routes,
	&host_rules_routes,
	&connectors_routes,
	&hosts_routes,
	&host_states_routes,
	&enrolment_tokens_routes,
	&operators_routes,
	&grants_routes,
	&impersonations_routes,
	&events_routes,
	&audit_export_routes,
	&audit_persons_routes,
	&sign_in_routes,
	&passwords_routes,
	&tokens_routes,
	&introspect_routes,
	&hosts_auth_routes,
	&feeds_routes,
	&feed_trust_routes,
	&provider_routes,
	&userinfo_routes,
	&device_page_routes,
	&identity_providers_routes,
	&session_reports_routes,
	&sessions_routes,
	&session_ends_routes,
	&audit_hosts_routes,
	&audit_tree_routes,
	&audit_witness_routes,
};
const size_t api_route_tables = ARRAY_LEN(api_routes);

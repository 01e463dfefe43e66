/* SPDX-License-Identifier: MIT
 *
 * The resources' tables, for api/routes.c.
 */
#pragma once

#include "control_plane/http/router.h"

extern const struct route_table tenants_routes;
extern const struct route_table users_routes;
extern const struct route_table projects_routes;
extern const struct route_table members_routes;
extern const struct route_table roles_routes;
extern const struct route_table keys_routes;
extern const struct route_table key_changes_routes;
extern const struct route_table host_rules_routes;
extern const struct route_table connectors_routes;
extern const struct route_table identity_providers_routes;
extern const struct route_table hosts_routes;
extern const struct route_table host_states_routes;
extern const struct route_table enrolment_tokens_routes;
extern const struct route_table operators_routes;
extern const struct route_table grants_routes;
extern const struct route_table impersonations_routes;
extern const struct route_table events_routes;
extern const struct route_table audit_export_routes;
extern const struct route_table audit_persons_routes;
extern const struct route_table sign_in_routes;
extern const struct route_table passwords_routes;
extern const struct route_table tokens_routes;
extern const struct route_table introspect_routes;
extern const struct route_table hosts_auth_routes;
extern const struct route_table feeds_routes;
extern const struct route_table feed_trust_routes;
extern const struct route_table provider_routes;
extern const struct route_table userinfo_routes;
extern const struct route_table device_page_routes;
extern const struct route_table session_reports_routes;
extern const struct route_table sessions_routes;
extern const struct route_table session_ends_routes;
extern const struct route_table audit_hosts_routes;
extern const struct route_table audit_tree_routes;
extern const struct route_table audit_witness_routes;

/* SPDX-License-Identifier: MIT
 *
 * The table of PAM services that are not plain network sign-ins.
 */
#include "login/services.h"

#include <string.h>

#include "base/macros.h"

#define LOGIN "host.login"
#define SUDO "host.sudo"

static const struct service_rule any = {.action = LOGIN, .place = SERVICE_NETWORK};
static const struct service_rule services[] = {
	{.name = "sshd", .action = LOGIN, .place = SERVICE_NETWORK, .needs_proof = true},
	{.name = "login", .action = LOGIN, .place = SERVICE_CONSOLE},
	{.name = "gdm-password", .action = LOGIN, .place = SERVICE_CONSOLE},
	{.name = "lightdm", .action = LOGIN, .place = SERVICE_CONSOLE},
	{.name = "sddm", .action = LOGIN, .place = SERVICE_CONSOLE},
	{.name = "cron", .action = LOGIN, .place = SERVICE_LOCAL},
	{.name = "crond", .action = LOGIN, .place = SERVICE_LOCAL},
	{.name = "atd", .action = LOGIN, .place = SERVICE_LOCAL},
	/* The user's own service manager, started by logind behind any session (or linger). */
	{.name = "systemd-user", .action = LOGIN, .place = SERVICE_LOCAL, .implied = true},
	/* Whoever has the target's credential may become the target, if the target may be here at all. */
	{.name = "su", .action = LOGIN, .place = SERVICE_LOCAL, .root_may = true, .privilege = true},
	{.name = "su-l", .action = LOGIN, .place = SERVICE_LOCAL, .root_may = true, .privilege = true},
	{.name = "runuser", .action = LOGIN, .place = SERVICE_LOCAL, .root_may = true, .privilege = true},
	{.name = "runuser-l", .action = LOGIN, .place = SERVICE_LOCAL, .root_may = true, .privilege = true},
	{.name = "sudo",
	 .action = SUDO,
	 .place = SERVICE_LOCAL,
	 .of_requester = true,
	 .root_may = true,
	 .privilege = true},
	{.name = "sudo-i",
	 .action = SUDO,
	 .place = SERVICE_LOCAL,
	 .of_requester = true,
	 .root_may = true,
	 .privilege = true},
	/* Asks for an administrator's credential to act as root. */
	{.name = "polkit-1", .action = SUDO, .place = SERVICE_LOCAL, .privilege = true},
};

enum place_rule service_place_rule(const struct session *session)
{
	const struct service_rule *rule = service_rule(session->service);

	if (rule->implied)
		return PLACE_SEES_THROUGH;
	return rule->privilege ? PLACE_BARS : PLACE_COUNTS;
}

enum service_place service_place(const struct service_rule *rule, const char *source, const char *terminal)
{
	if (rule->place == SERVICE_CONSOLE && (*source || !*terminal))
		return SERVICE_NETWORK;
	return rule->place;
}

const struct service_rule *service_rule(const char *service)
{
	for (size_t i = 0; service && i < ARRAY_LEN(services); i++)
		if (strcmp(services[i].name, service) == 0)
			return &services[i];
	return &any;
}

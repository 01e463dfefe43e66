/* SPDX-License-Identifier: MIT
 *
 * org.varlink.service: what is served here, in its own words.
 */
#include <string.h>

#include "agent_interface.h"
#include "base/text.h"
#include "server/call.h"
#include "server/methods.h"

static const char service_text[] = "# What every Varlink service answers: https://varlink.org/Service\n"
				   "interface org.varlink.service\n"
				   "\n"
				   "method GetInfo() -> (\n"
				   "  vendor: string,\n"
				   "  product: string,\n"
				   "  version: string,\n"
				   "  url: string,\n"
				   "  interfaces: []string\n"
				   ")\n"
				   "\n"
				   "method GetInterfaceDescription(interface: string) -> (description: string)\n"
				   "\n"
				   "error InterfaceNotFound (interface: string)\n"
				   "error MethodNotFound (method: string)\n"
				   "error MethodNotImplemented (method: string)\n"
				   "error InvalidParameter (parameter: string)\n"
				   "error PermissionDenied ()\n"
				   "error ExpectedMore ()\n";

static const char userdb_text[] =
	"# People and groups for systemd: https://systemd.io/USER_GROUP_API/\n"
	"interface io.systemd.UserDatabase\n"
	"\n"
	"method GetUserRecord(uid: ?int, userName: ?string, service: string) -> (record: object, incomplete: bool)\n"
	"\n"
	"method GetGroupRecord(gid: ?int, groupName: ?string, service: string) -> (record: object, incomplete: bool)\n"
	"\n"
	"method GetMemberships(userName: ?string, groupName: ?string, service: string) -> (\n"
	"  userName: string,\n"
	"  groupName: string\n"
	")\n"
	"\n"
	"error NoRecordFound ()\n"
	"error BadService ()\n"
	"error ServiceNotAvailable ()\n"
	"error ConflictingRecordFound ()\n"
	"error EnumerationNotSupported ()\n";

static const struct {
	const char *name;
	const char *text;
	unsigned sockets;
} interfaces[] = {
	{AGENT_INTERFACE, agent_interface_text, 1U << SERVER_AGENT},
	{USERDB_INTERFACE, userdb_text, 1U << SERVER_USERDB},
	{"org.varlink.service", service_text, 1U << SERVER_AGENT | 1U << SERVER_USERDB},
};

int m_get_info(struct call *call)
{
	struct json_writer *w;

	if (call_parameters(call, NULL, 0, NULL) < 0)
		return 0;
	w = call_reply(call);
	json_put_string(w, "vendor", "tenantd");
	json_put_string(w, "product", "tenantd");
	json_put_string(w, "version", TENANTD_VERSION);
	json_put_string(w, "url", "man:tenantd(8)");
	json_begin(w, "interfaces", '[');
	for (size_t i = 0; i < ARRAY_LEN(interfaces); i++)
		if (interfaces[i].sockets & 1U << call->connection->kind)
			json_put_string(w, NULL, interfaces[i].name);
	json_end(w, ']');
	return call_reply_end(call, false);
}

int m_get_interface_description(struct call *call)
{
	static const struct json_field fields[] = {{"interface", JSON_FIELD_STRING, 0, JSON_FIELD_REQUIRED}};
	const char *name = NULL;

	if (call_parameters(call, fields, ARRAY_LEN(fields), &name) < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(interfaces); i++) {
		if (!text_equal(interfaces[i].name, name) || !(interfaces[i].sockets & 1U << call->connection->kind))
			continue;
		json_put_string(call_reply(call), "description", interfaces[i].text);
		return call_reply_end(call, false);
	}
	return call_error(call, VARLINK_ERROR_INTERFACE_NOT_FOUND, "interface", name);
}

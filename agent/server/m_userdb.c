/* SPDX-License-Identifier: MIT
 *
 * io.systemd.UserDatabase (https://systemd.io/USER_GROUP_API/): the people and groups of the map, for
 * userdbctl and nss-systemd. Lists are made piece by piece from one picture, whatever changes meanwhile.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/text.h"
#include "records/matrix.h"
#include "server/call.h"
#include "server/internal.h"
#include "server/userdb_groups.h"

#define SERVICE_NAME "io.tenantd"
#define ERROR(name) USERDB_INTERFACE "." name

struct userdb_request {
	uint32_t id;
	const char *name, *group, *service;
};

#define ID_NONE UINT32_MAX

static const struct json_field user_fields[] = {
	{"uid", JSON_FIELD_U32, offsetof(struct userdb_request, id), JSON_FIELD_NULLABLE},
	{"userName", JSON_FIELD_STRING, offsetof(struct userdb_request, name), JSON_FIELD_NULLABLE},
	{"service", JSON_FIELD_STRING, offsetof(struct userdb_request, service), JSON_FIELD_REQUIRED},
};
static const struct json_field group_fields[] = {
	{"gid", JSON_FIELD_U32, offsetof(struct userdb_request, id), JSON_FIELD_NULLABLE},
	{"groupName", JSON_FIELD_STRING, offsetof(struct userdb_request, name), JSON_FIELD_NULLABLE},
	{"service", JSON_FIELD_STRING, offsetof(struct userdb_request, service), JSON_FIELD_REQUIRED},
};
static const struct json_field membership_fields[] = {
	{"userName", JSON_FIELD_STRING, offsetof(struct userdb_request, name), JSON_FIELD_NULLABLE},
	{"groupName", JSON_FIELD_STRING, offsetof(struct userdb_request, group), JSON_FIELD_NULLABLE},
	{"service", JSON_FIELD_STRING, offsetof(struct userdb_request, service), JSON_FIELD_REQUIRED},
};

static int no_record(struct call *call)
{
	return call_error(call, ERROR("NoRecordFound"), NULL, NULL);
}

/* True: the request is answered already. */
static bool is_answered(struct call *call, const struct json_field *fields, struct userdb_request *p)
{
	if (call_parameters(call, fields, 3, p) < 0)
		return true;
	if (!text_equal(p->service, SERVICE_NAME))
		call_error(call, ERROR("BadService"), NULL, NULL);
	else if (!call->parts->directory)
		call_error(call, ERROR("ServiceNotAvailable"), NULL, NULL);
	else
		return false;
	return true;
}

/* ---- records ------------------------------------------------------------------------------------ */

static void put_user(struct connection *c, struct varlink_writer *writer, const struct user_record *user)
{
	bool privileged = c->peer.uid == 0 || c->peer.uid == user->uid;
	struct json_writer *w = &writer->json;

	varlink_reply_begin(writer, &c->out);
	json_begin(w, "record", '{');
	json_put_string(w, "userName", user->login);
	json_put_string_if(w, "realName", user->name);
	if (privileged) /* NSS shows no addresses, so this must not */
		json_put_string_if(w, "emailAddress", user->email);
	json_put_string(w, "disposition", "regular");
	json_put_u64(w, "uid", user->uid);
	json_put_u64(w, "gid", user->uid);
	json_put_string(w, "homeDirectory", user->home);
	json_put_string(w, "shell", user->shell);
	if (user->status != USER_ACTIVE)
		json_put_bool(w, "locked", true);
	if (privileged && user->ssh_keys.count) {
		json_begin(w, "privileged", '{');
		json_begin(w, "sshAuthorizedKeys", '[');
		for (uint32_t i = 0; i < user->ssh_keys.count; i++)
			json_put_string(w, NULL, user->ssh_keys.items[i]);
		json_end(w, ']');
		json_end(w, '}');
	}
	json_put_string(w, "service", SERVICE_NAME);
	json_end(w, '}');
	json_put_bool(w, "incomplete", !privileged && (user->ssh_keys.count > 0 || (user->email && *user->email)));
}

static void put_group(struct connection *c, struct varlink_writer *writer, const struct userdb_group *group)
{
	struct json_writer *w = &writer->json;

	varlink_reply_begin(writer, &c->out);
	json_begin(w, "record", '{');
	json_put_string(w, "groupName", group->name);
	json_put_string(w, "disposition", "regular");
	json_put_u64(w, "gid", group->gid);
	json_put_string(w, "service", SERVICE_NAME);
	json_end(w, '}');
	json_put_bool(w, "incomplete", false);
}

/* ---- lists ---------------------------------------------------------------------------------------- */

enum list_kind { LIST_USERS, LIST_GROUPS, LIST_MEMBERSHIPS };

struct list {
	struct stream stream; /* first */
	struct directory *directory;
	enum list_kind kind;
	struct userdb_walk walk;
	/* Found but not sent: whether more follow is known when the next one is. */
	bool waiting;
	const struct user_record *user;
	struct userdb_group group;
};

static int list_send(struct list *list, struct connection *c, bool continues)
{
	struct varlink_writer writer;

	switch (list->kind) {
	case LIST_USERS:
		put_user(c, &writer, list->user);
		break;
	case LIST_GROUPS:
		put_group(c, &writer, &list->group);
		break;
	case LIST_MEMBERSHIPS:
		varlink_reply_begin(&writer, &c->out);
		json_put_string(&writer.json, "userName", list->user->login);
		json_put_string(&writer.json, "groupName", list->group.name);
		break;
	}
	return varlink_end(&writer, continues);
}

static int list_produce(struct stream *stream, struct connection *c)
{
	struct list *list = (struct list *)stream;
	struct varlink_writer writer;
	int result;

	for (unsigned looked = 0; looked < STREAM_RECORDS_PER_TURN && connection_backlog(c) < OUTPUT_PAUSE; looked++) {
		const struct user_record *user = NULL;
		struct userdb_group group = {0};

		result = userdb_walk_step(&list->walk, list->directory, &user, &group);
		if (result == USERDB_NOTHING)
			continue;
		if (list->waiting) {
			int sent = list_send(list, c, result != USERDB_END);

			if (sent < 0 || result == USERDB_END)
				return sent < 0 ? sent : 1;
		} else if (result == USERDB_END) {
			varlink_error_begin(&writer, &c->out, ERROR("NoRecordFound"));
			result = varlink_end(&writer, false);
			return result < 0 ? result : 1;
		}
		list->waiting = true;
		list->user = user;
		list->group = group;
	}
	return 0;
}

static void list_destroy(struct stream *stream)
{
	struct list *list = (struct list *)stream;

	directory_unref(list->directory);
	free(list);
}

static int list_start(struct call *call, enum list_kind kind, const struct userdb_walk *walk)
{
	struct list *list;

	if (!call->more)
		return call_error(call, VARLINK_ERROR_EXPECTED_MORE, NULL, NULL);
	if (call->oneway)
		return 0;
	list = calloc(1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	list->stream = (struct stream){.produce = list_produce, .destroy = list_destroy};
	list->directory = directory_ref(call->parts->directory);
	list->kind = kind;
	list->walk = *walk;
	call->connection->stream = &list->stream;
	call->connection->hold = HOLD_STREAM;
	server_queue(call->server, call->connection);
	return 0;
}

static int enumerate(struct call *call, enum list_kind kind, enum userdb_walk_kind walk)
{
	if (!call->parts->config->enumerate)
		return call_error(call, ERROR("EnumerationNotSupported"), NULL, NULL);
	return list_start(call, kind, &(struct userdb_walk){.kind = walk});
}

/* ---- methods ------------------------------------------------------------------------------------- */

int m_user_record(struct call *call)
{
	struct userdb_request p = {.id = ID_NONE};
	const struct directory *d = call->parts->directory;
	const struct user_record *user;

	if (is_answered(call, user_fields, &p))
		return 0;
	if (!p.name && p.id == ID_NONE)
		return enumerate(call, LIST_USERS, USERDB_WALK_USERS);
	user = p.name ? directory_user_by_login(d, p.name) : directory_user_by_uid(d, p.id);
	if (!user)
		return no_record(call);
	if (p.name && p.id != ID_NONE && user->uid != p.id)
		return call_error(call, ERROR("ConflictingRecordFound"), NULL, NULL);
	put_user(call->connection, &call->writer, user);
	return call_reply_end(call, false);
}

int m_group_record(struct call *call)
{
	struct userdb_request p = {.id = ID_NONE};
	const struct directory *d = call->parts->directory;
	struct userdb_group group;
	bool found;

	if (is_answered(call, group_fields, &p))
		return 0;
	if (!p.name && p.id == ID_NONE)
		return enumerate(call, LIST_GROUPS, USERDB_WALK_GROUPS);
	found = p.name ? userdb_group_by_name(d, p.name, &group) : userdb_group_by_gid(d, p.id, &group);
	if (!found)
		return no_record(call);
	if (p.name && p.id != ID_NONE && group.gid != p.id)
		return call_error(call, ERROR("ConflictingRecordFound"), NULL, NULL);
	put_group(call->connection, &call->writer, &group);
	return call_reply_end(call, false);
}

int m_memberships(struct call *call)
{
	struct userdb_request p = {.id = ID_NONE};
	const struct directory *d = call->parts->directory;
	struct userdb_walk walk = {.kind = USERDB_WALK_MEMBERSHIPS};

	if (is_answered(call, membership_fields, &p))
		return 0;
	if (!p.name && !p.group)
		return enumerate(call, LIST_MEMBERSHIPS, USERDB_WALK_MEMBERSHIPS);
	if (p.name) {
		walk.only_user = directory_user_by_login(d, p.name);
		if (!walk.only_user)
			return no_record(call);
	}
	if (p.group) {
		if (!userdb_group_by_name(d, p.group, &walk.only_group))
			return no_record(call);
		walk.has_group = true;
	}
	return list_start(call, LIST_MEMBERSHIPS, &walk);
}

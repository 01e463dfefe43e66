/* SPDX-License-Identifier: MIT */
#include "session/logind.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>

#include "base/file.h"
#include "base/macros.h"
#include "base/parse.h"
#include "session/process.h"
#include "session/scope.h"
#include "session/state.h"

#define FILE_BYTES_MAX 16384U
#define FOLDER_TRIES 8 /* folders on the way that come and go meanwhile */
/* Before what is told of leaders: what logind wrote while one lived is seen before its end is. */
#define BEFORE_LEADERS (SD_EVENT_PRIORITY_NORMAL - 10)

/* The value of "<key>=" in logind's file, as a number. */
static int read_number(const char *text, const char *key, uint32_t *ret)
{
	size_t length = strlen(key);
	char value[16];

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, length) != 0)
			continue;
		line += length;
		length = strcspn(line, "\n");
		if (length >= sizeof(value))
			return -EINVAL;
		memcpy(value, line, length);
		value[length] = '\0';
		return parse_u32(value, ret);
	}
	return -ENOENT;
}

/* Of logind's session of this name: whose it is and who leads it. */
static int read_file(const struct session_table *table, const char *name, uint32_t *ret_uid, uint32_t *ret_leader)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	char path[PATH_MAX];
	struct stat st;
	const char *all;
	int r;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", table->logind_folder, name) >= sizeof(path))
		return -ENAMETOOLONG;
	r = file_read(AT_FDCWD, path, FILE_BYTES_MAX, FILE_TRUST_OWNER, 0, &text, &st);
	all = r < 0 ? NULL : buffer_text(&text);
	if (!all)
		return r < 0 ? r : -ENODATA;
	r = read_number(all, "UID=", ret_uid);
	return r < 0 ? r : read_number(all, "LEADER=", ret_leader);
}

static bool is_taken(const struct slot *slot, const char *name, uint64_t inode)
{
	const struct session *other;
	uint32_t cursor = 0;

	while ((other = session_next_of(slot->table, slot->session.user_id, &cursor)))
		if (other->scope_inode == inode && strcmp(other->scope, name) == 0 && other->uid == slot->session.uid)
			return true;
	return false;
}

/* logind says that the session's leader leads this scope. Does the kernel? */
static bool take_scope(struct slot *slot, const char *name)
{
	struct session *session = &slot->session;
	char shown[SESSION_SCOPE_SIZE];
	uint64_t start, inode;
	int r = process_start(session->leader, &start);

	/* Of a leader that is gone the kernel shows no more than that there is such a scope of this user's. */
	if (r == 0 && start == session->leader_start &&
	    (scope_of_process(session->leader, session->uid, shown) < 0 || strcmp(shown, name) != 0))
		return false;
	if (scope_identify(session->uid, name, &inode) < 0 || is_taken(slot, name, inode))
		return false;
	(void)snprintf(session->scope, sizeof(session->scope), "%s", name);
	session->scope_inode = inode;
	return true;
}

/* The session in the table that this file of logind's is about, if it has no scope yet. */
static struct slot *find_led(const struct session_table *table, const char *name)
{
	const struct session *session;
	uint32_t uid, leader, cursor = 0;

	if (!scope_name_is_valid(name) || read_file(table, name, &uid, &leader) < 0 || leader > INT_MAX)
		return NULL;
	while ((session = session_next_led(table, (pid_t)leader, &cursor)))
		if (session->uid == uid && !*session->scope)
			return table_find(table, session->id);
	return NULL;
}

static void look_at(struct session_table *table, const char *name)
{
	struct slot *slot = find_led(table, name);

	if (slot && take_scope(slot, name))
		(void)session_state_write(table->dirfd, &slot->session); /* else the next agent finds it as we did */
}

void logind_look_at_all(struct session_table *table)
{
	DIR *folder = opendir(table->logind_folder);
	struct dirent *entry;

	while (folder && (entry = readdir(folder)))
		look_at(table, entry->d_name);
	if (folder)
		closedir(folder);
}

void logind_look_at_leader(struct slot *slot)
{
	char name[SESSION_SCOPE_SIZE];

	/* su and sudo begin in the scope of the session around them, which logind says is another's. */
	if (scope_of_process(slot->session.leader, slot->session.uid, name) == 0 && find_led(slot->table, name) == slot)
		(void)take_scope(slot, name);
}

static int follow(struct session_table *table);

static int something_happened(sd_event_source *source, const struct inotify_event *event, void *userdata)
{
	struct session_table *table = userdata;
	bool is_there = !*table->logind_awaited,
	     has_moved = event->mask & (IN_IGNORED | IN_UNMOUNT | IN_DELETE_SELF | IN_MOVE_SELF) ||
			 (!is_there && event->len && strcmp(event->name, table->logind_awaited) == 0);

	if (has_moved)
		(void)follow(table); /* if it fails: again when a session is opened */
	if (has_moved || event->mask & IN_Q_OVERFLOW)
		logind_look_at_all(table);
	else if (is_there && event->len)
		look_at(table, event->name);
	return 0;
}

/* Watches the folder, or the nearest one above that is there; `awaited` is what must appear in that one. */
static int watch_nearest(struct session_table *table)
{
	char path[PATH_MAX];
	char *end;
	int r;

	(void)snprintf(path, sizeof(path), "%s", table->logind_folder);
	table->logind_awaited[0] = '\0';
	for (;;) {
		uint32_t changes = *table->logind_awaited ? IN_CREATE | IN_MOVED_TO : IN_MOVED_TO;

		r = sd_event_add_inotify(table->event, &table->logind, *path ? path : "/",
					 changes | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR, something_happened,
					 table);
		if (r >= 0 || !*path || (r != -ENOENT && r != -ENOTDIR && r != -EACCES))
			break;
		end = strrchr(path, '/');
		(void)snprintf(table->logind_awaited, sizeof(table->logind_awaited), "%s", end + 1);
		*end = '\0';
	}
	if (r >= 0)
		r = sd_event_source_set_priority(table->logind, BEFORE_LEADERS);
	if (r < 0)
		logind_unfollow(table);
	else if (*table->logind_awaited && (size_t)snprintf(path + strlen(path), sizeof(path) - strlen(path), "/%s",
							    table->logind_awaited) < sizeof(path))
		r = access(path, F_OK) == 0; /* it came before the watch did */
	return r;
}

static int follow(struct session_table *table)
{
	int r = 1;

	for (int i = 0; r > 0 && i < FOLDER_TRIES; i++) {
		logind_unfollow(table);
		r = watch_nearest(table);
	}
	return MIN_OF(r, 0);
}

int logind_follow(struct session_table *table, const char *folder)
{
	if (*folder != '/' || strlen(folder) >= sizeof(table->logind_folder))
		return -EINVAL;
	memmove(table->logind_folder, folder, strlen(folder) + 1);
	return follow(table);
}

void logind_unfollow(struct session_table *table)
{
	table->logind = sd_event_source_disable_unref(table->logind);
}

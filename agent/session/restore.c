/* SPDX-License-Identifier: MIT
 *
 * The sessions of before, for an agent that was restarted: from their files, as far as the kernel still shows them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/macros.h"
#include "session/logind.h"
#include "session/scope.h"
#include "session/state.h"
#include "session/table.h"

#define NOT_OURS INT_MIN

/* Into the table as the file says it. */
static int read_one(struct session_table *table, const char *id, session_warn_fn warn, void *context)
{
	_cleanup_(slot_freep) struct slot *slot = NULL;
	struct problem problem = {0};
	int r;

	if (table_find(table, id))
		return 0;
	slot = calloc(1, sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	r = session_state_read(table->dirfd, id, &slot->session, &problem);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		if (warn && r != -ESTALE)
			warn(context, &problem);
		(void)session_state_remove(table->dirfd, id);
		return 0;
	}
	slot->restored = true;
	r = table_enter(table, slot);
	if (r == 0)
		slot = NULL;
	return r;
}

static int read_all(struct session_table *table, DIR *folder, session_warn_fn warn, void *context)
{
	struct dirent *entry;
	int r = 0;

	while (r >= 0 && (entry = readdir(folder))) {
		char id[SESSION_ID_CHARS + 1] = "";
		size_t length = strlen(entry->d_name);

		if (entry->d_name[0] == '.' && (length == 1 || (length == 2 && entry->d_name[1] == '.')))
			continue;
		if (length != SESSION_ID_CHARS + 5 || strcmp(entry->d_name + SESSION_ID_CHARS, ".json") != 0 ||
		    !session_id_is_valid(entry->d_name, SESSION_ID_CHARS)) {
			(void)unlinkat(table->dirfd, entry->d_name, 0); /* a temporary file of a write cut short */
			continue;
		}
		memcpy(id, entry->d_name, SESSION_ID_CHARS);
		r = read_one(table, id, warn, context);
	}
	return r;
}

/* What the kernel shows of it now. 1: it goes on; 0: it is over. */
static int settle(struct slot *slot)
{
	struct session *session = &slot->session;
	uint64_t inode;
	int r;

	slot->restored = false;
	slot->closed = slot->announced = session->left_behind;
	if (*session->scope &&
	    (scope_identify(session->uid, session->scope, &inode) < 0 || inode != session->scope_inode))
		session->scope[0] = '\0';
	r = slot_watch_leader(slot);
	if (r < 0 && r != -ESRCH)
		return r;
	if (r == 0 && !slot->closed)
		return 1;
	if (!*session->scope)
		return 0;
	r = slot->leader ? scope_has_others(session->uid, session->scope, session->scope_inode, session->leader)
			 : scope_is_populated(session->uid, session->scope, session->scope_inode);
	if (r == 0)
		return 0;
	left_behind_begin(slot);
	return 1;
}

int session_table_restore(struct session_table *table, session_warn_fn warn, void *context, uint32_t *ret_count)
{
	int fd = openat(table->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;
	bool has_unscoped = false;
	uint32_t count = 0;
	DIR *folder;

	if (fd < 0)
		return -errno;
	folder = fdopendir(fd);
	if (!folder) {
		r = -errno;
		close(fd);
		return r;
	}
	r = read_all(table, folder, warn, context);
	closedir(folder);
	/* Scopes that logind made while no agent was there to see it; before leaders are looked at: what one left
	 * behind is known by its scope alone. */
	for (uint32_t i = 0; i < table->high; i++)
		has_unscoped |= table->slots[i] && table->slots[i]->restored && !*table->slots[i]->session.scope;
	if (has_unscoped)
		logind_look_at_all(table);
	for (uint32_t i = 0; i < table->high; i++) {
		struct slot *slot = table->slots[i];
		int goes_on = slot && slot->restored ? settle(slot) : NOT_OURS;

		if (goes_on > 0) {
			count++;
		} else if (goes_on == 0) {
			table_end(table, slot, NULL); /* nobody saw when */
		} else if (goes_on != NOT_OURS) {
			table_forget(table, slot);
			r = r < 0 ? r : goes_on;
		}
	}
	if (r < 0)
		return r;
	*ret_count = count;
	return 0;
}

/* SPDX-License-Identifier: MIT
 *
 * The sessions of before, for an agent that was restarted: from their files, as far as the kernel still shows them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/macros.h"
#include "session/state.h"
#include "session/table.h"

static int restore_one(struct session_table *table, const char *id, session_warn_fn warn, void *context)
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
	r = table_enter(table, slot);
	if (r == -ESRCH) {
		(void)session_state_remove(table->dirfd, id);
		return 0;
	}
	if (r < 0)
		return r;
	slot = NULL;
	return 1;
}

int session_table_restore(struct session_table *table, session_warn_fn warn, void *context, uint32_t *ret_count)
{
	int fd = openat(table->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint32_t count = 0;
	struct dirent *entry;
	DIR *dir;
	int r = 0;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		r = -errno;
		close(fd);
		return r;
	}
	while (r >= 0 && (entry = readdir(dir))) {
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
		r = restore_one(table, id, warn, context);
		if (r > 0)
			count++;
	}
	closedir(dir);
	if (r < 0)
		return r;
	*ret_count = count;
	return 0;
}

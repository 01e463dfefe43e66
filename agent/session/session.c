/* SPDX-License-Identifier: MIT
 *
 * The table of sessions: each watched by the descriptor of its leader.
 */
#include "session/session.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/macros.h"
#include "base/text.h"
#include "crypto/api_key.h"
#include "session/process.h"
#include "session/state.h"

#define SESSIONS_MAX 8192U /* a descriptor each */

struct slot {
	struct session session;
	struct session_table *table;
	sd_event_source *source; /* owns the pidfd */
	uint32_t number;
};

struct session_table {
	sd_event *event;
	int dirfd;
	struct session_hooks hooks;
	struct slot **slots;  /* SESSIONS_MAX */
	uint32_t count, high; /* slots from `high` on were never used */
	struct hash_index by_id, by_user;
};

static void free_slot(struct slot *slot)
{
	if (!slot)
		return;
	sd_event_source_disable_unref(slot->source);
	session_free_strings(&slot->session);
	free(slot);
}

static void free_slotp(struct slot **slot)
{
	free_slot(*slot);
}

int session_table_create(sd_event *event, const char *state_dir, const struct session_hooks *hooks,
			 struct session_table **ret)
{
	struct session_table *table;
	int r;

	if (mkdir(state_dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	table = calloc(1, sizeof(*table));
	if (!table)
		return -ENOMEM;
	table->event = sd_event_ref(event);
	table->hooks = *hooks;
	table->dirfd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	r = table->dirfd < 0 ? -errno : 0;
	if (r == 0 && fchmod(table->dirfd, 0700) < 0)
		r = -errno;
	table->slots = calloc(SESSIONS_MAX, sizeof(struct slot *));
	if (r == 0)
		r = table->slots ? hash_index_init(&table->by_id, 64) : -ENOMEM;
	if (r == 0)
		r = hash_index_init(&table->by_user, 64);
	if (r < 0) {
		session_table_destroy(table);
		return r;
	}
	*ret = table;
	return 0;
}

void session_table_destroy(struct session_table *table)
{
	if (!table)
		return;
	for (uint32_t i = 0; table->slots && i < table->high; i++)
		free_slot(table->slots[i]);
	free(table->slots);
	hash_index_finish(&table->by_id);
	hash_index_finish(&table->by_user);
	if (table->dirfd >= 0)
		close(table->dirfd);
	sd_event_unref(table->event);
	free(table);
}

static struct slot *find_slot(const struct session_table *table, const char *id)
{
	uint32_t cursor = 0, number;

	while (hash_index_next(&table->by_id, hash_text(id), &cursor, &number))
		if (strcmp(table->slots[number]->session.id, id) == 0)
			return table->slots[number];
	return NULL;
}

/* Out of the table and off the disk, and only then told: `ended` sees the table without it. */
static void end_session(struct session_table *table, struct slot *slot, const char *why)
{
	hash_index_remove(&table->by_id, hash_text(slot->session.id), slot->number);
	hash_index_remove(&table->by_user, hash_text(slot->session.user_id), slot->number);
	table->slots[slot->number] = NULL;
	table->count--;
	(void)session_state_remove(table->dirfd, slot->session.id); /* a left-over file is dropped at restore */
	if (table->hooks.ended)
		table->hooks.ended(table->hooks.context, &slot->session, why);
	free_slot(slot);
}

static int leader_ended(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct slot *slot = userdata;

	end_session(slot->table, slot, "process-ended");
	return 0;
}

/* Watches the leader and enters the slot. On failure the caller still owns the slot. */
static int enter(struct session_table *table, struct slot *slot)
{
	_cleanup_(closep) int fd = -1;
	uint32_t number = 0;
	int r;

	while (number < table->high && table->slots[number])
		number++;
	if (number == SESSIONS_MAX)
		return -ENOSPC;
	fd = process_open(slot->session.leader, slot->session.leader_start);
	if (fd < 0)
		return fd;
	r = sd_event_add_io(table->event, &slot->source, fd, EPOLLIN, leader_ended, slot);
	if (r < 0)
		return r;
	r = sd_event_source_set_io_fd_own(slot->source, true);
	if (r < 0)
		return r;
	fd = -1;
	slot->table = table;
	slot->number = number;
	r = hash_index_put(&table->by_id, hash_text(slot->session.id), number);
	if (r < 0)
		return r;
	r = hash_index_put(&table->by_user, hash_text(slot->session.user_id), number);
	if (r < 0) {
		hash_index_remove(&table->by_id, hash_text(slot->session.id), number);
		return r;
	}
	table->slots[number] = slot;
	table->high = MAX_OF(table->high, number + 1);
	table->count++;
	return 0;
}

static int copy_text(const char *from, char **to)
{
	*to = strdup(from ? from : "");
	return *to ? 0 : -ENOMEM;
}

static int copy_session(const struct session *from, struct session *to)
{
	int r = copy_text(from->user_id, &to->user_id);

	to->uid = from->uid;
	to->leader = from->leader;
	to->opened = from->opened;
	to->sign_in = from->sign_in;
	r = r < 0 ? r : copy_text(from->login, &to->login);
	r = r < 0 ? r : copy_text(from->tenant, &to->tenant);
	r = r < 0 ? r : copy_text(from->project, &to->project);
	r = r < 0 ? r : copy_text(from->role, &to->role);
	r = r < 0 ? r : copy_text(from->service, &to->service);
	r = r < 0 ? r : copy_text(from->source, &to->source);
	r = r < 0 ? r : copy_text(from->terminal, &to->terminal);
	return r < 0 ? r : copy_text(from->credential, &to->credential);
}

int session_open(struct session_table *table, const struct session *data, const struct session **ret)
{
	_cleanup_(free_slotp) struct slot *slot = NULL;
	struct slot *entered;
	int r;

	if (data->leader <= 1)
		return -ESRCH;
	if (table->count >= SESSIONS_MAX)
		return -ENOSPC;
	slot = calloc(1, sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	r = copy_session(data, &slot->session);
	if (r < 0)
		return r;
	r = process_start(data->leader, &slot->session.leader_start);
	if (r < 0)
		return r;
	r = base62_random(slot->session.id, SESSION_ID_CHARS);
	if (r < 0)
		return r;
	r = enter(table, slot);
	if (r < 0)
		return r;
	entered = TAKE_PTR(slot);
	r = session_state_write(table->dirfd, &entered->session);
	if (r < 0) {
		struct session_hooks hooks = table->hooks;

		table->hooks.ended = NULL; /* it never was: nobody is told that it ended */
		end_session(table, entered, "");
		table->hooks = hooks;
		return r;
	}
	*ret = &entered->session;
	return 0;
}

int session_close(struct session_table *table, const char *id)
{
	struct slot *slot = find_slot(table, id);

	if (!slot)
		return -ENOENT;
	end_session(table, slot, "closed");
	return 0;
}

static int restore_one(struct session_table *table, const char *id, session_warn_fn warn, void *context)
{
	_cleanup_(free_slotp) struct slot *slot = NULL;
	struct problem problem = {0};
	int r;

	if (find_slot(table, id))
		return 0;
	slot = calloc(1, sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	r = session_state_read(table->dirfd, id, &slot->session, &problem);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		if (warn)
			warn(context, &problem);
		(void)session_state_remove(table->dirfd, id);
		return 0;
	}
	r = enter(table, slot);
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

int session_mark_ending(struct session_table *table, const char *id, uint64_t now_usec, const char *cause)
{
	struct slot *slot = find_slot(table, id);

	if (!slot)
		return -ENOENT;
	slot->session.ending = now_usec;
	snprintf(slot->session.ending_cause, sizeof(slot->session.ending_cause), "%s", cause);
	return 0;
}

bool session_terminal_same(const struct session_terminal *a, const struct session_terminal *b)
{
	return a->device == b->device && a->owner == b->owner && a->owner_start == b->owner_start;
}

int session_add_proof(struct session_table *table, const char *id, const struct session_proof *proof)
{
	struct slot *slot = find_slot(table, id);
	struct session_proof *place, *proofs;

	if (!slot)
		return -ENOENT;
	proofs = place = slot->session.proofs;
	for (unsigned i = 0; i < SESSION_PROOFS_MAX; i++) {
		if (session_terminal_same(&proofs[i].terminal, &proof->terminal)) {
			place = &proofs[i];
			break;
		}
		if (proofs[i].at < place->at)
			place = &proofs[i];
	}
	*place = *proof;
	return session_state_write(table->dirfd, &slot->session);
}

int session_claim_sign_in(struct session_table *table, const char *id, const struct session_terminal *terminal)
{
	struct slot *slot = find_slot(table, id);

	if (!slot)
		return -ENOENT;
	slot->session.sign_in.terminal = *terminal;
	return session_state_write(table->dirfd, &slot->session);
}

const struct session *session_find(const struct session_table *table, const char *id)
{
	const struct slot *slot = find_slot(table, id);

	return slot ? &slot->session : NULL;
}

const struct session *session_next(const struct session_table *table, uint32_t *cursor)
{
	while (*cursor < table->high) {
		const struct slot *slot = table->slots[(*cursor)++];

		if (slot)
			return &slot->session;
	}
	return NULL;
}

uint32_t session_count_user(const struct session_table *table, const char *user_id)
{
	uint32_t cursor = 0, number, count = 0;

	while (hash_index_next(&table->by_user, hash_text(user_id), &cursor, &number))
		if (text_equal(table->slots[number]->session.user_id, user_id))
			count++;
	return count;
}

uint32_t session_count(const struct session_table *table)
{
	return table->count;
}

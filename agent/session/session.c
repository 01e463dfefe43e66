/* SPDX-License-Identifier: MIT
 *
 * The table of sessions: each watched by the descriptor of its leader.
 */
#include "session/session.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/macros.h"
#include "base/text.h"
#include "crypto/api_key.h"
#include "session/logind.h"
#include "session/process.h"
#include "session/state.h"
#include "session/table.h"

void slot_free(struct slot *slot)
{
	if (!slot)
		return;
	sd_event_source_disable_unref(slot->leader);
	sd_event_source_disable_unref(slot->populated);
	sd_event_source_disable_unref(slot->folder);
	sd_event_source_disable_unref(slot->later);
	session_free_strings(&slot->session);
	free(slot);
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
	if (hooks)
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
	if (r == 0)
		r = hash_index_init(&table->by_leader, 64);
	if (r < 0) {
		session_table_destroy(table);
		return r;
	}
	r = logind_follow(table, LOGIND_SESSIONS);
	if (r < 0) /* tried again with each session; without scopes sessions end by their processes alone */
		log_warning("cannot follow logind's sessions in %s: %s", LOGIND_SESSIONS, strerror(-r));
	*ret = table;
	return 0;
}

void session_table_destroy(struct session_table *table)
{
	if (!table)
		return;
	for (uint32_t i = 0; table->slots && i < table->high; i++)
		slot_free(table->slots[i]);
	logind_unfollow(table);
	free(table->slots);
	hash_index_finish(&table->by_id);
	hash_index_finish(&table->by_user);
	hash_index_finish(&table->by_leader);
	if (table->dirfd >= 0)
		close(table->dirfd);
	sd_event_unref(table->event);
	free(table);
}

struct slot *table_find(const struct session_table *table, const char *id)
{
	uint32_t cursor = 0, number;

	while (hash_index_next(&table->by_id, hash_text(id), &cursor, &number))
		if (strcmp(table->slots[number]->session.id, id) == 0)
			return table->slots[number];
	return NULL;
}

static void take_out(struct session_table *table, const struct slot *slot)
{
	hash_index_remove(&table->by_id, hash_text(slot->session.id), slot->number);
	hash_index_remove(&table->by_user, hash_text(slot->session.user_id), slot->number);
	hash_index_remove(&table->by_leader, hash_u32((uint32_t)slot->session.leader), slot->number);
	table->slots[slot->number] = NULL;
	table->count--;
}

void table_end(struct session_table *table, struct slot *slot, const char *why)
{
	take_out(table, slot);
	(void)session_state_remove(table->dirfd, slot->session.id); /* a left-over file is dropped at restore */
	if (why && table->hooks.ended)
		table->hooks.ended(table->hooks.context, &slot->session, why);
	slot_free(slot);
}

void table_forget(struct session_table *table, struct slot *slot)
{
	take_out(table, slot);
	slot_free(slot);
}

static int leader_ended(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct slot *slot = userdata;

	slot->leader = sd_event_source_disable_unref(slot->leader);
	left_behind_begin(slot);
	return 0;
}

int slot_watch_leader(struct slot *slot)
{
	_cleanup_(closep) int fd = process_open(slot->session.leader, slot->session.leader_start);
	int r;

	if (fd < 0)
		return fd;
	/* Once: it will not be undone. Else each turn of the loop would hear again of all that have not had theirs. */
	r = sd_event_add_io(slot->table->event, &slot->leader, fd, EPOLLIN | EPOLLET, leader_ended, slot);
	if (r < 0)
		return r;
	r = sd_event_source_set_io_fd_own(slot->leader, true);
	if (r < 0) {
		slot->leader = sd_event_source_disable_unref(slot->leader);
		return r;
	}
	fd = -1;
	return 0;
}

int table_enter(struct session_table *table, struct slot *slot)
{
	uint32_t number = 0;
	int r;

	while (number < table->high && table->slots[number])
		number++;
	if (number == SESSIONS_MAX)
		return -ENOSPC;
	slot->table = table;
	slot->number = number;
	r = hash_index_put(&table->by_id, hash_text(slot->session.id), number);
	if (r < 0)
		return r;
	r = hash_index_put(&table->by_user, hash_text(slot->session.user_id), number);
	if (r == 0) {
		r = hash_index_put(&table->by_leader, hash_u32((uint32_t)slot->session.leader), number);
		if (r < 0)
			hash_index_remove(&table->by_user, hash_text(slot->session.user_id), number);
	}
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
	to->opened_usec = from->opened_usec;
	to->sign_in = from->sign_in;
	to->valid_from = from->valid_from;
	to->orders_known = from->orders_known;
	r = r < 0 ? r : copy_text(from->login, &to->login);
	r = r < 0 ? r : copy_text(from->tenant, &to->tenant);
	r = r < 0 ? r : copy_text(from->project, &to->project);
	r = r < 0 ? r : copy_text(from->role, &to->role);
	r = r < 0 ? r : copy_text(from->service, &to->service);
	r = r < 0 ? r : copy_text(from->source, &to->source);
	r = r < 0 ? r : copy_text(from->terminal, &to->terminal);
	r = r < 0 ? r : copy_text(from->credential, &to->credential);
	r = r < 0 ? r : copy_text(from->tenant_id, &to->tenant_id);
	r = r < 0 ? r : copy_text(from->project_id, &to->project_id);
	r = r < 0 ? r : copy_text(from->provider, &to->provider);
	r = r < 0 ? r : copy_text(from->grant_id, &to->grant_id);
	r = r < 0 ? r : copy_text(from->operator, & to->operator);
	return r < 0 ? r : copy_text(from->grant_reason, &to->grant_reason);
}

int session_open(struct session_table *table, const struct session *data, const struct session **ret)
{
	_cleanup_(slot_freep) struct slot *slot = NULL;
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
	r = table_enter(table, slot);
	if (r < 0)
		return r;
	entered = TAKE_PTR(slot);
	r = slot_watch_leader(entered);
	if (r == 0) {
		if (!table->logind && logind_follow(table, table->logind_folder) == 0)
			logind_look_at_all(table);
		logind_look_at_leader(entered);
		r = session_state_write(table->dirfd, &entered->session);
	}
	if (r < 0) {
		table_end(table, entered, NULL); /* it never was: nobody is told that it ended */
		return r;
	}
	*ret = &entered->session;
	return 0;
}

int session_close(struct session_table *table, const char *id)
{
	struct slot *slot = table_find(table, id);

	if (!slot)
		return -ENOENT;
	if (!slot->closed) {
		slot->closed = true;
		left_behind_begin(slot);
	}
	return 0;
}

const struct session *session_find(const struct session_table *table, const char *id)
{
	const struct slot *slot = table_find(table, id);

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

const struct session *session_next_of(const struct session_table *table, const char *user_id, uint32_t *cursor)
{
	uint32_t number;

	while (hash_index_next(&table->by_user, hash_text(user_id), cursor, &number))
		if (text_equal(table->slots[number]->session.user_id, user_id))
			return &table->slots[number]->session;
	return NULL;
}

const struct session *session_next_led(const struct session_table *table, pid_t leader, uint32_t *cursor)
{
	uint32_t number;

	while (hash_index_next(&table->by_leader, hash_u32((uint32_t)leader), cursor, &number))
		if (table->slots[number]->session.leader == leader)
			return &table->slots[number]->session;
	return NULL;
}

uint32_t session_count_user(const struct session_table *table, const char *user_id)
{
	uint32_t cursor = 0, count = 0;

	while (session_next_of(table, user_id, &cursor))
		count++;
	return count;
}

uint32_t session_count(const struct session_table *table)
{
	return table->count;
}

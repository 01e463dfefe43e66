/* SPDX-License-Identifier: MIT
 *
 * What is noted down about a session while it lasts: proofs given in it, and how far its end has come.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "session/state.h"
#include "session/table.h"
#include "session/terminal.h"

int session_mark_ending(struct session_table *table, const char *id, uint64_t now_usec, const char *cause)
{
	struct slot *slot = table_find(table, id);

	if (!slot)
		return -ENOENT;
	slot->session.ending = now_usec;
	slot->session.terminal_device = session_main_terminal(&slot->session);
	(void)snprintf(slot->session.ending_cause, sizeof(slot->session.ending_cause), "%s", cause);
	return session_state_write(table->dirfd, &slot->session);
}

int session_unmark_ending(struct session_table *table, const char *id)
{
	struct slot *slot = table_find(table, id);
	int r;

	if (!slot)
		return -ENOENT;
	slot->session.ending = 0;
	slot->session.ending_cause[0] = '\0';
	slot->session.hung_up = false;
	r = session_state_write(table->dirfd, &slot->session);
	if (table->hooks.goes_on)
		table->hooks.goes_on(table->hooks.context, &slot->session);
	return r;
}

int session_mark_hung_up(struct session_table *table, const char *id)
{
	struct slot *slot = table_find(table, id);

	if (!slot)
		return -ENOENT;
	slot->session.hung_up = true;
	return session_state_write(table->dirfd, &slot->session);
}

void session_mark_warned(struct session_table *table, const char *id, bool warned)
{
	struct slot *slot = table_find(table, id);

	if (!slot || slot->session.warned == warned)
		return;
	slot->session.warned = warned;
	if (warned)
		slot->session.terminal_device = session_main_terminal(&slot->session);
	(void)session_state_write(table->dirfd, &slot->session); /* else it is said twice */
}

bool session_terminal_same(const struct session_terminal *a, const struct session_terminal *b)
{
	return a->device == b->device && a->owner == b->owner && a->owner_start == b->owner_start;
}

int session_add_proof(struct session_table *table, const char *id, const struct session_proof *proof)
{
	struct slot *slot = table_find(table, id);
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
	struct slot *slot = table_find(table, id);

	if (!slot)
		return -ENOENT;
	slot->session.sign_in.terminal = *terminal;
	return session_state_write(table->dirfd, &slot->session);
}

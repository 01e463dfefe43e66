/* SPDX-License-Identifier: MIT
 *
 * Flows in the login book: their numbers, what is due when, and their end.
 */
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "base/secret.h"
#include "login/flow.h"

/* A number is a counter that is never used twice, and the entry's place, so that it is found without a search. */
#define PLACE_BITS 12
_Static_assert(LOGINS_MAX == 1U << PLACE_BITS, "a place for each entry");

void login_book_set_sso(struct login_book *book, const struct login_sso *sso)
{
	login_book_flows(book)->sso = sso;
}

struct login_entry *login_flow_find(struct login_book *book, uint64_t number)
{
	struct login_entry *entry = login_book_slot(book, (uint32_t)(number & (LOGINS_MAX - 1)));

	return number && entry && entry->flow && entry->flow->number == number ? entry : NULL;
}

void login_flow_due(struct login_book *book, uint64_t when)
{
	struct login_flows *flows = login_book_flows(book);

	if (flows->due == 0 || when < flows->due)
		flows->due = when;
}

int login_flow_start(struct login_book *book, struct login_entry *entry, const struct idp_record *idp, uint64_t ends)
{
	struct login_flows *flows = login_book_flows(book);
	uint64_t number = ++flows->counter << PLACE_BITS | entry->slot;
	int r = flows->sso->start(flows->sso->context, number, idp);

	if (r < 0)
		return r;
	entry->flow->number = number;
	entry->flow->ends = ends;
	flows->waiting++;
	login_flow_due(book, ends);
	return 0;
}

void login_flow_over(struct login_book *book, struct login_entry *entry)
{
	if (!entry->flow->number)
		return;
	entry->flow->number = 0;
	login_book_flows(book)->waiting--;
}

void login_flow_cancel(struct login_book *book, struct login_entry *entry)
{
	struct login_flows *flows = login_book_flows(book);
	uint64_t number = entry->flow ? entry->flow->number : 0;

	if (!number)
		return;
	login_flow_over(book, entry);
	if (flows->sso)
		flows->sso->cancel(flows->sso->context, number);
}

void login_flow_hold(struct login_book *book, struct login_entry *entry, uint64_t now_usec)
{
	entry->flow->held_until = now_usec + FLOW_HELD_USEC;
	login_flow_due(book, entry->flow->held_until);
}

uint32_t login_flow_waiting(const struct login_book *book)
{
	return login_book_flows((struct login_book *)(uintptr_t)book)->waiting;
}

/* When the entry wants to be looked at again; 0: never. */
static uint64_t due_at(const struct login_flow *flow)
{
	uint64_t ends = flow->number ? flow->ends : 0;

	if (!flow->held_until || (ends && ends < flow->held_until))
		return ends;
	return flow->held_until;
}

bool login_flow_tick(struct login_book *book, const struct directory *d, uint64_t now_usec, struct login_reply *ret,
		     uint64_t *ret_owner)
{
	struct login_flows *flows = login_book_flows(book);

	if (!flows->scanning) {
		if (flows->due == 0 || now_usec < flows->due)
			return false;
		/* What changes meanwhile sets it anew. */
		flows->due = 0;
		flows->cursor = 0;
		flows->scanning = true;
	}
	while (flows->cursor < LOGINS_MAX) {
		struct login_entry *entry = login_book_slot(book, flows->cursor++);
		uint64_t number = entry && entry->flow ? due_at(entry->flow) : 0;
		bool replied;

		if (number == 0)
			continue;
		if (number > now_usec) {
			login_flow_due(book, number);
			continue;
		}
		replied = login_flow_due_now(book, d, entry, now_usec, ret, ret_owner);
		/* It may be gone, or have its end before it still. */
		entry = login_book_slot(book, flows->cursor - 1);
		if (entry && entry->flow && due_at(entry->flow))
			login_flow_due(book, due_at(entry->flow));
		if (replied)
			return true;
	}
	flows->scanning = false;
	return false;
}

void login_flow_free(struct login_flow *flow)
{
	if (!flow)
		return;
	free(flow->uri);
	free(flow->uri_complete);
	free(flow->user_code);
	free(flow->identity);
	secret_wipe(flow, sizeof(*flow));
	free(flow);
}

void login_identity_free(struct login_identity *identity)
{
	if (!identity)
		return;
	free(identity->issuer);
	free(identity->subject);
	free(identity);
}

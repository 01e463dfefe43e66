/* SPDX-License-Identifier: MIT
 *
 * The audit log of the control plane for tests (fake_control.h): takes hosts' groups, gives receipts, shows checkpoints
 * with proofs that it computes anew each time, and lies on demand. Everything may be called at any time.
 */
#pragma once

#include "../fakes/fake_control.h"

/* The answers to events from now on. Whatever it says, an honest part of it takes them in. */
enum fake_receipt {
	RECEIPT_GOOD,
	RECEIPT_NONE,
	RECEIPT_STRANGER,    /* signed by another key of the same name */
	RECEIPT_TORN,        /* the signature is of another text */
	RECEIPT_OTHER_HOST,  /* good, and about another host */
	RECEIPT_OTHER_CHAIN, /* good, and about another chain */
	RECEIPT_OTHER_HASH,  /* good, and with another hash than that event has */
	RECEIPT_TOO_FAR,     /* good, and for events that nobody sent */
	RECEIPT_NOTHING,     /* good, and for what came before; what was sent is not taken in */
	RECEIPT_NOT_ANSWER,  /* good, and not what the answer around it says */
};
void fake_audit_receipts(struct fake_control *control, enum fake_receipt kind);
/* What was taken, over all chains; of the newest one: its id, and the first that is awaited. */
unsigned fake_audit_taken(struct fake_control *control);
unsigned fake_audit_twice(struct fake_control *control);     /* events that are in a log more than once */
unsigned fake_audit_strangers(struct fake_control *control); /* events that name another host: they are in no log */
unsigned fake_audit_chains(struct fake_control *control);
uint64_t fake_audit_next(struct fake_control *control);
uint64_t fake_audit_missing(struct fake_control *control);           /* that were said to be missing */
uint64_t fake_audit_at(struct fake_control *control);                /* how far the host said it is */
void fake_audit_wait(struct fake_control *control, unsigned wanted); /* so many taken (10 s) */
/* As if a backup had been restored: all after this number of the newest chain is unknown; its logs, too, are as they
 * were when it was the last one. */
void fake_audit_restore(struct fake_control *control, uint64_t sequence);
/* Another event stands at the end of the newest chain, as a host that was set back would find it. */
void fake_audit_alter(struct fake_control *control);
/* It knows so many more events of the newest chain than the host has. */
void fake_audit_run_ahead(struct fake_control *control, uint64_t events);
void fake_audit_wander(struct fake_control *control); /* 409 from now on, each time with another place of the chain */
void fake_audit_end_chain(struct fake_control *control); /* 409, forked, for the newest chain */
/* Receipts for the next ones, which are in no log. */
void fake_audit_withhold(struct fake_control *control, unsigned events);

/* ---- logs: `tenant_id` "" is the platform's ---- */
uint64_t fake_log_size(struct fake_control *control, const char *tenant_id);
void fake_log_add(struct fake_control *control, const char *tenant_id, unsigned entries);   /* of others */
void fake_log_rewrite(struct fake_control *control, const char *tenant_id, uint64_t index); /* another entry there */
void fake_log_cut(struct fake_control *control, const char *tenant_id, uint64_t size);
enum fake_log_lie {
	LOG_HONEST,
	LOG_BAD_CONSISTENCY,
	LOG_BAD_INCLUSION,
	LOG_UNSIGNED,     /* a checkpoint without a signature */
	LOG_STRANGER,     /* signed by another key of the same name */
	LOG_FEED_KEY,     /* by the right key, under the feed's name */
	LOG_OTHER_ORIGIN, /* another log's name, signed by the right key under that */
	LOG_HIDES_EVENTS, /* says that no event is there */
};
void fake_log_lie(struct fake_control *control, enum fake_log_lie lie);
/* Cosignatures that came, and the last one; it was held against the host's key already. */
unsigned fake_log_cosigned(struct fake_control *control, const char *tenant_id);

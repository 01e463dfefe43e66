/* SPDX-License-Identifier: MIT
 *
 * tenantctl audit: what happened on this host, and whether what somebody shows of it is true.
 */
#include "ctl/audit.h"

#include "ctl/verbs.h"

static const struct ctl_verb verbs[] = {
	{"tail", audit_tail_verb, "the newest events, and those to come"},
	{"status", audit_status_verb, "whether all is kept, and who has it already"},
	{"search", audit_search_verb, "events by person, project, kind, outcome, time"},
	{"verify", audit_verify_verb, "whether exports and kept checkpoints of a log are true"},
};

static const char intro[] = "What happened on this host, from its journal: root and the groups adm and systemd-journal "
			    "see all of it, others\n"
			    "what the journal lets them. docs/audit-events.md lists all kinds of events.\n"
			    "\n"
			    "Examples:\n"
			    "  tenantctl audit tail --follow\n"
			    "  tenantctl audit search --user alice --since 2d\n"
			    "  tenantctl audit search --kind login-denied,login-broken --project acme/vision --json\n";

int ctl_audit(struct ctl *ctl, int argc, char **argv)
{
	return ctl_dispatch(ctl, "tenantctl audit", intro, verbs, ARRAY_LEN(verbs), argc - 1, argv + 1);
}

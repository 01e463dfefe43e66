/* SPDX-License-Identifier: MIT
 *
 * tenantctl sessions: who is here, and how it ends.
 */
#include "ctl/sessions.h"

#include <string.h>

#include "base/text.h"
#include "ctl/verbs.h"

static const struct ctl_verb verbs[] = {
	{"list", sessions_list_verb, "who is signed in (also without a verb)"},
	{"show", sessions_show_verb, "all about one session"},
	{"end", sessions_end_verb, "end sessions, with everything that runs in them"},
};

static const char intro[] =
	"Sessions on this host: your own; where you hold session.manage, by role, those of the project or tenant;\n"
	"all for root, and for services that may.\n"
	"\n"
	"Examples:\n"
	"  tenantctl sessions\n"
	"  tenantctl sessions --project acme/vision --json\n"
	"  tenantctl sessions end --user alice --reason 'laptop stolen' --wait 10\n";

/* Options alone are the list's. */
static bool is_list(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (text_equal(argv[i], "--help") || text_equal(argv[i], "-h"))
			return false;
		if (!text_equal(argv[i], "--json"))
			return text_starts(argv[i], "-");
	}
	return true;
}

int ctl_sessions(struct ctl *ctl, int argc, char **argv)
{
	if (is_list(argc, argv))
		return sessions_list_verb(ctl, argc, argv);
	return ctl_dispatch(ctl, "tenantctl sessions", intro, verbs, ARRAY_LEN(verbs), argc - 1, argv + 1);
}

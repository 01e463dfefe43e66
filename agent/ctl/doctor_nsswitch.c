/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "ctl/doctor.h"

#define CHECK "nsswitch"

/* The services of one database ("passwd: files tenant [NOTFOUND=return] systemd"); "" */
static const char *find_database(const char *text, const char *database, char *out, size_t size)
{
	size_t length = strlen(database);

	out[0] = '\0';
	for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		line += strspn(line, " \t");
		if (strncmp(line, database, length) != 0 || line[length + strspn(line + length, " \t")] != ':')
			continue;
		line = strchr(line, ':') + 1;
		snprintf(out, size, "%.*s", (int)strcspn(line, "#\n"), line);
	}
	return out;
}

static void judge_database(struct findings *findings, const char *text, const char *database)
{
	unsigned tenant = 0, systemd = 0, at = 0, files_at = 0, tenant_at = 0;
	bool stopped = false;
	char line[512], *save = NULL;

	find_database(text, database, line, sizeof(line));
	for (char *word = strtok_r(line, " \t", &save); word; word = strtok_r(NULL, " \t", &save)) {
		/* Several of them may stand in one pair of brackets, with blanks between. */
		if (*word == '[' || strchr(word, '=')) {
			/* What ends the search with "not found" before ours is asked. */
			stopped |= tenant == 0 &&
				   ((strcasestr(word, "notfound=return") && !strcasestr(word, "!notfound=return")) ||
				    strcasestr(word, "!success=return"));
			continue;
		}
		at++;
		if (text_equal(word, "files") || text_equal(word, "compat"))
			files_at = files_at ? files_at : at;
		systemd += text_equal(word, "systemd");
		tenant += text_equal(word, "tenant");
		if (text_equal(word, "tenant") && !tenant_at)
			tenant_at = at;
	}
	if (!tenant && systemd && !text_equal(database, "shadow"))
		findings_add(findings, FINDING_WARNING, CHECK,
			     "name tenant behind files, which waits for nobody; or see that tenantd-userdb.service is "
			     "enabled",
			     "%s names systemd and not tenant: people are known while the agent runs, and its userdb "
			     "service "
			     "with it",
			     database);
	else if (!tenant && text_equal(database, "shadow"))
		findings_add(findings, FINDING_WARNING, CHECK, "add tenant behind files",
			     "shadow does not name tenant: some programs take its people's passwords to be unset");
	else if (!tenant)
		findings_add(findings, FINDING_PROBLEM, CHECK, "install libnss-tenant, or add tenant behind files",
			     "%s does not name tenant: nobody of the directory is known to this host", database);
	else if (tenant > 1)
		findings_add(findings, FINDING_WARNING, CHECK, "name it once", "%s names tenant %u times", database,
			     tenant);
	else if (stopped)
		findings_add(findings, FINDING_PROBLEM, CHECK, "put tenant before what says [NOTFOUND=return]",
			     "%s ends the search before tenant is asked", database);
	else if (!files_at || files_at > tenant_at)
		findings_add(findings, FINDING_WARNING, CHECK, "put files first",
			     "%s asks tenant before the local files: a local name would not stay local", database);
	else
		findings_add(findings, FINDING_OK, CHECK, NULL, "%s names tenant, behind files", database);
}

void doctor_judge_nsswitch(struct findings *findings, const char *text)
{
	judge_database(findings, text, "passwd");
	judge_database(findings, text, "group");
	judge_database(findings, text, "shadow");
}

/* SPDX-License-Identifier: MIT
 *
 * A service's stack with all that it includes, line by line. What is looked for: pam_tenant is asked, before the local
 * password; nothing before it lets somebody in by itself; and its "no" is the last word.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "ctl/doctor.h"

#define PAM_FILE_MAX 65536U
#define DEPTH_MAX 8U
#define LINES_MAX 256U
#define OURS "pam_tenant.so"

struct pam_line {
	char control[256], module[128];
	char file[64];
	unsigned line;
};
struct pam_stack {
	struct pam_line lines[LINES_MAX];
	unsigned count;
	bool too_long, missing; /* missing: a file that is included is not there */
};

static int read_file(struct pam_stack *stack, const char *folder, const char *name, const char *type, unsigned depth);

/* Splits off the first word; a control in brackets is one. */
static char *take_word(char **at)
{
	char *word, *end;

	*at += strspn(*at, " \t");
	word = *at;
	end = *word == '[' ? strchr(word, ']') : NULL;
	end = end ? end + 1 : word + strcspn(word, " \t");
	*at = *end ? end + 1 : end;
	*end = '\0';
	return word;
}

static int read_line(struct pam_stack *stack, const char *folder, const char *name, const char *type, char *line,
		     unsigned number, unsigned depth)
{
	char *at = line, *word = take_word(&at), *control, *module;

	if (strcmp(word, "@include") == 0)
		return read_file(stack, folder, take_word(&at), type, depth + 1);
	if (*word == '-')
		word++;
	if (strcasecmp(word, type) != 0)
		return 0;
	control = take_word(&at);
	module = take_word(&at);
	if (strcasecmp(control, "include") == 0 || strcasecmp(control, "substack") == 0)
		return read_file(stack, folder, module, type, depth + 1);
	if (stack->count == LINES_MAX) {
		stack->too_long = true;
		return 0;
	}
	snprintf(stack->lines[stack->count].control, sizeof(stack->lines[0].control), "%s", control);
	snprintf(stack->lines[stack->count].module, sizeof(stack->lines[0].module), "%s",
		 strrchr(module, '/') ? strrchr(module, '/') + 1 : module);
	snprintf(stack->lines[stack->count].file, sizeof(stack->lines[0].file), "%s", name);
	stack->lines[stack->count++].line = number;
	return 0;
}

static int read_file(struct pam_stack *stack, const char *folder, const char *name, const char *type, unsigned depth)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	char path[512], *next;
	unsigned number = 0;
	int r;

	if (depth > DEPTH_MAX || (size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) >= sizeof(path)) {
		stack->too_long = true;
		return 0;
	}
	r = file_read(AT_FDCWD, path, PAM_FILE_MAX, FILE_TRUST_ANY, 0, &text, NULL);
	if (r == 0)
		r = buffer_text(&text) ? 0 : -ENOMEM;
	if (r < 0)
		return r;
	for (char *line = text.data; line && *line && r == 0; line = next) {
		next = strchr(line, '\n');
		number++;
		if (next)
			*next++ = '\0';
		/* A backslash at its end goes on in the next line. */
		while (next && next - line >= 2 && next[-2] == '\\') {
			char *more = strchr(next, '\n');

			next[-2] = next[-1] = ' ';
			number++;
			if (more)
				*more++ = '\0';
			next = more;
			if (!more)
				break;
		}
		line[strcspn(line, "#")] = '\0';
		if (line[strspn(line, " \t")])
			r = read_line(stack, folder, name, type, line, number, depth);
		if (r == -ENOENT) {
			stack->missing = true;
			r = 0;
		}
	}
	return r;
}

/* The value of a result in "[success=end default=die]"; "" */
static const char *action_of(const char *control, const char *result, char out[16])
{
	const char *at = strstr(control, result);
	size_t length = strlen(result);

	out[0] = '\0';
	while (at && (at[length] != '=' || (at != control && at[-1] != ' ' && at[-1] != '[' && at[-1] != '\t')))
		at = strstr(at + 1, result);
	if (at)
		snprintf(out, 16, "%.*s", (int)strcspn(at + length + 1, " \t]"), at + length + 1);
	return out;
}

/* Does success of this line end the stack, or jump past the line `target`? */
static bool passes_by(const struct pam_stack *stack, unsigned at, unsigned target)
{
	const char *control = stack->lines[at].control;
	char action[16];

	if (strcasecmp(control, "sufficient") == 0)
		return true;
	if (*control != '[')
		return false;
	if (!*action_of(control, "success", action))
		action_of(control, "default", action);
	if (text_equal(action, "done"))
		return true;
	return at + strtoul(action, NULL, 10) >= target && strtoul(action, NULL, 10) > 0;
}

/* Its refusal ends it there and then. */
static bool is_terminal(const char *control)
{
	char action[16];

	if (strcasecmp(control, "requisite") == 0)
		return true;
	return *control == '[' && text_equal(action_of(control, "default", action), "die");
}

static int find_module(const struct pam_stack *stack, const char *module, int from)
{
	for (unsigned i = (unsigned)from; i < stack->count; i++)
		if (text_equal(stack->lines[i].module, module))
			return (int)i;
	return -1;
}

/* Is it in order? */
static bool judge_stack(struct findings *findings, const struct pam_stack *stack, const char *service, const char *type)
{
	static const char run[] =
		"run `pam-auth-update` and let it write the stacks (tenantd chosen), or see pam_tenant(8)";
	int ours = find_module(stack, OURS, 0), local = find_module(stack, "pam_unix.so", 0);
	bool session = text_equal(type, "session"), bad = false;
	char action[16];

	if (ours < 0) {
		findings_add(findings, FINDING_PROBLEM, "pam", run, "%s: %s is not in its %s stack%s: %s", service,
			     OURS, type, stack->missing ? ", of which a file is missing" : "",
			     session ? "sessions are not counted and cannot be ended"
				     : "nobody is asked about its people");
		return false;
	}
	for (unsigned i = 0; i < (unsigned)ours; i++)
		/* root's way to become others (su) says nothing of who they are. */
		if (passes_by(stack, i, (unsigned)ours) && !text_equal(stack->lines[i].module, "pam_rootok.so")) {
			findings_add(findings, FINDING_PROBLEM, "pam", run,
				     "%s: %s lets people in before %s is asked (%s, line %u, %s)", service,
				     stack->lines[i].module, OURS, stack->lines[i].file, stack->lines[i].line, type);
			bad = true;
		}
	if (!session && local >= 0 && local < ours && !bad) {
		findings_add(
			findings, FINDING_PROBLEM, "pam", run,
			"%s: pam_unix.so stands before %s in %s, and asks people for a password that they do not have",
			service, OURS, type);
		bad = true;
	}
	if (!is_terminal(stack->lines[ours].control)) {
		findings_add(findings, FINDING_PROBLEM, "pam",
			     "give it the control that the package has: [success=end user_unknown=ignore "
			     "module_unknown=ignore default=die]",
			     "%s: a refusal by %s is not the last word (\"%s\", %s, line %u, %s)", service, OURS,
			     stack->lines[ours].control, stack->lines[ours].file, stack->lines[ours].line, type);
		bad = true;
	}
	action_of(stack->lines[ours].control, "user_unknown", action);
	if (!session && is_terminal(stack->lines[ours].control) && !text_equal(action, "ignore")) {
		findings_add(findings, FINDING_PROBLEM, "pam", "add user_unknown=ignore to it",
			     "%s: %s would refuse local accounts and root, whom it does not know (%s, line %u, %s)",
			     service, OURS, stack->lines[ours].file, stack->lines[ours].line, type);
		bad = true;
	}
	if (!bad && text_equal(type, "account") && find_module(stack, "pam_succeed_if.so", ours) < 0)
		findings_add(
			findings, FINDING_WARNING, "pam", run,
			"%s: the line behind %s that keeps its people out when the module cannot be loaded is missing",
			service, OURS);
	return !bad;
}

void doctor_judge_pam(struct findings *findings, const char *folder, const char *service)
{
	static const char *const types[] = {"auth", "account", "session"};
	struct pam_stack *stack = calloc(1, sizeof(*stack));
	bool good = true, there = false;

	for (size_t i = 0; stack && i < ARRAY_LEN(types); i++) {
		int r;

		memset(stack, 0, sizeof(*stack));
		r = read_file(stack, folder, service, types[i], 0);
		if (r == -ENOENT)
			break; /* the service is not installed */
		there = true;
		if (r < 0 || stack->too_long) {
			findings_add(findings, FINDING_WARNING, "pam", NULL, "%s: its %s stack cannot be read%s%s",
				     service, types[i], r < 0 ? ": " : "", r < 0 ? strerrordesc_np(-r) : "");
			good = false;
			continue;
		}
		good &= judge_stack(findings, stack, service, types[i]);
	}
	if (there && good)
		findings_add(findings, FINDING_OK, "pam", NULL, "%s asks %s, whose refusal is the last word", service,
			     OURS);
	findings->failed |= !stack;
	free(stack);
}

/* SPDX-License-Identifier: MIT
 *
 * Where people approve a sign-in: the code, then what it is about with e-mail address and password. Nothing happens on
 * a link alone, whatever it carries: a person presses "Continue", reads, types a password and presses "Approve".
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/text.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/events.h"
#include "control_plane/api/refusals.h"
#include "control_plane/app.h"
#include "control_plane/auth/account.h"
#include "control_plane/auth/delays.h"
#include "control_plane/auth/password.h"
#include "control_plane/http/limiter.h"
#include "control_plane/provider/counts.h"
#include "control_plane/provider/form_seal.h"
#include "control_plane/provider/grants.h"
#include "control_plane/provider/page.h"
#include "records/lists.h"

#define SPAN_SIZE 32

#define AGAIN "Enter a code"
#define NO_CODE \
	"Nobody waits under this code: look at it again, or start anew in the terminal. Codes end after 10 minutes."

/* ---- answers --------------------------------------------------------------------------------------------------------
 */

/* The policy's digest, and what keeps the page out of frames, caches and others' hands. */
static int finish(struct request *request, unsigned status)
{
	struct response *response = &request->response;
	char policy[PAGE_POLICY_SIZE];

	if (response->body.failed || page_policy(policy) < 0)
		return -ENOMEM;
	response->status = status;
	response->content_type = "text/html; charset=utf-8";
	respond_header(request, "Content-Security-Policy", policy);
	respond_header(request, "X-Frame-Options", "DENY");
	/* Not "no-referrer": with it browsers would not say either that a form comes from our own page. */
	respond_header(request, "Referrer-Policy", "same-origin");
	respond_header(request, "Cross-Origin-Opener-Policy", "same-origin");
	respond_header(request, "Cross-Origin-Resource-Policy", "same-origin");
	respond_header(request, "Permissions-Policy", "camera=(), geolocation=(), microphone=()");
	respond_header(request, "Cache-Control", "no-store");
	return 0;
}

static void begin(struct request *request)
{
	request->response.header_count = 0;
	request->response.body.wipe = true;
	buffer_clear(&request->response.body);
}

static int say(struct request *request, unsigned status, const char *title, const char *text, const char *link)
{
	begin(request);
	page_end(&request->response.body, &(struct page_end){.title = title, .text = text, .link = link});
	return finish(request, status);
}

/* What the frame refuses. */
static void say_problem(struct request *request, const struct problem_kind *kind, const char *detail, uint32_t seconds)
{
	const char *retry = seconds ? request_text(request, "%u", seconds) : NULL;
	const char *text = detail ? detail : kind->title;

	if (seconds)
		text = request_text(request, "Too many tries, or too much to do just now. Wait %u s and go back.",
				    seconds);
	(void)say(request, kind->status, kind->status < 500 ? "That did not work" : "Something is broken here",
		  text ? text : "", AGAIN);
	if (retry)
		respond_header(request, "Retry-After", retry);
}

static int show_code(struct request *request, unsigned status, const char *code, const char *alert)
{
	const char *form = form_seal(&request->app->seal_key, &request->arena, FORM_CODE, NULL, request->now);

	if (!form)
		return -ENOMEM;
	begin(request);
	page_code(&request->response.body, &(struct page_code){.form = form, .code = code, .alert = alert});
	return finish(request, status);
}

static int show_decision(struct request *request, unsigned status, const struct grant_question *question,
			 const char code[USER_CODE_SIZE], const char *email, const char *alert)
{
	const char *form = form_seal(&request->app->seal_key, &request->arena, FORM_DECISION, code, request->now);
	char shown[USER_CODE_SHOWN_SIZE], ago[SPAN_SIZE];

	if (!form)
		return -ENOMEM;
	user_code_show(code, shown);
	begin(request);
	page_decision(
		&request->response.body,
		&(struct page_decision){
			.form = form,
			.alert = alert,
			.code = shown,
			.tenant = *question->tenant_name ? question->tenant_name : question->tenant_slug,
			.host = question->host,
			.source = question->source,
			.ago = format_span((uint64_t)MAX_OF(request->now - question->asked_at, 0), ago, sizeof(ago)),
			.email = email,
		});
	return finish(request, status);
}

/* ---- what was typed -------------------------------------------------------------------------------------------------
 */

static const char *field(const struct request *request, const char *name)
{
	const char *value = json_string_value(json_object_get(request->body, name));

	return value ? value : "";
}

/* As browsers write it: without the port that is usual. */
static bool is_our_origin(const char *origin, const char *url)
{
	const char *usual = text_starts(url, "https:") ? ":443" : ":80";
	size_t length = strlen(url), cut = strlen(usual);

	if (length > cut && strcmp(url + length - cut, usual) == 0)
		length -= cut;
	return strlen(origin) == length && strncmp(origin, url, length) == 0;
}

/* Browsers say where a form comes from. Ours comes from ourselves. */
static bool is_ours(struct request *request)
{
	const char *origin = request_header(request, "Origin"), *site = request_header(request, "Sec-Fetch-Site");

	return (!origin || is_our_origin(origin, request->app->config->url)) &&
	       (!site || strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0);
}

/* A code that nobody waits under is a guess: each source has few, and all of them together not many. But what others
 * guess keeps nobody out who has not done so: sources are cheap. */
#define CODES_OF_EVERYBODY 3
static int find(struct request *request, const char code[USER_CODE_SIZE], struct grant_question *ret)
{
	uint32_t wait = limiter_ask(request->app->limiter, LIMIT_CODES, "", clock_boottime_usec()), count;
	int r = delays_take_code(request, &count);

	if (r != 0)
		return r;
	if (wait > 0 && count > CODES_OF_EVERYBODY) {
		delays_give_back_code(request);
		return respond_retry(request, PROBLEM_TOO_MANY, wait, "wait %u s", wait), 1;
	}
	r = grant_find(request, code, ret);
	if (r != -ENOENT) {
		delays_give_back_code(request);
		return r;
	}
	(void)limiter_take(request->app->limiter, LIMIT_CODES, "", clock_boottime_usec());
	provider_count(PROVIDER_WRONG_CODES);
	refusals_count(request, &(struct refusal){.kind = "device.code", .reason = "unknown"});
	return -ENOENT;
}

static int answer_code(struct request *request)
{
	const char *typed = field(request, "user_code");
	char code[USER_CODE_SIZE];
	struct grant_question question;
	int r;

	if (user_code_parse(typed, code) < 0)
		return show_code(request, 400, strlen(typed) <= 24 ? typed : "",
				 "A code has eight letters, such as WDJB-MJHT.");
	r = find(request, code, &question);
	if (r == -ENOENT)
		return show_code(request, 400, "", NO_CODE);
	return r == 0 ? show_decision(request, 200, &question, code, "", NULL) : MIN_OF(r, 0);
}

/* ---- the decision ---------------------------------------------------------------------------------------------------
 */

static int gone(struct request *request)
{
	return say(request, 409, "It is over", "Somebody has decided already, or it took too long.", AGAIN);
}

static int deny(struct request *request, const struct grant_question *question)
{
	int r = grant_decide(request, question, NULL, 0);

	if (r == -ENOENT)
		return gone(request);
	return r < 0 ? r
		     : say(request, 200, "Denied", "Nobody is signed in by this code. You can close this page.", NULL);
}

static int approve(struct request *request, const struct grant_question *question, const char code[USER_CODE_SIZE])
{
	const char *email = field(request, "email"), *password = field(request, "password");
	struct account account;
	int r;

	if (!*email || strlen(email) > ACCOUNT_EMAIL_MAX)
		return show_decision(request, 400, question, code, "", "Enter your e-mail address and password.");
	if (!*password || strlen(password) > PASSWORD_BYTES_MOST)
		return show_decision(request, 400, question, code, email, "Enter your e-mail address and password.");
	r = account_prove(request, question->tenant_slug, email, password, &account);
	if (r == 1 && request->response.status == 401) {
		provider_count(PROVIDER_WRONG_PASSWORDS);
		return show_decision(request, 403, question, code, email,
				     "The address or the password was not accepted.");
	}
	if (r != 0)
		return MIN_OF(r, 0);
	/* Who may sign in to nothing from there approves nothing from there. */
	if (!blocks_let(&question->allow_from, &request->source)) {
		event_failure(request, question->tenant_id, account.id, "device.approve", question->id,
			      json_pack("{s:s}", "reason", "source"));
		return say(request, 403, "Not from here",
			   "Your organisation does not allow sign-ins from your address.", NULL);
	}
	r = grant_decide(request, question, account.id, account.valid_from);
	if (r == -ENOENT)
		return gone(request);
	return r < 0 ? r : say(request, 200, "Approved", "Go back to your terminal. You can close this page.", NULL);
}

static int answer_decision(struct request *request, const char code[USER_CODE_SIZE])
{
	const char *decision = field(request, "decision");
	struct grant_question question;
	int r = grant_find(request, code, &question);

	if (r == -ENOENT)
		return gone(request);
	if (r < 0)
		return r;
	if (strcmp(decision, "approve") == 0)
		return approve(request, &question, code);
	if (strcmp(decision, "deny") == 0)
		return deny(request, &question);
	return show_decision(request, 400, &question, code, "", "Choose: approve or deny.");
}

/* ---- routes ---------------------------------------------------------------------------------------------------------
 */

static int handle_get(struct request *request)
{
	const char *typed = request_query(request, "user_code");
	char code[USER_CODE_SIZE], shown[USER_CODE_SHOWN_SIZE] = "";

	if (typed && user_code_parse(typed, code) == 0)
		user_code_show(code, shown);
	return show_code(request, 200, shown, NULL);
}

static int handle_post(struct request *request)
{
	const struct seal_key *key = &request->app->seal_key;
	const char *form = field(request, "form");
	char code[USER_CODE_SIZE];
	int r;

	if (!is_ours(request))
		return say(request, 403, "Not from another site", "This form was not sent by our own page.", AGAIN);
	r = form_open(key, FORM_DECISION, form, request->now, code);
	if (r == 0)
		return answer_decision(request, code);
	if (r == -EBADMSG)
		r = form_open(key, FORM_CODE, form, request->now, code);
	if (r == 0)
		return answer_code(request);
	return show_code(request, 400, "",
			 r == -ESTALE ? "The page was open for too long. Enter the code again."
				      : "This form is not one of ours. Enter the code again.");
}

static const struct route routes[] = {
	ROUTE_SAYING(HTTP_GET, "/device", ROUTE_PUBLIC, "public", ROUTE_NO_TX, handle_get, say_problem),
	ROUTE_SAYING(HTTP_POST, "/device", ROUTE_PUBLIC, "public", ROUTE_NO_TX | ROUTE_FORM, handle_post, say_problem),
};
const struct route_table device_page_routes = {routes, ARRAY_LEN(routes)};

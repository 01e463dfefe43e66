/* SPDX-License-Identifier: MIT
 *
 * tenantctl sso test: one sign-in at a provider, as a person would, with every step said and every failure explained.
 * Nothing is kept and nobody is signed in; who it would be is the agent's to say.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/text.h"
#include "config.h"
#include "ctl/sso.h"
#include "ctl/sso_subject.h"
#include "login/qr.h"
#include "oidc/flow.h"
#include "proxy.h"
#include "thread/http_loop.h"
#include "json/json_write.h"

#define CONNECT_MS 5000U
#define QR_SIZE 16384U
#define OWN_OPTIONS 7U

struct test {
	struct ctl *ctl;
	const struct idp_record *idp;
	enum qr_form qr;
	struct buffer steps; /* JSON: what happened, one object a step */
	struct json_writer w;
	enum sso_stage reached;
	bool waiting; /* for the person; that is said once */
	bool ended;
	struct flow_result result;
};

static const char *const step_words[] = {
	[FLOW_STEP_DISCOVERY] = "discovery", [FLOW_STEP_KEYS] = "keys",   [FLOW_STEP_DEVICE] = "code",
	[FLOW_STEP_POLL] = "approval",       [FLOW_STEP_TOKEN] = "token", [FLOW_STEP_USER] = "user",
};

/* What others said reaches a terminal through here only. */
static const char *shown(const char *text, char *out, size_t size)
{
	return text_escape(text, strlen(text), out, size);
}

static void on_step(void *context, enum flow_step step, bool good, const char *what)
{
	struct test *test = context;
	char text[600];

	if (good && step == FLOW_STEP_DEVICE)
		test->reached = SSO_AT_APPROVAL;
	else if (good && (step == FLOW_STEP_DISCOVERY || step == FLOW_STEP_KEYS) && test->reached == SSO_AT_PROVIDER)
		test->reached = SSO_AT_CODE;
	if (step == FLOW_STEP_TOKEN || step == FLOW_STEP_USER)
		test->reached = SSO_AT_TOKEN;
	if (good && step == FLOW_STEP_POLL) {
		if (test->waiting && text_equal(what, "not yet"))
			return;
		test->waiting = true;
	}
	shown(what, text, sizeof(text));
	json_begin(&test->w, NULL, '{');
	json_put_string(&test->w, "step", step_words[step]);
	json_put_bool(&test->w, "ok", good);
	json_put_string(&test->w, "text", text);
	json_end(&test->w, '}');
	ctl_say(test->ctl, "%-10s %-7s %s", step_words[step], good ? "ok" : "PROBLEM", text);
	fflush(stdout);
}

/* With --json the person reads it on standard error: standard output has one value, at the end. */
static void on_prompt(void *context, const struct device_answer *answer)
{
	const struct test *test = context;
	FILE *out = test->ctl->json ? stderr : stdout;
	char picture[QR_SIZE], uri[600], code[160];

	fprintf(out, "\nOpen %s and type the code %s\n", shown(answer->uri, uri, sizeof(uri)),
		shown(answer->user_code, code, sizeof(code)));
	if (answer->uri_complete[0])
		fprintf(out, "or open %s and compare the code\n", shown(answer->uri_complete, uri, sizeof(uri)));
	if (!test->ctl->json && isatty(STDOUT_FILENO) &&
	    qr_render(test->qr, answer->uri_complete[0] ? answer->uri_complete : answer->uri, picture,
		      sizeof(picture)) > 0)
		fprintf(out, "\n%s", picture);
	fprintf(out, "\n");
	fflush(out);
}

static void on_done(void *context, const struct flow_result *result)
{
	struct test *test = context;

	test->result = *result;
	test->ended = true;
}

/* Runs one flow to its end. 0 or -errno. */
static int run(struct test *test, const struct http_options *http)
{
	const struct flow_hooks hooks = {.prompt = on_prompt, .done = on_done, .step = on_step, .context = test};
	_cleanup_(oidc_client_unrefp) struct oidc_client *client = oidc_client_new(test->idp);
	_cleanup_(http_loop_freep) struct http_loop *loop = NULL;
	struct oidc_cache *cache = NULL;
	struct oidc_flow *flow = NULL;
	sd_event *event = NULL;
	int r = client ? sd_event_new(&event) : -ENOMEM;

	if (r >= 0)
		r = http_loop_new(event, http, &loop);
	if (r >= 0)
		r = oidc_cache_create(http_loop_client(loop), http->allow_plain, &cache);
	if (r >= 0)
		r = oidc_flow_start(cache, client, clock_boottime_usec(), &hooks, &flow);
	while (r >= 0 && !test->ended) {
		uint64_t now = clock_boottime_usec(), next = oidc_cache_next(cache);

		if (next > now)
			r = sd_event_run(event, next == UINT64_MAX ? UINT64_MAX : next - now);
		if (r >= 0)
			oidc_cache_tick(cache, clock_boottime_usec());
	}
	if (!test->ended)
		oidc_flow_cancel(flow);
	oidc_cache_destroy(cache);
	http_loop_free(TAKE_PTR(loop));
	sd_event_unref(event);
	return r;
}

static const char *end_sentence(const struct flow_result *result)
{
	static const char *const sentences[] = {
		[FLOW_PROVEN] = "signed in",
		[FLOW_DENIED] = "the sign-in was declined at the provider",
		[FLOW_EXPIRED] = "nobody approved in time",
		[FLOW_BAD_TOKEN] = "what the provider sent does not hold",
		[FLOW_REFUSED] = "the provider does not accept this client",
		[FLOW_UNREACHABLE] = "the provider cannot be reached, or its answer cannot be read",
	};

	return (unsigned)result->end < ARRAY_LEN(sentences) ? sentences[result->end] : "it ended in an unknown way";
}

static const char *token_reason(const struct flow_result *result)
{
	if (result->end != FLOW_BAD_TOKEN)
		return "";
	return result->token == TOKEN_SIGNED_BADLY ? jws_fault_sentence(result->jws)
						   : token_fault_sentence(result->token);
}

static void say_identity(const struct test *test)
{
	const struct oidc_identity *identity = &test->result.identity;
	char text[600], when[TIME_TEXT_SIZE];

	ctl_say(test->ctl, "\nissuer     %s", shown(identity->issuer, text, sizeof(text)));
	ctl_say(test->ctl, "subject    %s", shown(identity->subject, text, sizeof(text)));
	ctl_say(test->ctl, "e-mail     %s%s", *identity->email ? shown(identity->email, text, sizeof(text)) : "-",
		!*identity->email          ? ""
		: identity->email_verified ? " (verified)"
					   : " (not verified)");
	ctl_say(test->ctl, "name       %s", *identity->name ? shown(identity->name, text, sizeof(text)) : "-");
	if (identity->auth_time)
		ctl_say(test->ctl, "proved     %s", format_time(identity->auth_time, when));
}

static void put_identity(struct json_writer *w, const struct oidc_identity *identity)
{
	json_begin(w, "identity", '{');
	json_put_string(w, "issuer", identity->issuer);
	json_put_string(w, "subject", identity->subject);
	json_put_string_if(w, "email", identity->email);
	json_put_bool(w, "email_verified", identity->email_verified);
	json_put_string_if(w, "name", identity->name);
	if (identity->auth_time)
		json_put_i64(w, "auth_time", identity->auth_time);
	if (identity->issued)
		json_put_i64(w, "issued", identity->issued);
	json_end(w, '}');
}

static int print_json(struct test *test, const struct sso_verdict *verdict, const char *user)
{
	_cleanup_(buffer_finish) struct buffer out = BUFFER_INIT;
	static const char *const ends[] = {
		[FLOW_PROVEN] = "proven",       [FLOW_DENIED] = "denied",   [FLOW_EXPIRED] = "expired",
		[FLOW_BAD_TOKEN] = "bad-token", [FLOW_REFUSED] = "refused", [FLOW_UNREACHABLE] = "unreachable",
	};
	struct json_writer w = json_writer(&out);
	const struct flow_result *result = &test->result;

	json_begin(&w, NULL, '{');
	json_put_string(&w, "issuer", test->idp->issuer);
	json_put_string_if(&w, "provider", test->idp->id);
	json_put_string(&w, "end", ends[result->end]);
	json_put_string(&w, "text", end_sentence(result));
	json_put_string_if(&w, "detail", result->detail);
	if (result->end == FLOW_BAD_TOKEN) {
		json_put_string(&w, "fault", token_fault_word(result->token));
		json_put_string(&w, "reason", token_reason(result));
	}
	json_put_string_if(&w, "remedy", sso_advice(test->idp, result, test->reached));
	if (result->end == FLOW_PROVEN)
		put_identity(&w, &result->identity);
	if (user && result->end == FLOW_PROVEN && verdict->word[0]) {
		json_begin(&w, "user", '{');
		json_put_string(&w, "user", user);
		json_put_bool(&w, "allowed", verdict->allowed);
		json_put_string(&w, "binding", verdict->word);
		json_put_string_if(&w, "owner", verdict->owner);
		json_put_string(&w, "text", sso_binding_sentence(verdict->word));
		json_put_string_if(&w, "remedy", sso_binding_remedy(verdict->word));
		json_end(&w, '}');
	}
	json_end(&w, '}');
	if (out.failed || test->steps.failed)
		return ctl_fail(test->ctl, CTL_BROKEN, "out of memory");
	/* The steps were written as they came: they go in before the last brace. */
	out.length--;
	json_end(&test->w, ']');
	buffer_add_text(&out, ",\"steps\":");
	buffer_add(&out, test->steps.data, test->steps.length);
	buffer_add_char(&out, '}');
	return ctl_print_json(&out);
}

/* The verdict on what came, for people or machines, and the exit code. */
static int finish(struct test *test, struct sso_subject *subject, const char *user)
{
	const struct flow_result *result = &test->result;
	struct sso_verdict verdict = {0};
	const char *advice = sso_advice(test->idp, result, test->reached);
	char text[600];
	int code = result->end == FLOW_PROVEN ? CTL_OK : result->end == FLOW_UNREACHABLE ? CTL_BROKEN : CTL_NO;

	if (code == CTL_OK && user) {
		code = sso_judge(test->ctl, subject, user, &result->identity, &verdict);
		if (code >= 0)
			return code;
		code = verdict.allowed ? CTL_OK : CTL_NO;
	}
	if (test->ctl->json)
		return print_json(test, &verdict, user) == CTL_OK ? code : CTL_BROKEN;
	ctl_say(test->ctl, "\n%s%s%s", end_sentence(result), *token_reason(result) ? ": " : "", token_reason(result));
	if (*result->detail)
		ctl_say(test->ctl, "  %s", shown(result->detail, text, sizeof(text)));
	if (*advice)
		ctl_say(test->ctl, "  what to do: %s", advice);
	if (result->end == FLOW_PROVEN)
		say_identity(test);
	if (verdict.word[0]) {
		ctl_say(test->ctl, "\n%s %s (%s)%s%s", user, sso_binding_sentence(verdict.word), verdict.word,
			*verdict.owner ? "; it is " : "", verdict.owner);
		if (*sso_binding_remedy(verdict.word))
			ctl_say(test->ctl, "  what to do: %s", sso_binding_remedy(verdict.word));
		if (verdict.agent_away)
			ctl_say(test->ctl, "  (the agent does not run: what first sign-ins bound is not known)");
	}
	return fflush(stdout) == 0 ? code : CTL_BROKEN;
}

static int test_provider(struct ctl *ctl, struct sso_subject *subject, const struct http_options *http,
			 const char *user, enum qr_form qr)
{
	struct test test = {.ctl = ctl, .idp = &subject->idp, .qr = qr};
	char issuer[600];
	int r, code;

	test.w = json_writer(&test.steps);
	json_begin(&test.w, NULL, '[');
	ctl_say(ctl, "provider   %s, %s\n", subject->idp.name, shown(subject->idp.issuer, issuer, sizeof(issuer)));
	r = run(&test, http);
	if (r == -EINVAL)
		code = ctl_fail(ctl, CTL_NO, "the issuer %s cannot be that of such a provider", issuer);
	else if (r < 0)
		code = ctl_fail(ctl, CTL_BROKEN, "cannot be tried: %s", strerrordesc_np(-r));
	else
		code = finish(&test, subject, user);
	explicit_bzero(&test.result, sizeof(test.result));
	buffer_finish(&test.steps);
	return code;
}

int sso_test_verb(struct ctl *ctl, int argc, char **argv)
{
	static const char text[] =
		"Signs in at an identity provider by device authorization, exactly as the agent does it for a person\n"
		"at a prompt: prints the address and the code, waits for the approval in a browser, checks what comes\n"
		"and says who it is. Each failure is explained. Nobody is signed in here and nothing is kept.\n"
		"PROVIDER is a provider's id; an ISSUER is a URL to try before it is added. With --user it says "
		"whether\n"
		"that user would be let in, and why not. Options override what the provider's record says. A client\n"
		"secret is read from a file or standard input. Proxy and certificates are those of agent.yaml (sso).\n"
		"With --json the address and the code go to standard error.\n"
		"\nExit codes: 0 signed in (and --user would be); 1 not; 3 the provider cannot be reached.\n"
		"\nExamples:\n"
		"  tenantctl sso test idp_google --user alice\n"
		"  tenantctl sso test https://login.example.com/realms/staff --client-id ml-hosts --amr mfa\n"
		"  tenantctl sso test https://github.com --client-id Iv1.0123456789abcdef\n";
	_cleanup_(sso_subject_finish) struct sso_subject subject = {0};
	_cleanup_(config_freep) struct config *config = NULL;
	const char *user = NULL, *ca_file = NULL, *proxy = NULL, *config_path = CONFIG_PATH, *qr_word = "utf8";
	bool plain = false;
	struct ctl_option options[PROVIDER_OPTIONS_MAX + OWN_OPTIONS];
	size_t n = provider_options(&subject.given, options);
	const struct ctl_option own[OWN_OPTIONS] = {
		{"kind", "KIND", "oidc, google, microsoft, github or tenantd (default: by the issuer)",
		 .value = &subject.given.kind},
		{"user", "USER", "would this user be let in?", .value = &user},
		{"ca-file", "FILE", "trust these certificates alone", .value = &ca_file},
		{"proxy", "URL", "go by this proxy; none: by none", .value = &proxy},
		{"config", "FILE", "the agent's configuration (default " CONFIG_PATH ")", .value = &config_path},
		{"qr", "HOW", "utf8 (default), ascii or off", .value = &qr_word},
		{"plain-http", NULL, "allow http:// on this machine, for tests", .flag = &plain},
	};
	const struct ctl_command command = {.name = "sso test",
					    .usage = "PROVIDER|ISSUER [--user USER] [OPTIONS]",
					    .text = text,
					    .uses = CTL_USES_FILE | CTL_USES_SOCKET,
					    .options = options,
					    .option_count = n + OWN_OPTIONS,
					    .min = 1,
					    .max = 1};
	struct problem problem = {0};
	struct http_options http = {.accept_tls12 = true, .connect_timeout_ms = CONNECT_MS};
	enum qr_form qr;
	int count, code, r;

	memcpy(&options[n], own, sizeof(own));
	code = ctl_parse(ctl, &command, argc, argv, &count);
	if (code >= 0)
		return code;
	if (!qr_form_parse(qr_word, &qr))
		return ctl_fail(ctl, CTL_USAGE, "--qr is utf8, ascii or off");
	r = config_load(config_path, strcmp(config_path, CONFIG_PATH) != 0, &config, &problem);
	if (r < 0 && problem.text[0])
		return ctl_fail_problem(ctl, CTL_BROKEN, &problem);
	if (r < 0)
		return ctl_fail(ctl, CTL_BROKEN, "%s: %s", config_path, strerrordesc_np(-r));
	code = sso_subject_find(ctl, argv[0], user, &subject);
	if (code >= 0)
		return code;
	http.allow_plain = plain;
	if (subject.idp.kind == IDP_TENANTD) { /* as the agent has it (agent/sso) */
		http.accept_tls12 = false;
		http.ca_file = config->ca_file;
		http.pin = config->pin;
		http.proxy = config->proxy;
	} else {
		http.ca_file = config->sso.ca_file;
		http.proxy = config->sso.proxy;
	}
	if (ca_file)
		http.ca_file = ca_file;
	if (proxy)
		http.proxy = proxy;
	if (!http.proxy)
		http.proxy = proxy_of_environment();
	if (text_equal(http.proxy, "none"))
		http.proxy = NULL;
	return test_provider(ctl, &subject, &http, user, qr);
}

/* SPDX-License-Identifier: MIT
 *
 * Clocks, and with --online whether identity providers can be reached from here.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>

#include "base/clock.h"
#include "base/text.h"
#include "ctl/agent_call.h"
#include "ctl/doctor.h"
#include "http/http.h"
#include "oidc/endpoints.h"
#include "proxy.h"
#include "records/values.h"

#define REQUEST_MS 10000U
#define OFF_WARNING_SEC 5
#define OFF_PROBLEM_SEC 60 /* what tokens and feeds forgive */

struct fetched {
	struct http_answer answer;
	struct buffer body;
	char error[256];
	bool done;
};

static void on_done(void *context, const struct http_answer *answer)
{
	struct fetched *fetched = context;

	fetched->answer = *answer;
	snprintf(fetched->error, sizeof(fetched->error), "%s", answer->error ? answer->error : "");
	buffer_add(&fetched->body, answer->body ? answer->body : "", answer->body ? answer->length : 0);
	fetched->done = true;
}

/* One request. The body is the caller's. */
static int fetch(const struct http_options *options, const char *url, struct fetched *ret)
{
	const struct http_request request = {.method = "GET",
					     .url = url,
					     .timeout_ms = REQUEST_MS,
					     .limit = OIDC_DOCUMENT_MAX,
					     .done = on_done,
					     .context = ret};
	_cleanup_(http_destroyp) struct http *http = NULL;
	struct http_transfer *transfer;
	int r = http_create(options, NULL, &http);

	if (r >= 0)
		r = http_start(http, &request, &transfer);
	if (r >= 0)
		r = http_wait(http, 2ULL * REQUEST_MS);
	return r < 0 ? r : ret->done ? 0 : -EIO;
}

static const char *proxy_of(const char *configured)
{
	const char *proxy = configured ? configured : proxy_of_environment();

	return text_equal(proxy, "none") ? NULL : proxy;
}

static void compare_clock(struct doctor *doctor)
{
	const struct config *config = doctor->config;
	const struct http_options options = {
		.ca_file = config->ca_file, .pin = config->pin, .proxy = proxy_of(config->proxy)};
	struct fetched fetched = {0};
	int64_t off;
	char url[600];
	int r;

	snprintf(url, sizeof(url), "%s/healthz", doctor->control_url);
	r = fetch(&options, url, &fetched);
	off = clock_realtime_sec() - fetched.answer.date;
	if (r < 0 || fetched.answer.fault != HTTP_FINE)
		findings_add(&doctor->findings, FINDING_WARNING, "clock", "is it up, and can this host reach it?",
			     "not compared with the control plane's: %s%s%s",
			     r < 0 ? strerrordesc_np(-r) : http_fault_text(fetched.answer.fault),
			     fetched.error[0] ? ": " : "", fetched.error);
	else if (!fetched.answer.date)
		findings_add(&doctor->findings, FINDING_WARNING, "clock", NULL,
			     "the control plane does not tell the time");
	else if (llabs((long long)off) > OFF_WARNING_SEC)
		findings_add(&doctor->findings,
			     llabs((long long)off) > OFF_PROBLEM_SEC ? FINDING_PROBLEM : FINDING_WARNING, "clock",
			     "see to it that both follow a time server: `timedatectl`",
			     "this host's clock is %lld seconds %s of the control plane's", llabs((long long)off),
			     off > 0 ? "ahead" : "behind");
	else
		findings_add(&doctor->findings, FINDING_OK, "clock", NULL, "the same as the control plane's");
	buffer_finish(&fetched.body);
}

void doctor_clock(struct doctor *doctor)
{
	struct timex state = {0};
	int r = adjtimex(&state);

	if (r < 0)
		findings_add(&doctor->findings, FINDING_WARNING, "clock", NULL,
			     "the kernel does not tell how it is: %s", strerrordesc_np(errno));
	else if (r == TIME_ERROR || (state.status & STA_UNSYNC))
		findings_add(&doctor->findings, FINDING_WARNING, "clock",
			     "timedatectl set-ntp true (in a container: on its host)",
			     "nothing keeps it right: tokens, keys and feeds have times that are judged by it");
	else
		findings_add(&doctor->findings, FINDING_OK, "clock", NULL, "kept right by a time server");
	if (doctor->control_url[0])
		compare_clock(doctor);
}

/* ---- providers -------------------------------------------------------------------------------------------------- */

static enum idp_kind kind_of(const char *word)
{
	struct value_fault fault;
	uint32_t kind = IDP_OIDC;

	(void)value_choice(word, value_idp_kind_words, &kind, &fault);
	return (enum idp_kind)kind;
}

static void try_provider(struct doctor *doctor, const json_t *provider)
{
	const struct idp_record idp = {.id = ctl_text(provider, "id"),
				       .tenant_id = ctl_text(provider, "tenant_id"),
				       .name = ctl_text(provider, "name"),
				       .issuer = ctl_text(provider, "issuer"),
				       .kind = kind_of(ctl_text(provider, "kind")),
				       .client_id = ctl_text(provider, "client_id"),
				       .client_secret = "",
				       .client_key = "",
				       .hosted_domain = "",
				       .token_audience = ""};
	const struct http_options options = {.ca_file = doctor->config->sso.ca_file,
					     .proxy = proxy_of(doctor->config->sso.proxy),
					     .accept_tls12 = true};
	struct oidc_endpoints *endpoints = calloc(1, sizeof(*endpoints));
	struct fetched fetched = {0};
	struct problem problem = {0};
	const char *url;
	char remedy[160];
	int r = endpoints ? oidc_endpoints_known(&idp, false, endpoints, &problem) : -ENOMEM;

	snprintf(remedy, sizeof(remedy), "`tenantctl sso test %s` tells more", idp.id);
	if (r == 0) {
		url = endpoints->discovery[0] ? endpoints->discovery : endpoints->device;
		r = fetch(&options, url, &fetched);
	}
	if (r == 0 && fetched.answer.fault != HTTP_FINE)
		r = problem_set(&problem, EHOSTUNREACH, "%s%s%.200s", http_fault_text(fetched.answer.fault),
				fetched.error[0] ? ": " : "", fetched.error);
	if (r == 0 && endpoints->discovery[0] && fetched.answer.status != 200)
		r = problem_set(&problem, EINVAL, "its discovery document is not there (status %u)",
				fetched.answer.status);
	if (r == 0 && endpoints->discovery[0])
		r = oidc_endpoints_parse(&idp, fetched.body.data ? fetched.body.data : "", fetched.body.length, false,
					 endpoints, &problem);
	if (r < 0)
		findings_add(&doctor->findings, FINDING_PROBLEM, "provider",
			     problem.remedy[0] ? problem.remedy : remedy, "%s (%s): %s", idp.name, idp.id,
			     problem.text[0] ? problem.text : strerrordesc_np(-r));
	else
		findings_add(&doctor->findings, FINDING_OK, "provider", NULL, "%s (%s) can be reached", idp.name,
			     idp.id);
	buffer_finish(&fetched.body);
	free(endpoints);
}

void doctor_online(struct doctor *doctor)
{
	_cleanup_(ctl_call_finish) struct ctl_call call = {0};
	const json_t *provider;
	size_t i;

	if (!doctor->has_providers || ctl_call_begin(&call, doctor->ctl, "Providers", false) >= 0 ||
	    ctl_call_end(&call) >= 0)
		return;
	json_array_foreach(json_object_get(call.reply.parameters, "providers"), i, provider)
		try_provider(doctor, provider);
}

/* SPDX-License-Identifier: MIT */
#include "control_plane/provider/page.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/digest.h"

static const char style[] =
	":root{color-scheme:light dark;--back:#f3f4f6;--card:#fff;--text:#111827;--soft:#4b5563;--line:#d1d5db;"
	"--main:#1d4ed8;--over:#1e40af;--on:#fff;--bad:#991b1b;--badback:#fef2f2;--field:#fff}"
	"@media(prefers-color-scheme:dark){:root{--back:#0b0f17;--card:#151b26;--text:#e5e7eb;--soft:#a3adbd;"
	"--line:#374151;--main:#93b4fd;--over:#bcd0fe;--on:#0b1220;--bad:#fecaca;--badback:#3b1216;--field:#0f141d}}"
	"*{box-sizing:border-box}"
	"body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--back);"
	"color:var(--text);font:1rem/1.5 system-ui,-apple-system,\"Segoe UI\",Roboto,\"Noto Sans\",sans-serif}"
	"main{width:100%;max-width:27rem;background:var(--card);border:1px solid var(--line);border-radius:.75rem;"
	"padding:2rem;box-shadow:0 1px 3px rgb(0 0 0/.08)}"
	"h1{font-size:1.375rem;line-height:1.3;margin:0 0 .75rem}"
	"p{margin:0 0 1rem;overflow-wrap:anywhere}.soft{color:var(--soft);font-size:.9375rem}"
	"dl{margin:0 0 1.25rem;padding:.25rem 1rem;border:1px solid var(--line);border-radius:.5rem}"
	"dl div{display:flex;gap:1rem;justify-content:space-between;padding:.5rem 0}"
	"dl div+div{border-top:1px solid var(--line)}dt{color:var(--soft);white-space:nowrap}"
	"dd{margin:0;text-align:right;font-weight:600;overflow-wrap:anywhere;min-width:0}"
	"label{display:block;font-weight:600;margin:0 0 .375rem}"
	"input{display:block;width:100%;font:inherit;padding:.625rem .75rem;margin:0 0 1.125rem;color:inherit;"
	"background:var(--field);border:1px solid var(--soft);border-radius:.5rem}"
	".code{font:600 1.5rem/1.3 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;letter-spacing:.12em;"
	"text-align:center;text-transform:uppercase}"
	"button{width:100%;font:inherit;font-weight:600;padding:.6875rem 1rem;margin:0 0 .625rem;border-radius:.5rem;"
	"border:1px solid var(--main);background:var(--main);color:var(--on);cursor:pointer}"
	"button:hover{background:var(--over)}"
	"button:last-child{margin:0}"
	".no{background:none;color:var(--text);border-color:var(--soft)}.no:hover{background:var(--back)}"
	":focus-visible{outline:3px solid var(--main);outline-offset:2px}"
	".alert{padding:.75rem 1rem;border-radius:.5rem;border:1px solid var(--bad);background:var(--badback);"
	"color:var(--bad)}a{color:var(--main)}";

void page_escape(struct buffer *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			(void)buffer_add_text(out, "&amp;");
			break;
		case '<':
			(void)buffer_add_text(out, "&lt;");
			break;
		case '>':
			(void)buffer_add_text(out, "&gt;");
			break;
		case '"':
			(void)buffer_add_text(out, "&quot;");
			break;
		case '\'':
			(void)buffer_add_text(out, "&#39;");
			break;
		default:
			(void)buffer_add_char(out, *text);
		}
	}
}

static void begin(struct buffer *out, const char *title)
{
	(void)buffer_add_text(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
				   "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
				   "<meta name=\"robots\" content=\"noindex\"><title>");
	page_escape(out, title);
	(void)buffer_add_text(out, "</title><style>");
	(void)buffer_add_text(out, style);
	(void)buffer_add_text(out, "</style></head><body><main><h1>");
	page_escape(out, title);
	(void)buffer_add_text(out, "</h1>\n");
}

static void end(struct buffer *out)
{
	(void)buffer_add_text(out, "</main></body></html>\n");
}

static void put_alert(struct buffer *out, const char *alert)
{
	if (!alert)
		return;
	(void)buffer_add_text(out, "<p class=\"alert\" role=\"alert\">");
	page_escape(out, alert);
	(void)buffer_add_text(out, "</p>\n");
}

static void put_form(struct buffer *out, const char *form)
{
	(void)buffer_add_text(out, "<form method=\"post\" action=\"/device\" accept-charset=\"utf-8\">"
				   "<input type=\"hidden\" name=\"form\" value=\"");
	page_escape(out, form);
	(void)buffer_add_text(out, "\">\n");
}

static void put_fact(struct buffer *out, const char *name, const char *value, const char *after)
{
	(void)buffer_printf(out, "<div><dt>%s</dt><dd>", name);
	page_escape(out, value);
	(void)buffer_printf(out, "%s</dd></div>\n", after);
}

void page_code(struct buffer *out, const struct page_code *page)
{
	begin(out, "Sign in with a code");
	put_alert(out, page->alert);
	(void)buffer_add_text(out, "<p>A terminal showed you a code. Enter it here only if you were signing in there "
				   "yourself, just now.</p>\n");
	put_form(out, page->form);
	(void)buffer_add_text(out,
			      "<label for=\"code\">Code</label><input class=\"code\" id=\"code\" name=\"user_code\" "
			      "required maxlength=\"24\" autocomplete=\"off\" autocapitalize=\"characters\" "
			      "spellcheck=\"false\" placeholder=\"XXXX-XXXX\" value=\"");
	page_escape(out, page->code);
	(void)buffer_add_text(out, "\">\n<button>Continue</button></form>\n");
	end(out);
}

void page_decision(struct buffer *out, const struct page_decision *page)
{
	begin(out, "Approve this sign-in?");
	put_alert(out, page->alert);
	(void)buffer_add_text(out, "<dl>\n");
	put_fact(out, "Organisation", page->tenant, "");
	if (*page->host)
		put_fact(out, "Host", page->host, "");
	put_fact(out, "Asked from", page->source, "");
	put_fact(out, "Asked", page->ago, " ago");
	put_fact(out, "Code", page->code, "");
	(void)buffer_add_text(out,
			      "</dl>\n<p class=\"soft\" id=\"warn\">Approve only if you started it yourself and your "
			      "terminal shows this code. Whoever sent you a code wants to sign in as you.</p>\n");
	put_form(out, page->form);
	(void)buffer_add_text(out, "<label for=\"email\">E-mail address</label><input id=\"email\" name=\"email\" "
				   "type=\"email\" required maxlength=\"254\" autocomplete=\"username\" value=\"");
	page_escape(out, page->email);
	(void)buffer_add_text(
		out, "\">\n<label for=\"password\">Password</label><input id=\"password\" name=\"password\" "
		     "type=\"password\" required maxlength=\"256\" autocomplete=\"current-password\">\n"
		     "<button name=\"decision\" value=\"approve\" aria-describedby=\"warn\">Approve</button>"
		     "<button class=\"no\" name=\"decision\" value=\"deny\" formnovalidate>Deny</button></form>\n");
	end(out);
}

void page_end(struct buffer *out, const struct page_end *page)
{
	begin(out, page->title);
	(void)buffer_add_text(out, "<p role=\"status\">");
	page_escape(out, page->text);
	(void)buffer_add_text(out, "</p>\n");
	if (page->link) {
		(void)buffer_add_text(out, "<p><a href=\"/device\">");
		page_escape(out, page->link);
		(void)buffer_add_text(out, "</a></p>\n");
	}
	end(out);
}

int page_policy(char out[PAGE_POLICY_SIZE])
{
	_cleanup_(freep) char *text = NULL;
	uint8_t digest[SHA256_BYTES];
	int r = sha256(style, strlen(style), digest);

	text = r == 0 ? base64_encode(digest, sizeof(digest)) : NULL;
	if (!text)
		return r < 0 ? r : -ENOMEM;
	(void)snprintf(
		out, PAGE_POLICY_SIZE,
		"default-src 'none'; style-src 'sha256-%s'; form-action 'self'; frame-ancestors 'none'; base-uri "
		"'none'",
		text);
	return 0;
}

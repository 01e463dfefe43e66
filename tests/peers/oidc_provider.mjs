// SPDX-License-Identifier: MIT
//
// An identity provider for the tests: the npm package oidc-provider, with people who sign in by a form of their own.
//   node oidc_provider.mjs SETTINGS      SETTINGS: a JSON file, made by tests/hosts/hostlib/providers.py
// Says "ready" when it listens; ends with SIGTERM. What it knows of sign-ins under way ends with it.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const settings = JSON.parse(readFileSync(process.argv[2], 'utf8'));
// The packages are in the build folder, and this file is not.
const modules = createRequire(`${resolve(settings.modules)}/`);
const { default: Provider, errors, interactionPolicy } = await import(pathToFileURL(modules.resolve('oidc-provider')));

const people = new Map(settings.people.map((person) => [person.login, person]));
const bySubject = new Map(settings.people.map((person) => [person.subject, person]));

const page = (title, body) => `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>${title}</title><style>
body { font-family: sans-serif; background: #eef2f6; color: #123; text-align: center; margin-top: 6em }
main { background: #fff; border-radius: 8px; display: inline-block; padding: 2em 4em; box-shadow: 0 2px 8px #0003 }
input, button { display: block; margin: 1em auto; padding: .6em; font-size: 1em; width: 16em; box-sizing: border-box }
code { font-size: 1.8em; letter-spacing: .1em }</style></head><body><main><h1>${title}</h1>${body}</main></body></html>`;
const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

const provider = new Provider(settings.issuer, {
  clients: settings.clients,
  jwks: settings.keys,
  cookies: { keys: ['for-the-tests-only'] },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], ...settings.claims },
  scopes: ['openid', 'email', 'profile', 'api'],
  // As Google and Microsoft do: the ID token says it all, without a call of userinfo.
  conformIdTokenClaims: false,
  responseTypes: ['code'],
  acrValues: settings.acr ?? [],
  ttl: { DeviceCode: settings.code_lifetime ?? 600, IdToken: 600, AccessToken: 600, Session: 600, Interaction: 600, Grant: 600 },
  pkce: { required: () => false },
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'] },
  interactions: {
    policy: interactionPolicy.base(),
    url: (ctx, interaction) => `/interaction/${interaction.uid}`,
  },
  features: {
    devInteractions: { enabled: false },
    deviceFlow: {
      enabled: true,
      userCodeInputSource: (ctx, form, out, error) => {
        if (error?.name === 'AbortedError') {
          ctx.body = page('Nobody was signed in', '<p id="refused">You said no.</p>');
          return;
        }
        ctx.body = page('Which device?', `${error ? '<p id="wrong">That is no code of ours.</p>' : ''}${form}
<button type="submit" form="op.deviceInputForm" id="go-on">Go on</button>`);
      },
      userCodeConfirmSource: (ctx, form, client, info, code) => {
        ctx.body = page('Is this your device?', `<p>${escape(client.clientName ?? client.clientId)} shows</p>
<p><code id="code">${escape(code)}</code></p>${form}
<button type="submit" form="op.deviceConfirmForm" id="confirm">Yes, that is mine</button>
<button type="submit" form="op.deviceConfirmForm" name="abort" value="yes" id="abort">No</button>`);
      },
      successSource: (ctx) => {
        ctx.body = page('Done', '<p id="done">You may close this page.</p>');
      },
    },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      useGrantedResource: () => true,
      getResourceServerInfo: (ctx, indicator) => {
        if (!(settings.resources ?? []).includes(indicator)) {
          throw new errors.InvalidTarget();
        }
        return {
          scope: 'api',
          audience: indicator,
          accessTokenFormat: 'jwt',
          accessTokenTTL: settings.access_token_lifetime ?? 600,
          jwt: { sign: { alg: settings.access_token_algorithm ?? 'ES256' } },
        };
      },
    },
  },
  findAccount: (ctx, subject) => {
    const person = bySubject.get(subject);
    return person && {
      accountId: subject,
      claims: () => ({ sub: subject, email: person.email, email_verified: person.email_verified, name: person.name, ...person.claims }),
    };
  },
  renderError: (ctx, out) => {
    ctx.body = page('That did not work', `<p id="error">${escape(out.error)}: ${escape(out.error_description)}</p>`);
  },
});

const signInForm = (wrong) => page('Sign in', `${wrong ? '<p id="wrong">Wrong name or password.</p>' : ''}
<form method="post"><input name="login" placeholder="name" autofocus><input name="password" type="password">
<button name="answer" value="yes" id="sign-in">Sign in</button><button name="answer" value="no" id="cancel">Cancel</button></form>`);
const consentForm = (name) => page('Let it know who you are?', `<p>Signed in as ${escape(name)}.</p>
<form method="post"><button name="answer" value="yes" id="allow">Allow</button>
<button name="answer" value="no" id="deny">Deny</button></form>`);

async function body(request) {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
    if (text.length > 4096) throw new Error('too long');
  }
  return new URLSearchParams(text);
}

async function interact(ctx) {
  const { prompt, session, params, grantId } = await provider.interactionDetails(ctx.req, ctx.res);
  const answered = ctx.method === 'POST' ? await body(ctx.req) : null;
  const finish = (result) => {
    ctx.respond = false;
    return provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: !result.error });
  };
  ctx.type = 'html';
  if (answered?.get('answer') === 'no') {
    return finish({ error: 'access_denied', error_description: 'the person said no' });
  }
  if (prompt.name === 'login') {
    const person = people.get(answered?.get('login'));
    if (!person || person.password !== answered.get('password')) {
      ctx.body = signInForm(answered);
      return undefined;
    }
    return finish({ login: { accountId: person.subject, acr: person.acr, amr: person.amr } });
  }
  if (!answered) {
    ctx.body = consentForm(bySubject.get(session.accountId)?.name);
    return undefined;
  }
  const grant = (grantId && await provider.Grant.find(grantId))
    || new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope('openid email profile');
  for (const indicator of settings.resources ?? []) {
    grant.addResourceScope(indicator, 'api');
  }
  return finish({ consent: { grantId: await grant.save() } });
}

provider.use((ctx, next) => (ctx.path.startsWith('/interaction/') ? interact(ctx) : next()));
provider.on('server_error', (ctx, error) => console.error(error));

const server = createServer({ key: readFileSync(settings.tls_key), cert: readFileSync(settings.tls_certificate) }, provider.callback());
server.listen(settings.port, '0.0.0.0', () => console.log('ready'));
process.on('SIGTERM', () => process.exit(0));

// SPDX-License-Identifier: ISC
// A real OpenID provider for the tests: device flow, authorization code with
// PKCE, refresh tokens that are rotated and whose reuse revokes them all.
//
// usage: provider.mjs PORT KEY CERT SECONDS
//   SECONDS: how long an access token is good.  The client of ours is
//   "mailhaul", public; Dovecot asks about tokens as "dovecot".
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import Provider from 'oidc-provider';

const [port, key, cert, seconds] = process.argv.slice(2);
const issuer = `https://localhost:${port}`;
const device = 'urn:ietf:params:oauth:grant-type:device_code';

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'mailhaul',
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token', device],
      response_types: ['code'],
      redirect_uris: ['http://127.0.0.1/', 'http://127.0.0.1'],
    },
    {
      client_id: 'dovecot',
      client_secret: 'dovecot-secret',
      grant_types: [],
      response_types: [],
      redirect_uris: [],
    },
  ],
  cookies: { keys: ['a key of the tests'] },
  features: {
    deviceFlow: { enabled: true },
    devInteractions: { enabled: true },
    introspection: { enabled: true, allowedPolicy: async () => true },
    revocation: { enabled: true },
  },
  findAccount: async (_ctx, id) => ({
    accountId: id,
    claims: async () => ({ sub: id }),
  }),
  issueRefreshToken: async () => true,
  pkce: { required: () => true },
  rotateRefreshToken: true,
  scopes: ['openid', 'offline_access'],
  ttl: {
    AccessToken: Number(seconds),
    DeviceCode: 600,
    Grant: 86400,
    Interaction: 600,
    RefreshToken: 86400,
    Session: 86400,
  },
});

// One line for each answer of the token endpoint: the tests count them.
provider.use(async (ctx, next) => {
  await next();
  if (ctx.path === '/token') {
    const { grant_type: grant } = ctx.oidc?.params ?? {};
    console.log(`token ${grant} ${ctx.status} ${ctx.body?.error ?? 'ok'}`);
  }
});

createServer({ key: readFileSync(key), cert: readFileSync(cert) },
  provider.callback()).listen(Number(port), '127.0.0.1');

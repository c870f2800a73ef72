// A credential for an integration: one typed record, checked when it is read, its secret in a type that cannot be printed (CF-10).
import { z } from 'zod'
import { Secret } from './secret.ts'

const secret = (what: string) =>
  z
    .union([
      z.instanceof(Secret),
      z
        .string()
        .min(1)
        .max(8_192)
        .transform((value) => new Secret(value)),
    ])
    .describe(what)

export const Credential = z.strictObject({
  baseUrl: z
    .url({ protocol: /^https?$/, error: 'must be an http or https address' })
    .refine((url) => !/^https?:\/\/[^/]*@/.test(url), 'must not hold a user name or password: use auth for them')
    .describe('Address of the peer; calls are below it'),
  auth: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('none') }),
      z.strictObject({ kind: z.literal('bearer'), token: secret('Bearer token') }),
      z.strictObject({
        kind: z.literal('api-key'),
        header: z
          .string()
          .regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/)
          .default('X-Api-Key')
          .describe('Header that carries the key'),
        key: secret('API key'),
      }),
      z.strictObject({
        kind: z.literal('password'),
        username: z.string().min(1).max(200),
        password: secret('Password'),
      }),
    ])
    .default({ kind: 'none' }),
  verifyTls: z
    .boolean()
    .default(true)
    .describe(
      'Check the certificate of the peer; off only for a peer whose own certificate cannot be trusted otherwise',
    ),
  ca: z.string().max(65_536).optional().describe('PEM of the authority that signed the certificate of the peer'),
  scope: z
    .array(z.string().min(1).max(64))
    .max(64)
    .default([])
    .describe('What it may be used for; empty: everything it can do'),
})
export type CredentialRecord = z.output<typeof Credential>

/** The headers that prove who calls. The only place where a credential is revealed. */
export const authHeaders = ({ auth }: Pick<CredentialRecord, 'auth'>): Record<string, string> => {
  switch (auth.kind) {
    case 'none':
      return {}
    case 'bearer':
      return { authorization: `Bearer ${auth.token.reveal()}` }
    case 'api-key':
      return { [auth.header.toLowerCase()]: auth.key.reveal() }
    case 'password':
      return {
        authorization: `Basic ${Buffer.from(`${auth.username}:${auth.password.reveal()}`, 'utf8').toString('base64')}`,
      }
  }
}

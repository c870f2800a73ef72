// What is set of an issuer: another system that says who somebody is (OpenID Connect). Clerk, Authentik and Keycloak are values of this.
import { z } from 'zod'
import { ROLES } from '../../bus/principal.ts'

/** Signatures with a private key only: `none`, and secrets that both sides know, are no choice. */
export const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'EdDSA'] as const

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

/** Whether keys and tokens may be fetched from there: over HTTPS, or from this machine. */
export const isSafeUrl = (text: string): boolean => {
  const url = URL.parse(text)
  if (url === null || url.username !== '' || url.password !== '') return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.has(url.hostname))
}

const safeUrl = z
  .string()
  .max(500)
  .refine(isSafeUrl, 'must be an https address without user name or password (http only on this machine)')

const roles = z.union([z.enum(ROLES).transform((role) => [role]), z.array(z.enum(ROLES)).min(1)])

export const IssuerSettings = z.strictObject({
  title: z.string().min(1).max(40).optional().describe('Name on the button of the login page; without it the id'),
  issuer: safeUrl.describe('Its address, exactly as it stands in `iss` of its tokens'),
  audience: z
    .array(z.string().min(1).max(200))
    .max(16)
    .default([])
    .describe('Tokens for one of these are taken by API and MQTT; none: only the button of the login page works'),
  authorizedParties: z
    .array(z.string().min(1).max(200))
    .max(16)
    .default([])
    .describe('When given, `azp` (or `client_id`) of a token must be one of these'),
  algorithms: z
    .array(z.enum(ALGORITHMS))
    .min(1)
    .default(['RS256', 'PS256', 'ES256', 'EdDSA'])
    .describe('Signatures that are accepted'),
  jwksUri: safeUrl.optional().describe('Where its keys are; without it as its discovery document says'),
  caFile: z
    .string()
    .min(1)
    .optional()
    .describe('PEM file of the authority that signed its certificate, when the system does not know it'),
  staleHours: z
    .number()
    .min(0)
    .max(168)
    .default(24)
    .describe('When it cannot be reached, its keys of before are believed for so long'),
  clientId: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe('This hub at the issuer; with it the login page has a button'),
  clientSecretFile: z
    .string()
    .min(1)
    .optional()
    .describe('File with the secret that belongs to clientId (mode 0600), when the issuer wants one'),
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,64}$/))
    .max(16)
    .default(['openid', 'profile']),
  usernameClaim: z
    .string()
    .min(1)
    .max(100)
    .default('preferred_username')
    .describe('Claim that suggests a user name; nobody is recognised by it'),
  roles: z
    .strictObject({
      claim: z
        .union([z.string().min(1).max(200), z.array(z.string().min(1).max(200)).min(1).max(8)])
        .describe('Claim with a text or a list of texts; a path with dots, or a list of its steps'),
      map: z.record(z.string().min(1).max(200), roles).describe('Roles here for each text there'),
    })
    .optional()
    .describe('Without it, or without a text that is in the map, somebody has no rights'),
})
export type IssuerSettings = z.output<typeof IssuerSettings>

/** By an id of your own; it stands in front of user names: `keycloak.ada`. */
export const IssuersSettings = z
  .record(z.string().regex(/^[a-z][a-z0-9]{0,9}$/, 'must be 1 to 10 of a-z and 0-9, a letter first'), IssuerSettings)
  .refine((all) => Object.keys(all).length <= 8, 'must be at most 8')
  .refine(
    (all) => new Set(Object.values(all).map(({ issuer }) => issuer)).size === Object.keys(all).length,
    'must not name one issuer twice',
  )
export type IssuersSettings = z.output<typeof IssuersSettings>

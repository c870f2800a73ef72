// Why a token is not taken, in words.
import { reasonOf } from '../../errors.ts'

const CODES: Record<string, string> = {
  ERR_JWT_EXPIRED: 'it has expired',
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'its signature is wrong',
  ERR_JOSE_ALG_NOT_ALLOWED: 'its kind of signature is not accepted',
  ERR_JWKS_NO_MATCHING_KEY: 'it is signed with a key the issuer did not have half a minute ago or later',
  ERR_JWKS_MULTIPLE_MATCHING_KEYS: 'it does not say with which key it is signed',
}
const CLAIMS: Record<string, string> = {
  aud: 'it is for somebody else (aud)',
  iss: 'it is of another issuer',
  nbf: 'it is not good yet',
  iat: 'it does not say when it was made',
  exp: 'it does not say when it expires',
  sub: 'it does not say for whom it is',
}

/** The reason in an error of the library that checks tokens. */
export const whyNot = (error: unknown): string => {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
  const claim = error instanceof Error && 'claim' in error && typeof error.claim === 'string' ? error.claim : ''
  return (
    CODES[code] ??
    CLAIMS[claim] ??
    (code === '' ? reasonOf(error).slice(0, 200) : 'it is not a token that can be checked')
  )
}

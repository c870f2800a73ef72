// The files an issuer's settings name: the authority of its certificate, and the secret of this hub there.
import { readFileSync, statSync } from 'node:fs'
import { Fatal, reasonOf } from '../../errors.ts'
import { Secret } from '../../health/secret.ts'

/** Throws Fatal when it cannot be read. */
export const readPem = (id: string, path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new Fatal(`access.issuers.${id}.caFile: ${path} cannot be read: ${reasonOf(error)}`)
  }
}

/** Throws Fatal when it cannot be read, or others can read it. */
export const readSecret = (id: string, path: string): Secret => {
  try {
    if ((statSync(path).mode & 0o077) !== 0 && process.platform !== 'win32') {
      throw new Fatal(`${path} holds a secret and can be read by other users of this computer: chmod 600 ${path}`)
    }
    return new Secret(readFileSync(path, 'utf8').trim())
  } catch (error) {
    if (error instanceof Fatal) throw error
    throw new Fatal(`access.issuers.${id}.clientSecretFile: ${path} cannot be read: ${reasonOf(error)}`)
  }
}

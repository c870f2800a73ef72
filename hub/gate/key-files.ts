// Keys of the gate in the data folder, made at the first start, for the hub's user alone: one that signs the head of the audit, one that HMAC keys are made from.
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Fatal, reasonOf } from '../errors.ts'
import { makeFolder } from '../store/folder.ts'

/** Reads a file of `keys/`, or makes it with mode 0600. Throws Fatal when it cannot be read or written. */
const keyFile = (dataDir: string, name: string, make: () => string): string => {
  const path = join(dataDir, 'keys', name)
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT'))
      throw new Fatal(`${path} cannot be read: ${reasonOf(error)}. Give it back to the hub's user.`, error)
  }
  try {
    makeFolder(join(dataDir, 'keys'))
    const text = make()
    writeFileSync(`${path}.new`, text, { mode: 0o600, flush: true })
    renameSync(`${path}.new`, path)
    return text
  } catch (error) {
    throw new Fatal(`${path} cannot be made: ${reasonOf(error)}. Check the data folder.`, error)
  }
}

/** `keys/hazards.key`: 32 bytes, base64. */
export const hazardMaster = (dataDir: string): Buffer => {
  const master = Buffer.from(
    keyFile(dataDir, 'hazards.key', () => randomBytes(32).toString('base64')),
    'base64',
  )
  if (master.length !== 32)
    throw new Fatal(
      `${join(dataDir, 'keys', 'hazards.key')} is not a key: restore it from a backup, or remove it; signing keys by HMAC have to be made again then.`,
    )
  return master
}

export interface HeadKey {
  privateKey: KeyObject
  publicKey: KeyObject
}

/** `keys/audit-head.pem`: an Ed25519 key; its public half lies beside it as `audit-head.pub.pem`, to be kept elsewhere too. */
export const headKey = (dataDir: string): HeadKey => {
  const pem = keyFile(dataDir, 'audit-head.pem', () =>
    String(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' })),
  )
  try {
    const privateKey = createPrivateKey(pem)
    const publicKey = createPublicKey(privateKey)
    keyFile(dataDir, 'audit-head.pub.pem', () => String(publicKey.export({ type: 'spki', format: 'pem' })))
    return { privateKey, publicKey }
  } catch (error) {
    if (error instanceof Fatal) throw error
    throw new Fatal(
      `${join(dataDir, 'keys', 'audit-head.pem')} is not a key: restore it from a backup, or remove it and the file of signed heads.`,
      error,
    )
  }
}

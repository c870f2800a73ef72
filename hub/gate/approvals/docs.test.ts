// docs/safety.md holds what it says: its policy is one, and its way to sign makes signatures that count.
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { readPolicy } from '../policy/read.ts'
import { fixedPolicy } from '../policy/file.ts'
import { ada, openShop, policy } from './shop.rig.ts'
import type { Signature } from './signatures.ts'

const page = readFileSync(join(import.meta.dirname, '../../../docs/safety.md'), 'utf8')
const block = (language: string): string => {
  const found = new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``).exec(page)?.[1]
  if (found === undefined) throw new Error(`docs/safety.md has no ${language}`)
  return found
}

test('the policy of the page is one', () => {
  const read = readPolicy(block('yaml'))
  expect(read).toMatchObject({ ok: true })
  if (!read.ok) return
  const takes = read.policy.takes({ id: 'welder', kind: 'welder', area: 'Welding bay' }, 'welder.power_on')
  expect(takes).toMatchObject({ hazard: 'high', people: 2, signature: true, presence: 'requester_present' })
})

test('what the page signs is let through to the people, with both kinds of keys', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-docs-'))
  const shop = await openShop({
    policy: fixedPolicy(policy({ rules: [{ intent: 'lock.unlock', hazard: 'high', signature: true }] })),
  })
  const gate = await shop.open()
  try {
    writeFileSync(join(dir, 'sign.mjs'), block('js'))
    const { signed } = (await import(pathToFileURL(join(dir, 'sign.mjs')).href)) as {
      signed: (wish: object, key: object, now: number) => { signature: Signature }
    }
    const wish = { intent: 'lock.unlock', device: 'door', zone: 'Yard', user: 'person:ada', payload: {} }
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    const { id } = await gate.safety.addKey(ada, {
      algorithm: 'ed25519',
      publicKey: String(publicKey.export({ type: 'spki', format: 'pem' })),
    })
    const hmac = await gate.safety.addKey(ada, { algorithm: 'hmac-sha256' })
    for (const key of [
      { id, privateKey },
      { id: hmac.id, secret: hmac.secret },
    ]) {
      const { signature } = signed(wish, key, shop.time.clock.now())
      expect(await gate.ask(ada, 'door', { intent: 'lock.unlock' }, signature)).toMatchObject({
        status: 'awaiting_confirmation',
      })
      await gate.ask(ada, 'door', { intent: 'lock.lock' })
    }
  } finally {
    await gate.close()
    rmSync(dir, { recursive: true, force: true })
  }
})

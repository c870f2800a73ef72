// The claim: once, with the code, for half an hour, with few tries.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { Forbidden, Invalid } from '../errors.ts'
import { openStore } from '../store/open.ts'
import { OPEN_TO_NETWORK, openSettings } from '../store/settings.ts'
import type { Store } from '../store/store.ts'
import { silent } from '../testing/stores.ts'
import { PASSWORD, rig } from './access.rig.ts'
import { openClaim } from './claim.ts'

let dir = ''
let store: Store
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'millrace-claim-'))
  store = await openStore({ file: join(dir, 'hub.db'), log: silent })
})
afterEach(async () => {
  await store.close()
  rmSync(dir, { recursive: true, force: true })
})

const start = async () => {
  const { access, clock } = await rig(store)
  const settings = openSettings(store)
  const claim = openClaim({ access, settings, clock, log: silent })
  const wish = { username: 'ada', password: PASSWORD, openToNetwork: true, address: '192.0.2.1' }
  return { access, clock, settings, claim, code: claim.code ?? '', wish }
}

test('whoever has the code becomes admin, once, and says whether the network is let in', async () => {
  const { access, claim, code, wish, settings } = await start()
  expect(code).toMatch(/^([0-9A-HJKMNP-TV-Z]{4}-){4}[0-9A-HJKMNP-TV-Z]{4}$/)
  const told: boolean[] = []
  claim.onClaimed(({ openToNetwork }) => told.push(openToNetwork))
  expect([claim.open, access.claimed]).toEqual([true, false])
  const both = await Promise.allSettled([
    claim.claim({ ...wish, code }),
    claim.claim({ ...wish, code, username: 'eve' }),
  ])
  expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
  expect([claim.open, access.claimed]).toEqual([false, true])
  expect(await access.people()).toMatchObject([{ username: 'ada', roles: ['admin'] }])
  expect(await settings.get(OPEN_TO_NETWORK, z.boolean())).toBe(true)
  expect(told).toEqual([true])
  await expect(claim.claim({ ...wish, code, username: 'eve' })).rejects.toMatchObject({ code: 'CONFLICT' })
  const next = await start()
  expect([next.claim.code, next.claim.open]).toEqual([undefined, false])
})

test('a code typed by hand is understood', async () => {
  const { claim, code, wish } = await start()
  const typed = code.toLowerCase().replaceAll('-', ' ').replaceAll('0', 'o').replaceAll('1', 'l')
  await claim.claim({ ...wish, code: ` ${typed}` })
})

test('a wrong code, name or password does not claim; the right ones still do', async () => {
  const { access, claim, code, wish } = await start()
  for (const wrong of ['', 'x', code.slice(0, -1), `${code}0`, code.slice(5)]) {
    await expect(claim.claim({ ...wish, code: wrong })).rejects.toThrow(Forbidden)
  }
  await expect(claim.claim({ ...wish, code, password: 'short' })).rejects.toThrow(Invalid)
  await expect(claim.claim({ ...wish, code, username: 'A B' })).rejects.toThrow(Invalid)
  expect(access.claimed).toBe(false)
  await claim.claim({ ...wish, code })
})

test('wrong codes are limited by the minute, and then nothing of that address is heard until the next start', async () => {
  const { access, claim, clock, code, wish } = await start()
  const guess = (address = wish.address) => claim.claim({ ...wish, address, code: 'wrong' })
  for (let i = 0; i < 10; i++) await expect(guess()).rejects.toThrow(Forbidden)
  await expect(guess()).rejects.toMatchObject({ code: 'RATE_LIMITED', details: { retryAfter: 60 } })
  for (let minute = 0; minute < 4; minute++) {
    clock.pass(60)
    for (let i = 0; i < 10; i++) await expect(guess()).rejects.toThrow(Forbidden)
  }
  clock.pass(60)
  await expect(claim.claim({ ...wish, code })).rejects.toMatchObject({ code: 'GONE' })
  expect([claim.open, access.claimed]).toEqual([true, false])
  await claim.claim({ ...wish, code, address: '192.0.2.2' })
  expect(access.claimed).toBe(true)
})

test("whoever has the code is not locked out by others' guesses, nor by a few of their own", async () => {
  const { claim, code, wish } = await start()
  for (const address of ['192.0.2.7', wish.address]) {
    for (let i = 0; i < 11; i++)
      await expect(claim.claim({ ...wish, address, code: 'wrong' })).rejects.toMatchObject({
        code: i < 10 ? 'POLICY_ERROR' : 'RATE_LIMITED',
      })
  }
  await claim.claim({ ...wish, code })
})

test('a claim that fails leaves the hub closed to the network; a choice that cannot be kept does not undo the claim', async () => {
  const { access, claim, code, wish, settings, clock } = await start()
  await expect(claim.claim({ ...wish, code, password: 'short' })).rejects.toThrow(Invalid)
  expect(await settings.get(OPEN_TO_NETWORK, z.boolean())).toBeUndefined()
  const broken = { set: () => Promise.reject(new Error('disk full')) }
  const notes: object[] = []
  const audit = (event: string, about: object) => void notes.push({ event, ...about })
  const other = openClaim({ access, settings: broken, clock, log: silent, audit })
  const told: boolean[] = []
  other.onClaimed(({ openToNetwork }) => told.push(openToNetwork))
  expect(await other.claim({ ...wish, code: other.code ?? '' })).toMatchObject({ username: 'ada' })
  expect(told).toEqual([false])
  expect(notes).toEqual([
    {
      event: 'hub.claimed',
      who: 'person:ada',
      subject: 'ada',
      detail: { address: '192.0.2.1', openToNetwork: false },
    },
  ])
})

test('the code is good for half an hour', async () => {
  const { claim, clock, code, wish } = await start()
  clock.pass(30 * 60)
  expect(claim.open).toBe(false)
  await expect(claim.claim({ ...wish, code })).rejects.toMatchObject({ code: 'GONE' })
})

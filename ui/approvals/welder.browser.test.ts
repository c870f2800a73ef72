// The welder in a whole hub: one person asks, two others say yes, each in a browser of their own; it is powered once.
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { browserApp, eventually, login, PHONE, present, titleOf } from '../testing/browser.ts'
import { ADMIN, realHub, type RealHub } from '../testing/real-hub.ts'

const app = browserApp()
const PHRASE = 'Confirm: proceed'
const PEOPLE = { bob: 'engineer', grace: 'safety', otto: 'operator' } as const
/** What an open page takes at most to show what happened elsewhere, in ms. */
const AT_ONCE = 1000
let hub: RealHub

interface Row {
  event: string
  who: string
  detail: Record<string, unknown>
}

beforeAll(async () => {
  if (!present) return
  hub = await realHub()
  for (const [username, role] of Object.entries(PEOPLE))
    await hub.api('/api/people', { json: { username, password: ADMIN.password, roles: [role] } })
}, 60_000)
afterAll(async () => {
  if (present) await hub.close()
}, 30_000)

/** A browser of their own, signed in. */
const browserOf = async (username: string, path: string): Promise<Page> => {
  const page = await app.visit(`${hub.origin}${path}`, { built: true, viewport: PHONE })
  await login(page, { username, password: ADMIN.password })
  await page.locator('.shell').waitFor()
  await page.getByText('Live', { exact: true }).waitFor()
  return page
}
const said = (page: Page, text: string | RegExp) => page.locator('.approval').getByText(text).first()
const holdButton = (page: Page) => page.getByRole('button', { name: /^Hold to approve/ })
const hold = async (page: Page): Promise<void> => {
  await holdButton(page).hover()
  await page.mouse.down()
}
const ask = (intent: string) =>
  hub.api<{ approval?: string; commandId?: string; error?: { message: string } }>('/api/device/welder/command', {
    json: { intent, reason: 'The frame of the cargo bike' },
  })
/** Asks until it is asked of people: the badge and the device's word of its power take a moment. */
const asked = async (): Promise<{ approval: string; command: string }> => {
  let last = await ask('welder.power_on')
  await expect
    .poll(async () => (last.status === 202 ? 202 : (last = await ask('welder.power_on')).status), eventually)
    .toBe(202)
  return { approval: last.body.approval ?? '', command: last.body.commandId ?? '' }
}
const audit = async (query: string): Promise<Row[]> =>
  (await hub.api<{ items: Row[] }>(`/api/audit?limit=500&${query}`)).body.items

describe.skipIf(!present)(titleOf('two people and a welder'), { timeout: 60_000 }, () => {
  test('without presence it is refused, with presence it asks two others, and runs once', async () => {
    await expect
      .poll(async () => {
        const { body } = await hub.api<{ items: { id: string; online: boolean }[] }>('/api/devices')
        return ['welder', 'badge_reader'].every((id) => body.items.some((one) => one.id === id && one.online))
      }, eventually)
      .toBe(true)
    const refused = await ask('welder.power_on')
    expect(refused.status).toBe(403)
    expect(refused.body.error?.message).toContain('no badge was read')

    await hub.api('/api/device/badge_reader/command', { json: { intent: 'badge.show', payload: { person: 'ada' } } })
    const { approval, command } = await asked()
    const link = `/approvals?id=${encodeURIComponent(approval)}`

    const ada = await browserOf('ada', link)
    await said(ada, /You asked for this yourself, so you cannot say yes to it/).waitFor()
    await said(ada, /^ada came into Workshop/).waitFor()
    await ada.locator('.request').getByText('Waits for approval').waitFor()
    expect(await holdButton(ada).count()).toBe(0)
    const otto = await browserOf('otto', link)
    await said(otto, /Your role may look, but not approve/).waitFor()
    expect(await holdButton(otto).count()).toBe(0)

    const bob = await browserOf('bob', '/approvals')
    await bob.getByLabel(/To say yes first, type/).fill('do not Confirm: proceed')
    expect(await holdButton(bob).isDisabled()).toBe(true)
    await bob.getByLabel(/To say yes first, type/).fill(PHRASE)
    await hold(bob)
    await said(bob, 'You said yes; one more person.').waitFor()
    await bob.mouse.up()
    expect(await holdButton(bob).count()).toBe(0)
    await said(ada, 'Bob said yes; one more person.').waitFor({ timeout: AT_ONCE })
    // Bob once more, past the page.
    const token = await hub.login('bob', ADMIN.password)
    const { body: seen } = await hub.api<{ digest: string }>(`/api/approvals/${approval}`, { token })
    const again = { id: approval, decision: 'approve', digest: seen.digest }
    expect((await hub.api('/api/safety/hazards/approve', { json: again, token })).status).toBe(403)

    // By the bell, as somebody who was told.
    const grace = await browserOf('grace', '/')
    await grace.getByRole('link', { name: 'Notifications, 1 new' }).click()
    await grace.locator('.notice').getByText('Approval needed: welder.power_on of welder').click()
    await said(grace, 'Bob said yes; one more person.').waitFor()
    expect(await grace.getByLabel(/To say yes first/).count()).toBe(0)
    await hold(grace)
    const shown = [ada, bob, grace, otto].map((page) =>
      page.locator(`[data-approval="${approval}"]`).getByText('Approved', { exact: true }).first().waitFor(),
    )
    await Promise.race(shown)
    const first = performance.now()
    await Promise.all(shown)
    expect(performance.now() - first).toBeLessThan(AT_ONCE)
    await grace.mouse.up()
    await ada.locator('.request').getByText('Done').waitFor()
    await said(ada, 'Bob and grace said yes.').waitFor()

    const rows = await audit(`subject=${command}`)
    expect(rows.filter(({ event }) => event === 'cmd')).toHaveLength(1)
    const { body: welder } = await hub.api<{ state: Record<string, unknown> }>('/api/devices/welder')
    expect(welder.state['power']).toBe(true)
    expect((await hub.api('/api/audit/verify')).body).toMatchObject({ ok: true })
  })

  test('what was denied in one browser is denied in the other, also when it is opened later', async () => {
    await hub.api('/api/device/welder/command', { json: { intent: 'welder.power_off' } })
    const { approval, command } = await asked()
    const link = `/approvals?id=${approval}`
    const bob = await browserOf('bob', link)
    const ada = await browserOf('ada', link)
    await bob.getByRole('button', { name: /^Deny/ }).click()
    await said(ada, 'Denied').waitFor({ timeout: AT_ONCE * 2 })
    const later = await browserOf('grace', link)
    await said(later, 'Denied').waitFor()
    await said(later, /, by bob$/).waitFor()
    await said(later, 'Nobody said yes.').waitFor()
    expect(await holdButton(later).count()).toBe(0)
    const rows = await audit(`subject=${command}`)
    expect(rows.filter(({ event }) => event === 'cmd')).toEqual([])
  })
})

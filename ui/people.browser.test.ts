// What waits for people and what they say, in a real browser against the fake hub: approvals, devices, talk and the audit.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import {
  browserApp,
  eventually,
  lowestTarget,
  PHONE,
  present,
  SIZES,
  titleOf,
  violations,
  type Hub,
} from './testing/browser.ts'

const app = browserApp()

const approval = (page: Page, id: string) => page.locator(`.approval[data-approval="${id}"]`)
const ended = (page: Page, id: string) => page.locator(`.line[data-approval="${id}"]`)
const says = (page: Page, text: RegExp) => page.locator('[data-live-announcer]').getByText(text).waitFor()
const hold = async (page: Page, hub: Hub): Promise<void> => {
  const before = hub.approvals.said.length
  await page.getByRole('button', { name: /^Hold to approve/ }).focus()
  await page.keyboard.down('Space')
  await expect.poll(() => hub.approvals.said.length, eventually).toBe(before + 1)
  await page.keyboard.up('Space')
}
const keeper = async (): Promise<Hub> => {
  const hub = await app.start()
  hub.state.rights.push('hazards.approve', 'audit.read', 'devices.manage')
  return hub
}

const title = titleOf('the pages for people')

describe.skipIf(!present)(title, { timeout: 60_000 }, () => {
  test('a yes is held, takes the phrase, sends back what was seen, and a second person makes it happen', async () => {
    const hub = await keeper()
    const asked = hub.approvals.open({ device: 'door', intent: 'door.unlock', phrase: 'Open the gate' })
    const page = await app.open(hub, '/approvals', { viewport: PHONE })
    const card = approval(page, asked.id)
    await card.getByText('Two people have to say yes.').waitFor()
    await card.getByText(/^[12]:\d\d$/).waitFor()
    await card.getByText('What the hub knew when it asked').click()
    await card.getByText(/^linus came into Welding bay.* Whoever asked has to be there\.$/).waitFor()
    const button = page.getByRole('button', { name: /^Hold to approve/ })
    expect(await button.isDisabled()).toBe(true)
    await card.getByLabel(/To say yes first, type/).fill('open THE gate')
    await button.click()
    await page.getByText('Keep holding').first().waitFor()
    expect(hub.approvals.said).toEqual([])
    await hold(page, hub)
    expect(hub.approvals.said[0]).toEqual({
      id: asked.id,
      decision: 'approve',
      digest: asked.digest,
      phrase: 'open THE gate',
    })
    await card.getByText('You said yes; one more person.').waitFor()
    expect(await button.count()).toBe(0)
    expect(hub.commands).toHaveLength(0)
    hub.approvals.yes(asked, 'person:grace')
    await ended(page, asked.id).getByText('Approved').waitFor()
    expect(hub.commands).toHaveLength(1)
    await ended(page, asked.id).getByRole('link').click()
    await page.locator('.request').getByText('Done').waitFor()
    expect(new URL(page.url()).pathname).toBe(`/approvals/${asked.id}`)
  })

  test('whoever asked sees beforehand that others have to say yes, and may take it back; others deny', async () => {
    const hub = await keeper()
    const own = hub.approvals.open({ requestedBy: 'person:ada' })
    const page = await app.open(hub, `/approvals/${own.id}`)
    await page
      .getByText(/You asked for this yourself, so you cannot say yes to it: somebody with the role engineer/)
      .waitFor()
    expect(await page.getByRole('button', { name: /^(Hold to approve|Deny|Cancel)/ }).count()).toBe(0)
    await page.getByRole('button', { name: /^Take back/ }).click()
    await expect.poll(() => own.status, eventually).toBe('cancelled')
    await approval(page, own.id).getByText('Cancelled', { exact: true }).waitFor()
    const other = hub.approvals.open()
    await page.getByRole('link', { name: 'All approvals' }).click()
    await page.getByRole('button', { name: /^Deny/ }).click()
    await ended(page, other.id).getByText('Denied').waitFor()
    const changed = hub.approvals.open()
    await approval(page, changed.id).waitFor()
    changed.digest = 'another'
    await hold(page, hub)
    await page.getByRole('alert').getByText('not what the approval is about any more').waitFor()
  })

  test('a new one is told on every page, stands on Now, and silence ends it at once', async () => {
    const hub = await keeper()
    const page = await app.open(hub)
    await page.getByText('Live', { exact: true }).waitFor()
    await expect.poll(() => hub.line.subscriptions.has('jarvis/approvals/+'), eventually).toBe(true)
    await page.locator('.card').first().waitFor()
    const asked = hub.approvals.open({ expiresAt: new Date(Date.now() + 5000).toISOString() })
    await says(page, /Approval asked. Start: welder. Two people have to say yes./)
    await page.getByRole('link', { name: 'Approvals 1 open' }).waitFor()
    await page.getByRole('link', { name: /Waits for a yes: Start: welder/ }).click()
    await page.getByRole('button', { name: /^Hold to approve/ }).waitFor()
    await approval(page, asked.id).getByText('Expired').waitFor()
    expect(asked.status).toBe('pending')
    expect(await page.getByRole('button', { name: /Hold to approve|Deny/ }).count()).toBe(0)
    await page.getByRole('link', { name: 'Approvals', exact: true }).waitFor()
    await page.goto(`${hub.origin}/approvals?id=${asked.id}`)
    await approval(page, asked.id).getByText('Expired').waitFor()
    await approval(page, asked.id).getByText('silence is a no').waitFor()
    expect(new URL(page.url()).pathname).toBe(`/approvals/${asked.id}`)
    await page.goto(`${hub.origin}/approvals?id=none`)
    await page.getByText('The hub knows no such approval').waitFor()
  })

  test('who may not answer sees who may; a stopped shop asks for its release', async () => {
    const hub = await app.start()
    const asked = hub.approvals.open()
    const page = await app.open(hub, `/approvals/${asked.id}`)
    await page.getByText('Your role may look, but not approve.').waitFor()
    expect(await page.getByRole('button', { name: /Hold to approve|Deny|Cancel/ }).count()).toBe(0)
    hub.state.rights.push('hazards.approve')
    const safety = hub.approvals.open({ evidence: { approve: ['safety'] } })
    hub.approvals.latch.held = { stop: 's', by: 'person:grace', reason: 'Smoke', at: new Date().toISOString() }
    await page.goto(`${hub.origin}/approvals`)
    await approval(page, safety.id).getByText('Only these roles may answer: safety.').waitFor()
    await page.getByText('The shop is stopped').waitFor()
    hub.approvals.place.outside = '203.0.113.7 is in none of the networks of the policy'
    await page.goto(`${hub.origin}/approvals/${asked.id}`)
    await page.getByText('A yes from where you are does not count: 203.0.113.7 is in none').waitFor()
    expect(await page.getByRole('button', { name: /Hold to approve/ }).count()).toBe(0)
    expect(await page.getByRole('button', { name: /^Deny/ }).count()).toBe(1)
    hub.approvals.place.outside = ''
    await page.goto(`${hub.origin}/approvals`)
    await page.getByRole('button', { name: 'Ask for the release' }).click()
    await page.getByRole('heading', { name: 'Release the shop' }).waitFor()
  })

  test('devices are found by area, kind and trouble, show how old they are, their past, and can be forgotten', async () => {
    const hub = await keeper()
    for (let n = 0; n < 30; n += 1)
      hub.journal.push({
        seq: hub.journal.length + 1,
        at: new Date(Date.now() - (31 - n) * 60_000).toISOString(),
        topic: 'jarvis/devices/iron/state',
        payload: { temperature: 300 + n, setpoint: 350, on: true },
        origin: 'device:iron',
        cause: 0,
        correlation: '',
      })
    const page = await app.open(hub, '/devices')
    const row = (id: string) => page.locator(`.line[data-device="${id}"]`)
    await row('iron').getByText('342').waitFor()
    await row('prusa').getByText('Offline · 47 min').waitFor()
    await page.getByRole('button', { name: /^In trouble/ }).click()
    await row('iron').waitFor({ state: 'detached' })
    await row('prusa').waitFor()
    await page.getByRole('button', { name: /^In trouble/ }).click()
    await page.getByLabel('Area').selectOption({ label: 'Electronics (3)' })
    await row('dust').waitFor({ state: 'detached' })
    await page.getByLabel('Find a device').fill('solder')
    await expect.poll(() => page.locator('.line[data-device]').count(), eventually).toBe(1)
    await row('iron').getByRole('link').click()
    await page.getByRole('heading', { name: 'Soldering iron', level: 1 }).waitFor()
    await page.locator('.plot canvas').waitFor()
    await page.getByText(/^Lowest 300 °, highest 342 °, last 342 °; 31 reports\.$/).waitFor()
    await page.getByLabel('Value').selectOption('on')
    await page.getByText(/^On 100 % of the time, now on; 31 reports\.$/).waitFor()
    await page.getByRole('button', { name: 'Turn off' }).click()
    await page.locator('.request').getByText('Done').waitFor()
    await page.getByRole('button', { name: 'Forget Soldering iron…' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()
    await page.getByRole('button', { name: 'Forget Soldering iron…' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Forget it' }).click()
    await page.getByRole('heading', { name: 'Devices' }).waitFor()
    await row('dust').waitFor()
    await row('iron').waitFor({ state: 'detached' })
    await page.goto(`${hub.origin}/devices/iron`)
    await page.getByText('The hub has no device iron').waitFor()
  })

  test('a sentence is answered with what it did and how it was understood, on both screens of a person', async () => {
    const hub = await keeper()
    const page = await app.open(hub, '/talk')
    const other = await app.open(hub, '/talk', { viewport: PHONE })
    await other.getByText('Say what should happen').waitFor()
    await page.getByRole('button', { name: 'Turn on the bench light' }).click()
    await page.locator('.turns').getByText('Turned on the bench light.').waitFor()
    await page.locator('.talk-command').getByText('Done').waitFor()
    await page.getByText('How this was understood').click()
    await page.getByText('stands in another area').waitFor()
    await page.getByText('“it” = Bench light').waitFor()
    await other.locator('.turns').getByText('Turned on the bench light.').waitFor()
    await other.getByText('“it” = Bench light').waitFor()
    await other.getByLabel('Say something').fill('turn them off')
    await other.keyboard.press('Enter')
    await other.locator('.turns').getByText('Turned off the bench light.').waitFor()
    await page.locator('.turns').getByText('Turned off the bench light.').waitFor()
    expect(hub.talk.said.map(({ conversationId, input }) => [conversationId, input.text])).toEqual([
      ['ada', 'Turn on the bench light'],
      ['ada', 'turn them off'],
    ])
    const say = async (text: string): Promise<void> => {
      await page.getByLabel('Say something').fill(text)
      await page.getByRole('button', { name: 'Send' }).click()
    }
    await say('weld something')
    await page.locator('.turns').getByText('two people have to say yes.').waitFor()
    await page.locator('.pending').getByText('Start: welder').waitFor()
    // A request that was made while another page was open.
    const asked = { id: 'c9', intent: 'saw.enable', payload: {}, requestedBy: 'person:grace' }
    hub.say('devices/saw/request', asked, { origin: 'person:grace' })
    await page.getByRole('link', { name: 'Now', exact: true }).click()
    await page.locator('[data-request="c9"]').getByText('Asked').waitFor()
    await page.getByRole('link', { name: 'Talk', exact: true }).click()
    await say('gibberish')
    await page.locator('.turns').getByText('I did not understand that.').waitFor()
    await page.getByRole('button', { name: 'turn on the bench light', exact: true }).waitFor()
    await say('please fail')
    await page.locator('.turns').getByText('The assistant does not run').waitFor()
    await page.locator('.pending').first().click()
    await page.getByRole('button', { name: /^Take back/ }).waitFor()
    await page.getByRole('link', { name: 'Talk', exact: true }).click()
    await page.locator('.turns').getByText('The assistant does not run').waitFor()
    await page.getByRole('button', { name: 'New' }).click()
    await page.getByText('Say what should happen').waitFor()
    expect(new URL(page.url()).pathname).toMatch(/^\/talk\/ada-[a-z0-9]{4}$/)
  })

  test('only one’s own conversations and shared ones are listed, and one that ended goes', async () => {
    const hub = await keeper()
    hub.talk.foreign.set('bob', 'person:bob')
    hub.talk.remember('bob', { owner: 'person:bob', device: 'saw', lastIntent: 'saw.enable' })
    hub.talk.remember('hall', { owner: 'key:wall', shared: true, device: 'iron', lastIntent: 'light.turn_on' })
    hub.talk.remember('ada-x7f2', { device: 'bench_light', lastIntent: 'light.turn_on', pending: 'c1' })
    const page = await app.open(hub, '/talk')
    const listed = page.locator('[data-conversation]')
    await page.locator('[data-conversation="ada-x7f2"]').getByText('Waits for a yes').waitFor()
    await expect.poll(() => listed.count(), eventually).toBe(3)
    expect(await page.locator('[data-conversation="bob"]').count()).toBe(0)
    hub.talk.end('hall')
    await page.locator('[data-conversation="hall"]').waitFor({ state: 'detached' })
    await page.goto(`${hub.origin}/talk/bob`)
    await page.getByText("The conversation 'bob' belongs to somebody else.").waitFor()
    expect(await page.getByLabel('Say something').count()).toBe(0)
  })

  test('the audit is read by page and filter, its chain checked, its rows taken along', async () => {
    const hub = await keeper()
    const page = await app.open(hub, '/audit')
    const rows = page.locator('.audit-row')
    await expect.poll(() => rows.count(), eventually).toBe(50)
    await page.getByRole('button', { name: 'Older rows' }).click()
    await expect.poll(() => rows.count(), eventually).toBe(100)
    await page.getByLabel('Event').selectOption('refused.*')
    await expect.poll(() => rows.count(), eventually).toBe(26)
    await rows.first().getByRole('button').click()
    await rows.first().getByText('no badge was read').waitFor()
    await page.getByLabel('Who').fill('linus')
    await expect
      .poll(() => hub.audit.asked.at(-1), eventually)
      .toMatchObject({ who: 'person:linus', event: 'refused.*' })
    const download = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Export' }).click()
    expect(
      readFileSync(await (await download).path(), 'utf8')
        .trimEnd()
        .split('\n'),
    ).toHaveLength(26)
    await page.getByRole('button', { name: 'Check the chain' }).click()
    await page.getByText('130 rows are as they were written').waitFor()
    hub.audit.bad = { n: 77, why: 'its hash is another' }
    await page.getByRole('button', { name: 'Check the chain' }).click()
    await page.getByText('Row 77 is not as it was written: its hash is another').waitFor()
    await page.getByText(/^Up to row 128, .*; 2 rows have come since\.$/).waitFor()
    await page.getByText('Where it is kept').click()
    await page.getByText('/mnt/stick/millrace-heads.jsonl').waitFor()
    hub.audit.wrong = 'Its signature is not of this hub.'
    await page.getByRole('button', { name: 'Check the chain' }).click()
    await page.getByText('Signed head does not count').waitFor()
    await page.getByText('Its signature is not of this hub.').waitFor()
    hub.state.rights = hub.state.rights.filter((right) => right !== 'audit.read')
    await page.reload()
    await page.getByText('Your role may not read the audit.').waitFor()
    expect(await page.getByRole('link', { name: 'Audit' }).count()).toBe(0)
  })

  test('on a phone four pages stand in the bar and the others behind More', async () => {
    const hub = await keeper()
    const page = await app.open(hub, '/', { viewport: PHONE })
    expect(await page.locator('.nav > .nav-item:visible').allInnerTexts()).toEqual([
      'Now',
      'Devices',
      'Approvals',
      'Talk',
      'More',
    ])
    await page.getByRole('button', { name: 'More', exact: true }).click()
    await page.getByRole('dialog').getByRole('link', { name: 'Audit' }).click()
    await page.getByRole('heading', { name: 'Audit' }).waitFor()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
  })

  const stories = (hub: Hub): { open: string } => {
    const open = hub.approvals.open({ phrase: 'weld now' })
    hub.approvals.yes(hub.approvals.open({ device: 'door', intent: 'door.unlock' }), 'person:ada')
    hub.approvals.end(hub.approvals.open(), 'denied', 'person:grace', 'denied by person:grace')
    return { open: open.id }
  }
  const each = async (page: Page, hub: Hub, id: string, check: (where: string) => Promise<void>): Promise<void> => {
    const at = async (path: string, selector: string): Promise<void> => {
      await page.goto(`${hub.origin}${path}`)
      await page.locator(selector).first().waitFor()
      await check(path)
    }
    await at('/approvals', '.line[data-approval]')
    await at(`/approvals/${id}`, '.approval')
    await at('/devices', '.line[data-device]')
    await at('/devices/iron', '.plot canvas')
    await at('/talk', '.talk-empty')
    await page.getByRole('button', { name: 'Turn on the bench light' }).click()
    await page.locator('.talk-command').getByText('Done').waitFor()
    await page.getByLabel('Say something').fill('weld')
    await page.keyboard.press('Enter')
    await page.locator('.pending').waitFor()
    await page.getByText('How this was understood').first().click()
    await check('a conversation')
    await at('/audit', '.audit-row')
    await page.locator('.audit-row').first().getByRole('button').click()
    await check('an audit row')
  }

  describe.each(SIZES)('%s', (_, viewport) => {
    test.each(['light', 'dark'] as const)('every page passes axe in the %s theme', async (colorScheme) => {
      const hub = await keeper()
      const { open } = stories(hub)
      const page = await app.open(hub, '/', { viewport, colorScheme, reducedMotion: 'reduce', bypassCSP: true })
      await each(page, hub, open, async (where) => {
        expect(await violations(page), where).toEqual([])
        expect(await lowestTarget(page), `the lowest target of ${where}`).toBeGreaterThanOrEqual(48)
      })
    })
  })

  test('nothing runs over the edge at 320 px', async () => {
    const hub = await keeper()
    const { open } = stories(hub)
    const page = await app.open(hub, '/', { viewport: { width: 320, height: 640 } })
    await each(page, hub, open, async (where) => {
      expect(await page.evaluate(() => document.documentElement.scrollWidth), where).toBe(320)
    })
  })

  test('charts are loaded with the first chart, not with the app', () => {
    const html = readFileSync(join(app.dist, 'index.html'), 'utf8')
    const files = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, path = '']) => path)
    const text = files.map((path) => readFileSync(join(app.dist, path), 'utf8')).join('')
    expect(text).not.toContain('u-over')
  })
})

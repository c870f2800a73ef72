// The page of what was found on the network, in a real browser: reasons, decisions with undo, a search, off and nothing.
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
} from '../testing/browser.ts'
import { readFound } from './read.ts'

const app = browserApp()
const AT = '2026-01-02T10:00:00.000Z'
const found = (fields: Record<string, unknown>) => ({
  id: '0123456789ab',
  kind: 'octoprint',
  title: 'OctoPrint',
  name: 'OctoPrint on Prusa',
  addresses: ['192.168.7.20'],
  port: 5000,
  facts: { version: '1.11.0', api: '0.1' },
  saidBy: [{ source: 'mdns', what: '_octoprint._tcp', from: '192.168.7.20', until: AT }],
  confidence: 0.75,
  reasons: [
    { text: 'It says _octoprint._tcp, which only OctoPrint does.', weight: 0.45 },
    { text: 'It spoke from the address it gives.', weight: 0.2 },
    { text: 'What it tells of itself fits: version, model or the like.', weight: 0.1 },
  ],
  firstSeenAt: AT,
  lastSeenAt: AT,
  status: 'new',
  ...fields,
})
type Thing = ReturnType<typeof found>

/** The hub's part of the page, by its contract. */
const network = (things: Thing[] | undefined) => {
  const state = { things, searchingUntil: undefined as string | undefined, asked: [] as string[] }
  const serve = (page: Page) =>
    page.route('**/api/network/**', async (route) => {
      const { pathname } = new URL(route.request().url())
      const [, id, verb] = /^\/api\/network\/found\/(\w+)\/(\w+)$/.exec(pathname) ?? []
      if (route.request().method() === 'POST') state.asked.push(pathname)
      if (state.things === undefined)
        return route.fulfill({
          status: 404,
          json: { error: { code: 'NOT_FOUND', message: 'There is nothing at it.' } },
        })
      if (pathname === '/api/network/search') {
        state.searchingUntil = new Date(Date.now() + 8000).toISOString()
        return route.fulfill({ status: 202, json: { searchingUntil: state.searchingUntil } })
      }
      if (id !== undefined && verb !== undefined) {
        const status = verb === 'accept' ? 'accepted' : 'ignored'
        const decided = { status, decision: { status, by: 'person:ada', at: new Date().toISOString() } }
        const next = {
          text: 'Nothing in this version speaks to it.',
          yaml: 'prusa:\n  baseUrl: http://192.168.7.20:5000',
        }
        state.things = state.things.map((one) =>
          one.id !== id
            ? one
            : verb === 'reset'
              ? found({ id, name: one.name })
              : { ...one, ...decided, ...(verb === 'accept' ? { next } : {}) },
        )
        return route.fulfill({ json: state.things.find((one) => one.id === id) })
      }
      const { searchingUntil } = state
      return route.fulfill({
        json: {
          items: state.things,
          networks: ['192.168.7.2/24'],
          refused: {},
          ...(searchingUntil === undefined ? {} : { searchingUntil }),
        },
      })
    })
  return { state, serve }
}
const THINGS = [
  found({}),
  found({
    id: '1123456789ab',
    kind: 'kasa',
    title: 'TP-Link Kasa',
    name: '<img src=x onerror=alert(1)> plug',
    confidence: 0.35,
    url: 'http://192.168.7.30/',
  }),
  found({ id: '2123456789ab', name: 'Old printer', status: 'gone', confidence: 0.05, reasons: [] }),
]

const open = async (
  things: Thing[] | undefined,
  options = {},
): Promise<{ hub: Hub; page: Page; net: ReturnType<typeof network> }> => {
  const hub = await app.start()
  hub.state.rights.push('devices.manage')
  const page = await app.open(hub, '/', options)
  const net = network(things)
  await net.serve(page)
  await page.evaluate(() => {
    history.pushState({}, '', '/network')
    dispatchEvent(new PopStateEvent('popstate'))
  })
  await page.getByRole('heading', { name: 'Network', level: 1 }).waitFor()
  return { hub, page, net }
}
const row = (page: Page, id: string) => page.locator(`[data-found="${id}"]`)

describe.skipIf(!present)(titleOf('the network page'), { timeout: 60_000 }, () => {
  test('a thing shows why it is believed; accepting says what to do next, and can be undone where it was done', async () => {
    const { page, net } = await open(THINGS, { viewport: PHONE })
    const printer = row(page, '0123456789ab')
    await printer.getByText('75 % sure', { exact: true }).waitFor()
    expect(await row(page, '2123456789ab').count()).toBe(0)
    await printer.getByRole('button', { name: /OctoPrint on Prusa/ }).click()
    await printer.getByText('+45').waitFor()
    await printer.getByText('It spoke from the address it gives.').waitFor()
    await page.getByRole('button', { name: /^New/ }).click()
    await printer.getByRole('button', { name: 'Accept' }).click()
    await printer.getByText('baseUrl: http://192.168.7.20:5000').waitFor()
    await printer.getByText('Accepted by ada').waitFor()
    await printer.getByRole('button', { name: 'Undo' }).click()
    await printer.getByRole('button', { name: 'Ignore' }).click()
    await printer.getByText('Ignored by ada').waitFor()
    expect(net.state.asked).toEqual(
      ['accept', 'reset', 'ignore'].map((verb) => `/api/network/found/0123456789ab/${verb}`),
    )
    await page.getByRole('button', { name: /^Here/ }).click()
    expect(await printer.count()).toBe(0)
    await page.getByRole('button', { name: /^Ignored/ }).click()
    await printer.waitFor()
    await page.getByRole('button', { name: /^Gone/ }).click()
    await row(page, '2123456789ab').waitFor()
  })

  test('a name is text, and a page of a thing opens apart without saying where from', async () => {
    const { page } = await open(THINGS)
    const plug = row(page, '1123456789ab')
    await plug.getByText('<img src=x onerror=alert(1)> plug').waitFor()
    await plug.locator('.line-head').click()
    const link = plug.getByRole('link', { name: /Open its own page/ })
    expect(await link.getAttribute('rel')).toBe('noreferrer noopener')
    expect(await link.getAttribute('target')).toBe('_blank')
    expect(readFound(found({ url: 'javascript:alert(1)' }))?.url).toBe('')
  })

  test('a search is asked for once, shows how far it is, and what it finds', async () => {
    const { page, net } = await open([])
    await page.getByText('Nothing found yet').waitFor()
    await page.getByRole('button', { name: 'Search now' }).click()
    await page.getByRole('progressbar', { name: 'Searching' }).waitFor()
    expect(await page.getByRole('button', { name: 'Searching…' }).isDisabled()).toBe(true)
    net.state.things = [found({})]
    await row(page, '0123456789ab').waitFor()
    net.state.searchingUntil = undefined
    await page.getByRole('button', { name: 'Search now' }).waitFor()
    expect(net.state.asked).toEqual(['/api/network/search'])
  })

  test('a hub that does not search says how to switch it on', async () => {
    const { page } = await open(undefined, { bypassCSP: true })
    await page.getByText('The network is not searched').waitFor()
    await page.getByText('network: {}').waitFor()
    expect(await violations(page)).toEqual([])
  })

  test('who may not manage devices sees everything and no buttons', async () => {
    const { hub, page } = await open(THINGS)
    hub.state.rights.splice(hub.state.rights.indexOf('devices.manage'), 1)
    await page.reload()
    const net = network(THINGS)
    await net.serve(page)
    await row(page, '0123456789ab').locator('.line-head').click()
    await page.getByText('Engineers and administrators accept and ignore.').waitFor()
    expect(await page.getByRole('button', { name: /^(Accept|Ignore|Search now)$/ }).count()).toBe(0)
  })

  test.each(SIZES)(
    'on a %s nothing runs over the edge, everything can be touched, and axe finds nothing',
    async (_name, viewport) => {
      const { page } = await open(
        [
          ...THINGS,
          found({
            id: '3123456789ab',
            name: 'x'.repeat(64),
            reopened: 'It was at 192.168.7.21 when ada accepted it, and says 192.168.7.66 now.',
          }),
        ],
        { viewport, bypassCSP: true },
      )
      for (const id of ['0123456789ab', '3123456789ab']) await row(page, id).locator('.line-head').click()
      await page.getByText('accept it again if it is right').waitFor()
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
      expect(over).toBeLessThanOrEqual(0)
      await expect.poll(() => lowestTarget(page), eventually).toBeGreaterThanOrEqual(44)
      expect(await violations(page)).toEqual([])
    },
  )
})

// The pages of flows in a real browser: graph, table, one flow, its params, and the replay.
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

const app = browserApp()

const box = (page: Page, name: RegExp | string) => page.locator('.graph-box', { hasText: name })
const row = (page: Page, id: string) => page.locator(`[data-flow="${id}"]`)
const DUST = '/flows/dust-starts-extractor'

/** A decision of the flow with its cause in the journal. */
const decide = (hub: Hub): void => {
  const reading = hub.say('devices/dust/telemetry', { dust: 92 }, { origin: 'device:dust' })
  hub.ask('extractor', 'extractor.turn_on', {}, 'flow:dust-starts-extractor', 'c', reading)
}

const title = titleOf('the pages of flows')

describe.skipIf(!present)(title, { timeout: 60_000 }, () => {
  test('the graph shows what runs, between topics, gate and devices, and follows the live list', async () => {
    const hub = await app.start()
    const page = await app.open(hub, '/flows', { viewport: { width: 1920, height: 1080 } })
    await box(page, 'Dust starts extractor').getByText('Running').waitFor()
    await box(page, 'Hot iron left on').getByText('Quarantined').waitFor()
    await box(page, 'Door open too long').getByText('New version rejected').waitFor()
    await box(page, 'Gate').waitFor()
    await box(page, /^Dust extractor.*by Workshop simulator/).waitFor()
    await page.locator('.graph-label').getByText('212 waiting').waitFor()
    await expect
      .poll(
        () => page.getByRole('img', { name: /^Dust sensor: telemetry to Dust starts extractor, 2\.1\/s/ }).count(),
        eventually,
      )
      .toBe(1)
    const dust = hub.flows.find(({ id }) => id === 'dust-starts-extractor')
    if (!dust) throw new Error('no flow')
    dust.status = 'restarting'
    hub.tellFlows()
    await box(page, 'Dust starts extractor').getByText('Restarting').waitFor()
  })

  test('a box gets the focus, comes into view, and Enter opens its flow', async () => {
    const hub = await app.start({ flows: 11 })
    const page = await app.open(hub, '/flows')
    const last = page.locator('a.graph-box.flow').last()
    await last.waitFor()
    const name = await last.locator('strong').innerText()
    for (let n = 0; n < 60; n += 1) {
      await page.keyboard.press('Tab')
      if ((await page.evaluate(() => document.activeElement?.querySelector('strong')?.textContent ?? '')) === name)
        break
    }
    await expect
      .poll(async () => {
        const own = await last.boundingBox()
        const view = await page.locator('.graph').boundingBox()
        return own !== null && view !== null && own.y >= view.y && own.y + own.height <= view.y + view.height
      }, eventually)
      .toBe(true)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name, level: 1 }).waitFor()
    expect(new URL(page.url()).pathname).toMatch(/^\/flows\/.+-rule-/)
  })

  test('fifty flows are folded by area, found by text, and unfolded one area at a time', async () => {
    const hub = await app.start({ flows: 50 })
    const page = await app.open(hub, '/flows')
    await page.locator('.graph-box.group').first().waitFor()
    expect(await page.locator('.graph-box.flow').count()).toBe(0)
    expect(await page.locator('.graph-box').count()).toBeLessThan(30)
    await box(page, /^Print farm.*1 quarantined, 7 running/).click()
    await expect.poll(() => page.locator('.graph-box.flow').count(), eventually).toBe(8)
    expect(await page.getByRole('button', { name: /Print farm/ }).getAttribute('aria-pressed')).toBe('true')
    await page.getByLabel('Find a flow').fill('rule 18')
    await expect.poll(() => page.locator('.graph-box.flow').allInnerTexts(), eventually).toHaveLength(1)
    await page.getByLabel('Find a flow').fill('none such')
    await page.getByText('Nothing found').waitFor()
    await page.getByLabel('Find a flow').fill('')
    await page.getByRole('button', { name: /^In trouble \d/ }).click()
    await expect.poll(() => page.locator('.graph-box.flow').count(), eventually).toBe(2)
  })

  test('the table tells the same; on a phone it comes first, as a list', async () => {
    const hub = await app.start()
    const page = await app.open(hub, '/flows')
    await page.getByRole('button', { name: 'Table' }).click()
    const saw = row(page, 'saw-needs-air')
    await saw.getByText('Slow').waitFor()
    expect(await saw.locator('td.figure').allInnerTexts()).toEqual([
      '42/s\n88,210',
      '4/h\n2',
      '212',
      '131',
      '5.2 s',
      '0',
    ])
    expect(page.url()).toContain('view=table')
    await page.reload()
    await row(page, 'hot-iron-left-on').getByText('(hot-iron-left-on.ts:10)').waitFor()
    const phone = await app.open(hub, '/flows', { viewport: PHONE })
    await phone.locator('.line.flow').first().waitFor()
    expect(await phone.locator('.graph').count()).toBe(0)
    await phone.getByRole('button', { name: 'Graph' }).click()
    await phone.locator('.graph-box').first().waitFor()
  })

  test('a flow tells its sentence, its figures, what it keeps, its last messages with their why, and its source', async () => {
    const hub = await app.start()
    decide(hub)
    const page = await app.open(hub, DUST)
    await page.getByText('Dust above 80 µg/m³ starts the extractor').first().waitFor()
    await page.getByText('device=dust/starts').waitFor()
    await page.locator('.source-line[data-line="5"]').getByText('export default flow').waitFor()
    await page.getByRole('button', { name: /devices\/extractor\/request/ }).click()
    await expect
      .poll(() => page.getByRole('dialog').locator('.cause-topic').allInnerTexts(), eventually)
      .toEqual(['devices/extractor/request', 'devices/dust/telemetry'])
    await page.keyboard.press('Escape')
    await page.getByRole('link', { name: 'devices/dust/telemetry' }).click()
    expect(await page.getByRole('searchbox', { name: 'Topic' }).inputValue()).toBe('devices/dust/telemetry')
  })

  test('a flow in trouble says what, where, and what to do, and can be let run again', async () => {
    const hub = await app.start()
    hub.state.rights.push('devices.manage', 'flows.manage')
    const page = await app.open(hub, '/flows/hot-iron-left-on')
    await page.getByText("Cannot read properties of undefined (reading 'tip') (hot-iron-left-on.ts:10)").waitFor()
    await page.getByText('Mend the file and save it').waitFor()
    expect(await page.locator('.source-line.failing').getAttribute('data-line')).toBe('10')
    await page.getByRole('button', { name: 'Let it run again' }).click()
    await page.locator('.flow-top').getByText('Running').waitFor()
    expect(await page.locator('.source-line.failing').count()).toBe(0)
    await page.goto(`${hub.origin}/flows/door-open-too-long`)
    await page.getByText("Type 'string' is not assignable to type 'number'. (door-open-too-long.ts:9)").waitFor()
    await page.getByText('the version before it goes on').waitFor()
    await page.getByText('warmed from the last ten minutes').waitFor()
    await page.goto(`${hub.origin}/flows/none`)
    await page.getByText('There is no flow none (any more)').waitFor()
  })

  test('params are checked at their field, confirmed where they may move something, and put back', async () => {
    const hub = await app.start()
    hub.state.rights.push('devices.manage', 'flows.manage')
    const values = () => hub.flows.find(({ id }) => id === 'dust-starts-extractor')?.params?.values
    const page = await app.open(hub, DUST)
    const above = page.getByLabel(/^Above/)
    await above.fill('5000')
    await page.getByRole('button', { name: 'Change…' }).click()
    await page.getByText('Must be 0 to 1000.').waitFor()
    await above.fill('10')
    await page.getByRole('button', { name: 'Change…' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText('10 µg/m³').waitFor()
    await dialog.getByRole('button', { name: 'Change', exact: true }).click()
    await page.getByText('must be less than above').waitFor()
    expect(values()).toMatchObject({ above: 80 })
    await above.fill('95')
    await page.getByLabel(/^Quiet/).fill('5 min')
    await page.getByText('Weekend').click()
    await page.getByRole('button', { name: 'Change…' }).click()
    await dialog.getByRole('button', { name: 'Cancel' }).click()
    expect(values()).toMatchObject({ above: 80 })
    await page.getByRole('button', { name: 'Change…' }).click()
    await dialog.getByText('may ask devices for something soon').waitFor()
    await dialog.getByRole('button', { name: 'Change', exact: true }).click()
    await expect
      .poll(values, eventually)
      .toEqual({ above: 95, below: 20, quiet: 300_000, speed: 'high', weekend: false })
    await page.getByRole('button', { name: 'Put back Above 80 µg/m³, Quiet 2 min, Weekend yes' }).click()
    await dialog.getByRole('button', { name: 'Put back' }).click()
    await expect.poll(values, eventually).toMatchObject({ above: 80, quiet: 120_000, weekend: true })
    await expect.poll(() => above.inputValue(), eventually).toBe('80')
  })

  test('who may not change params sees them', async () => {
    const hub = await app.start()
    const page = await app.open(hub, DUST)
    await page.getByText('Your role may look, but not change them.').waitFor()
    expect(await page.getByRole('button', { name: /Change/ }).count()).toBe(0)
  })

  test('a replay that decides the same says so, and asks for the range that was chosen', async () => {
    const hub = await app.start()
    const page = await app.open(hub, DUST)
    await page.getByRole('link', { name: 'Replay this flow' }).click()
    await page.getByRole('button', { name: 'Replay', exact: true }).click()
    await page.getByText('Decides the same as then').waitFor()
    await page.getByText('All 48 decisions on 18,400 messages would be taken again.').waitFor()
    const [wish] = hub.replays.wishes
    expect(Date.parse(wish?.until ?? '') - Date.parse(wish?.since ?? '')).toBe(3_600_000)
    expect(wish?.params).toBeUndefined()
    await page.getByRole('button', { name: 'From – to' }).click()
    await page.getByLabel('From', { exact: true }).fill('2030-01-01T10:00')
    await page.getByRole('button', { name: 'Replay', exact: true }).click()
    await page.getByText('This has not happened yet.').waitFor()
    expect(hub.replays.wishes).toHaveLength(1)
  })

  test('other params are tried without being saved, and the differences are stepped through with their causes', async () => {
    const hub = await app.start()
    decide(hub)
    hub.replays.why = 'its run began before the journal does.'
    const page = await app.open(hub, `${DUST}/replay`)
    await page.getByText('Try other values').click()
    await page.getByLabel(/^Above/).fill('999')
    await page.getByRole('button', { name: 'Replay', exact: true }).click()
    await page.getByText('more than this sensor can tell').waitFor()
    await page.getByLabel(/^Above/).fill('90')
    await page.getByRole('button', { name: 'Replay', exact: true }).click()
    const report = page.locator('.report')
    await report.getByText('30 differences').waitFor()
    expect(hub.replays.wishes.at(-1)?.params).toMatchObject({ above: 90, quiet: 120_000 })
    expect(hub.flows[0]?.params?.values).toMatchObject({ above: 80 })
    await report.getByText('its run began before the journal does.').waitFor()
    await report.getByText('1 of 30').waitFor()
    await page.keyboard.press('j')
    await report.getByText('2 of 30').waitFor()
    await report.getByText('Beyond the first difference').waitFor()
    await report.locator('.differs', { hasText: 'payload.speed' }).getByText('low').waitFor()
    await page.keyboard.press('k')
    await report.getByText('1 of 30').waitFor()
    await report.getByRole('button', { name: 'Next difference' }).click()
    await report.getByText('2 of 30').waitFor()
    await report.getByText('nobody asked then').first().waitFor()
    await report.getByRole('button', { name: 'What it was decided upon' }).click()
    await page.getByRole('dialog').locator('.cause-topic').first().waitFor()
  })

  test('a replay shows how far it is, is cancelled, and is forgotten when the page is left', async () => {
    const hub = await app.start()
    hub.replays.tookMs = 60_000
    const page = await app.open(hub, `${DUST}/replay`)
    await page.getByRole('button', { name: 'Replay', exact: true }).click()
    await expect
      .poll(() => page.getByRole('progressbar').getAttribute('aria-valuenow').then(Number), eventually)
      .toBeGreaterThan(0)
    expect(hub.replays.runs.size).toBe(1)
    await page.getByRole('button', { name: 'Cancel' }).click()
    await expect.poll(() => hub.replays.runs.size, eventually).toBe(0)
    expect(await page.getByRole('progressbar').count()).toBe(0)
    await page.getByRole('button', { name: 'Replay', exact: true }).click()
    await expect.poll(() => hub.replays.runs.size, eventually).toBe(1)
    await page.getByRole('link', { name: 'Messages' }).click()
    await expect.poll(() => hub.replays.runs.size, eventually).toBe(0)
  })

  test('a replay that fails says why', async () => {
    const hub = await app.start()
    hub.replays.fails = 'The journal has nothing from that time.'
    const page = await app.open(hub, `${DUST}/replay`)
    await page.getByRole('button', { name: 'Replay', exact: true }).click()
    await page.getByRole('alert').getByText('The journal has nothing from that time.').waitFor()
    hub.replays.fails = undefined
    await page.getByRole('button', { name: 'Replay', exact: true }).click()
    await page.getByText('Decides the same as then').waitFor()
  })

  describe.each(SIZES)('%s', (_, viewport) => {
    test.each(['light', 'dark'] as const)('every page of flows passes axe in the %s theme', async (colorScheme) => {
      const hub = await app.start()
      const many = await app.start({ flows: 50 })
      hub.state.rights.push('devices.manage', 'flows.manage')
      decide(hub)
      const options = { viewport, colorScheme, reducedMotion: 'reduce', bypassCSP: true } as const
      const page = await app.open(hub, '/flows?view=graph', options)
      const check = async (where: string, on = page): Promise<void> => {
        expect(await violations(on), where).toEqual([])
        expect(await lowestTarget(on), `the lowest target of ${where}`).toBeGreaterThanOrEqual(48)
      }
      await page.locator('.graph-box').first().waitFor()
      await check('graph')
      await page.getByRole('button', { name: 'Table' }).click()
      await row(page, 'saw-needs-air').waitFor()
      await check('table')
      await page.goto(`${hub.origin}/flows/hot-iron-left-on`)
      await page.locator('.source').waitFor()
      await check('flow in trouble')
      await page.goto(`${hub.origin}${DUST}`)
      await page.getByLabel(/^Above/).fill('95')
      await check('flow')
      await page.getByRole('button', { name: 'Change…' }).click()
      await page.getByRole('dialog').waitFor()
      await check('confirm')
      await page.goto(`${hub.origin}${DUST}/replay`)
      await page.getByText('Try other values').click()
      await page.getByLabel(/^Above/).fill('90')
      await page.getByRole('button', { name: 'Replay', exact: true }).click()
      await page.locator('.difference').waitFor()
      await check('replay')
      const folded = await app.open(many, '/flows?view=graph', options)
      await folded.locator('.graph-box').first().waitFor()
      await check('fifty flows', folded)
    })
  })

  test('nothing runs over the edge at 320 px', async () => {
    const hub = await app.start()
    hub.state.rights.push('devices.manage', 'flows.manage')
    decide(hub)
    const page = await app.open(hub, '/flows', { viewport: { width: 320, height: 640 } })
    const width = (): Promise<number> => page.evaluate(() => document.documentElement.scrollWidth)
    await row(page, 'saw-needs-air').waitFor()
    expect(await width(), 'list').toBe(320)
    await page.getByRole('button', { name: 'Graph' }).click()
    await page.locator('.graph-box').first().waitFor()
    expect(await width(), 'graph').toBe(320)
    for (const id of ['dust-starts-extractor', 'hot-iron-left-on', 'door-open-too-long']) {
      await page.goto(`${hub.origin}/flows/${id}`)
      await page.locator('.source').waitFor()
      expect(await width(), id).toBe(320)
    }
    await page.goto(`${hub.origin}${DUST}/replay`)
    await page.getByText('Try other values').click()
    await page.getByLabel(/^Above/).fill('90')
    await page.getByRole('button', { name: 'Replay', exact: true }).click()
    await page.locator('.difference').waitFor()
    expect(await width(), 'replay').toBe(320)
  })

  test('a hub without flows says how to make one', async () => {
    const hub = await app.start({ empty: true })
    const page = await app.open(hub, '/flows')
    await page.getByText('npm run new -- flow my-first').waitFor()
  })
})

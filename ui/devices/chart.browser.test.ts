// Charts of a device in a real browser: ranges, reading off by keys and by finger, live values, gaps, nothing there, both themes.
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { browserApp, eventually, PHONE, present, type Hub } from '../testing/browser.ts'

describe.skipIf(!present)('charts', () => {
  const app = browserApp()

  /** A soldering iron with an hour of values, a quarter of it silent. */
  const iron = async (): Promise<Hub> => {
    const hub = await app.start()
    const minute = Math.floor(Date.now() / 60_000) * 60_000
    for (let n = 59; n > 0; n -= 1) {
      if (n > 20 && n < 35) continue
      for (const half of [0, 30_000])
        hub.journal.push({
          seq: hub.journal.length + 1,
          at: new Date(minute - n * 60_000 + half).toISOString(),
          topic: 'jarvis/devices/iron/state',
          payload: { temperature: 300 + (59 - n) + half / 15_000, setpoint: 350, on: n > 40 || n < 10 },
          origin: 'device:iron',
          cause: 0,
          correlation: '',
        })
    }
    return hub
  }
  const open = async (hub: Hub, options: Parameters<typeof app.open>[2] = {}): Promise<Page> => {
    const page = await app.open(hub, '/devices', options)
    await page.goto(`${hub.origin}/devices/iron`)
    await page.locator('.plot canvas').waitFor()
    return page
  }
  const readout = (page: Page) => page.locator('.plot-readout')

  test('a chart says its extent, is read off with the keys, and follows the live line', async () => {
    const hub = await iron()
    const page = await open(hub)
    await readout(page)
      .getByText(/^Lowest 300 °, highest \d+ °, last \d+ °; 9\d reports\.$/)
      .waitFor()
    const plot = page.getByRole('slider', { name: 'Temperature over time' })
    await plot.focus()
    await page.keyboard.press('Home')
    await readout(page)
      .getByText(/: 301 ° \(300 ° to 302 °\)$/)
      .waitFor()
    await page.keyboard.press('ArrowRight')
    expect(await plot.getAttribute('aria-valuenow')).toBe('1')
    expect(await plot.getAttribute('aria-valuetext')).toMatch(/302 ° \(301 ° to 303 °\)/)
    await page.keyboard.press('End')
    await page.keyboard.press('Escape')
    await readout(page).getByText('Lowest').waitFor()
    hub.say('devices/iron/state', { temperature: 777, on: true }, { origin: 'device:iron', retain: true })
    await readout(page)
      .getByText(/highest 777 °, last 777 °/)
      .waitFor()
  })

  test('ranges are asked for from the hub, and a switch is told in its own words', async () => {
    const hub = await iron()
    const page = await open(hub)
    const asked = page.waitForRequest(/series\?.*from=604800s/)
    await page.getByRole('button', { name: 'Week' }).click()
    await asked
    await page.getByRole('button', { name: 'Hour' }).click()
    await page.getByLabel('Value').selectOption('on')
    await readout(page)
      .getByText(/^On \d+(\.\d+)? % of the time, now o[nf]+; 9\d reports\.$/)
      .waitFor()
    const plot = page.getByRole('slider', { name: 'Power over time' })
    await plot.focus()
    await page.keyboard.press('Home')
    await readout(page)
      .getByText(/\d: On$/)
      .waitFor()
  })

  test('a finger reads off without moving the page sideways, and silence is a gap in the picture', async () => {
    const hub = await iron()
    const page = await open(hub, { viewport: PHONE, hasTouch: true, isMobile: true })
    const plot = page.locator('.plot-box')
    await plot.scrollIntoViewIfNeeded()
    const box = await plot.boundingBox()
    if (!box) throw new Error('no chart')
    await page.touchscreen.tap(box.x + box.width * 0.85, box.y + box.height / 2)
    await readout(page)
      .getByText(/ \(\d+ ° to \d+ °\)$/)
      .waitFor()
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(PHONE.width)
    // The line's own colour is on the left and on the right, and nowhere in the silent quarter.
    const hits = await page.evaluate(() => {
      const canvas = document.querySelector<HTMLCanvasElement>('.plot canvas')
      const context = canvas?.getContext('2d')
      const over = document.querySelector<HTMLElement>('.plot .u-over')
      if (!canvas || !context || !over) return []
      const ratio = canvas.width / canvas.clientWidth
      const left = over.offsetLeft * ratio
      const width = over.clientWidth * ratio
      const probe = document.createElement('canvas').getContext('2d')
      if (!probe) return []
      probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('--accent').trim()
      probe.fillRect(0, 0, 1, 1)
      const [r, g, b] = probe.getImageData(0, 0, 1, 1).data
      return [0.2, 0.53, 0.8].map((share) => {
        const { data } = context.getImageData(left + width * share, 0, 6, canvas.height)
        let n = 0
        for (let i = 0; i < data.length; i += 4) if (data[i] === r && data[i + 1] === g && data[i + 2] === b) n += 1
        return n > 0
      })
    })
    expect(hits).toEqual([true, false, true])
  })

  test('nothing recorded is said, and a hub that cannot answer is shown', async () => {
    const hub = await iron()
    hub.journal.length = 0
    const page = await app.open(hub, '/devices')
    let status = 404
    await page.route('**/api/devices/*/series?*', (route) =>
      route.fulfill({ status, json: { error: { code: 'X', message: 'The roll-ups are away.', details: {} } } }),
    )
    await page.goto(`${hub.origin}/devices/iron`)
    await page.getByText('The hub kept no temperature from this time.').waitFor()
    status = 503
    await page.getByRole('button', { name: 'Day' }).click()
    await page.getByText('The past cannot be read: The roll-ups are away.').waitFor()
  })

  test('the picture follows the theme', async () => {
    const hub = await iron()
    const page = await open(hub)
    const picture = (): Promise<string> =>
      page.evaluate(() => document.querySelector<HTMLCanvasElement>('.plot canvas')?.toDataURL() ?? '')
    const light = await picture()
    await page.emulateMedia({ colorScheme: 'dark' })
    await expect.poll(picture, eventually).not.toBe(light)
  })
})

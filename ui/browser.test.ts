// The web app in a real browser against the fake hub: what a person does and sees, on phone, tablet and wall.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import {
  browserApp,
  eventually,
  login,
  lowestTarget,
  PHONE,
  present,
  SCREEN,
  SIZES,
  titleOf,
  violations,
} from './testing/browser.ts'
import { CLAIM_CODE } from './testing/fake-hub.ts'

const app = browserApp()
const { start, visit, open } = app

const card = (page: Page, id: string) => page.locator(`[data-device="${id}"]`)

const title = titleOf('the web app')

describe.skipIf(!present)(title, { timeout: 60_000 }, () => {
  test('whoever signs in returns to where they were going', async () => {
    const hub = await start()
    const page = await visit(`${hub.origin}/flows`)
    await login(page, { password: 'wrong' })
    await page.getByRole('alert').getByText('User name or password is wrong.').waitFor()
    await login(page)
    await page.getByRole('heading', { name: 'Flows' }).waitFor()
    expect(new URL(page.url()).pathname).toBe('/flows')
    await page.getByRole('button', { name: 'Account' }).click()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByLabel('Password').waitFor()
    expect(await page.evaluate(() => sessionStorage.length + localStorage.length)).toBe(0)
  })

  test('the token stays in the tab, unless asked to stay on the device', async () => {
    const hub = await start()
    const page = await open(hub)
    expect(await page.evaluate(() => [sessionStorage.length, localStorage.length])).toEqual([1, 0])
    const other = await visit(`${hub.origin}/`)
    await login(other, { stay: true })
    await other.locator('.shell').waitFor()
    expect(await other.evaluate(() => [sessionStorage.length, localStorage.length])).toEqual([0, 1])
  })

  test('a session that ends asks again and comes back to the same page', async () => {
    const hub = await start()
    const page = await open(hub, '/messages')
    hub.expire()
    hub.line.cut()
    await page.getByText('Your session has ended.').waitFor()
    await login(page)
    await page.getByRole('heading', { name: 'Messages' }).waitFor()
    const brief = await start({ expiresIn: 2 })
    const second = await open(brief)
    await second.getByText('Your session has ended.').waitFor()
  })

  test('a new hub is claimed with its code, and the claimer is signed in', async () => {
    const hub = await start({ claimed: false })
    const page = await visit(`${hub.origin}/claim?code=${CLAIM_CODE}`)
    expect(await page.getByLabel('Code').inputValue()).toBe(CLAIM_CODE)
    await page.getByRole('button', { name: 'Claim' }).click()
    await page.getByText('Choose a name.').waitFor()
    await page.getByLabel('Code').fill('wrong')
    await page.getByLabel('User name').fill('grace')
    await page.getByLabel('Password', { exact: true }).fill('a long enough one')
    await page.getByLabel('Password again').fill('a long enough one')
    await page.getByText('Open the hub to this network').click()
    await page.getByRole('button', { name: 'Claim' }).click()
    await page.getByText('This is not the code the hub printed.').waitFor()
    await page.getByLabel('Code').fill(CLAIM_CODE)
    await page.getByRole('button', { name: 'Claim' }).click()
    await page.locator('.shell').waitFor()
    expect(hub.state).toMatchObject({ claimed: true, openToNetwork: true, person: { username: 'grace' } })
    expect(page.url()).not.toContain(CLAIM_CODE)
  })

  test('a hub whose time to be claimed is over says what to do', async () => {
    const hub = await start({ claimed: false })
    hub.state.claimOpen = false
    const page = await visit(hub.origin)
    await page.getByText('Start it again: it prints a new code').waitFor()
  })

  test('devices show what they publish, live', async () => {
    const hub = await start()
    const page = await open(hub)
    await card(page, 'dust').getByText('38.2').waitFor()
    await expect.poll(() => hub.line.clients[0]?.clientId ?? '', eventually).toMatch(/^ui\.ada-[a-z0-9]+$/)
    await expect.poll(() => hub.line.subscriptions.has('jarvis/devices/+/state'), eventually).toBe(true)
    hub.say('devices/dust/state', { pm25: 154.6 }, { origin: 'device:dust', retain: true })
    await card(page, 'dust').getByText('154.6').or(card(page, 'dust').getByText('155')).waitFor()
    await card(page, 'dust').getByText('Live · now').waitFor()
    await card(page, 'prusa').getByText('Offline · 47 min').waitFor()
  })

  test('only what is shown is subscribed to', async () => {
    const hub = await start()
    const page = await open(hub, '/flows')
    await expect.poll(() => hub.line.subscriptions.has('jarvis/hub/flows'), eventually).toBe(true)
    expect([...hub.line.subscriptions]).not.toContain('jarvis/devices/+/telemetry')
    await page.getByRole('link', { name: 'Now', exact: true }).click()
    await expect.poll(() => hub.line.subscriptions.has('jarvis/devices/+/telemetry'), eventually).toBe(true)
    await page.getByRole('link', { name: 'Flows', exact: true }).click()
    await expect.poll(() => hub.line.subscriptions.has('jarvis/devices/+/telemetry'), eventually).toBe(false)
  })

  test('a command is asked for, and its fate is shown', async () => {
    const hub = await start()
    const page = await open(hub)
    await card(page, 'extractor').getByRole('button', { name: 'Turn on' }).click()
    await card(page, 'extractor')
      .getByText(/Turn on: done in/)
      .waitFor()
    await card(page, 'extractor').getByText('2840').waitFor()
    const request = page.locator('.request').first()
    await request.getByRole('button').click()
    expect(await request.locator('.way li').allInnerTexts()).toHaveLength(4)
    await request.getByText('Accepted').waitFor()
  })

  test('what could start something must be held; letting go early does nothing', async () => {
    const hub = await start()
    const page = await open(hub)
    const enable = card(page, 'saw').getByRole('button', { name: /Enable/ })
    await enable.click()
    await page.getByText('Keep holding').first().waitFor()
    expect(hub.commands).toHaveLength(0)
    await enable.focus()
    await page.keyboard.down('Enter')
    await expect.poll(() => hub.commands.length, eventually).toBe(1)
    await page.keyboard.up('Enter')
    await card(page, 'saw')
      .getByText(/Enable: refused/)
      .waitFor()
    await page.locator('.request').getByText('The extractor does not run').waitFor()
  })

  test("a form comes from the intent's schema, and the hub's word on a field stands at the field", async () => {
    const hub = await start()
    const page = await open(hub)
    await card(page, 'iron').getByRole('button', { name: 'Set temperature…' }).click()
    const form = page.getByRole('dialog')
    await form.getByRole('button', { name: 'Set temperature' }).click()
    await form.getByText('Fill this in.').waitFor()
    await form.getByLabel('Celsius').fill('500')
    await form.getByRole('button', { name: 'Set temperature' }).click()
    await form.getByText('Must be 100 to 450.').waitFor()
    await form.getByLabel('Celsius').fill('449')
    await form.getByRole('button', { name: 'Set temperature' }).click()
    await form.getByText('the limit of this iron is 420 °C').waitFor()
    await form.getByLabel('Celsius').fill('300')
    await form.getByText('Standby').click()
    await form.getByRole('button', { name: 'Set temperature' }).click()
    await form.waitFor({ state: 'detached' })
    expect(hub.commands[0]?.payload).toEqual({ celsius: 300, standby: true })
  })

  test('stop is held, reaches devices, and says done only where the result says so', async () => {
    const hub = await start()
    hub.state.mute.add('compressor')
    const page = await open(hub)
    const stop = page.getByRole('button', { name: /STOP/ })
    await stop.hover()
    await page.mouse.down()
    await page.waitForTimeout(300)
    await page.mouse.up()
    expect(hub.commands).toHaveLength(0)
    await stop.hover()
    await page.mouse.down()
    await expect.poll(() => hub.commands.length, eventually).toBe(9)
    await page.mouse.up()
    const dialog = page.getByRole('dialog')
    await dialog.getByText('8 of 9 devices say it is done. 1 has not answered yet.').waitFor()
    await dialog.getByText('no substitute for a physical emergency stop').waitFor()
    await dialog.getByText('8 of 9 devices say it is done. 1 failed: go there.').waitFor()
    await dialog.getByText('The device did not answer within 5 s.').waitFor()
  })

  test('stop stays in reach while a sheet is open', async () => {
    const hub = await start()
    const page = await open(hub, '/', { viewport: PHONE })
    await card(page, 'dust').getByRole('button', { name: 'Dust sensor' }).click()
    await page.getByRole('dialog').getByText('Owner').waitFor()
    const box = await page.locator('.stop').boundingBox()
    const seen = await page.evaluate(
      ([x = 0, y = 0]) => document.elementFromPoint(x, y)?.closest('.stop') !== null,
      [(box?.x ?? 0) + 20, (box?.y ?? 0) + 20],
    )
    expect(seen).toBe(true)
    await page.locator('.stop').hover()
    await page.mouse.down()
    await expect.poll(() => hub.commands.length, eventually).toBe(9)
    await page.mouse.up()
  })

  test('a message leads back to its causes, also one that was only heard live', async () => {
    const hub = await start()
    const page = await open(hub, '/messages')
    await page.getByRole('button', { name: 'Commands' }).click()
    await expect.poll(() => hub.line.subscriptions.has('jarvis/devices/+/cmd'), eventually).toBe(true)
    const reading = hub.sayState('dust')
    hub.ask('extractor', 'extractor.turn_on', {}, 'flow:dust-starts-extractor', 'c', reading)
    await page.getByRole('button', { name: /devices\/extractor\/cmd/ }).click()
    const causes = page.getByRole('dialog').locator('.cause-topic')
    await expect
      .poll(() => causes.allInnerTexts(), eventually)
      .toEqual(['devices/extractor/cmd', 'devices/extractor/request', 'devices/dust/state'])
    await page.getByRole('dialog').getByText('flow Dust starts extractor').waitFor()
    const rights = page.getByRole('dialog').locator('.right')
    await expect.poll(() => rights.count(), eventually).toBe(3)
    expect((await rights.allInnerTexts())[2]).toMatch(
      /May publish this\s+every device publishes its own topics below jarvis\/devices\/dust\/, as rights are now\./,
    )
  })

  const client = (page: Page, id: string) => page.locator(`[data-client="${id}"]`)

  test('the health page shows every MQTT client, how it is and what went wrong, and reads it again', async () => {
    const hub = await start()
    const page = await open(hub, '/hub')
    const tally = page.locator('.tally')
    await tally.getByText('connected').waitFor()
    expect(await tally.innerText()).toMatch(/connected\s*4\s*asleep\s*1\s*messages waiting\s*14\s*dropped\s*1204/)
    await client(page, 'wall-tablet').getByText('Behind').waitFor()
    await client(page, 'wall-tablet').getByText('Cut, because it did not read').waitFor()
    await client(page, 'prusa').getByText('Asleep').waitFor()
    await client(page, 'prusa').getByText('14 (5.3 kB)').waitFor()
    await client(page, 'prusa').getByText('its session ends in 6 d').waitFor()
    await client(page, 'dust').getByText('device dust · 192.168.1.40 · MQTT 3.1.1').waitFor()
    expect(await page.getByRole('button', { name: /Disconnect|Forget/ }).count()).toBe(0)

    await page.getByLabel('Find a client').fill('refused')
    await client(page, 'dust').waitFor({ state: 'detached' })
    await client(page, 'compressor').waitFor()
    await page.getByLabel('Find a client').fill('none such')
    await page.getByText('Nothing found').waitFor()
    await page.getByLabel('Find a client').fill('')
    await client(page, 'dust').waitFor()

    hub.mqtt.splice(0, 1)
    await client(page, 'wall-tablet').waitFor({ state: 'detached' })
    await page.getByRole('link', { name: 'Flows', exact: true }).click()
    await page.getByRole('heading', { name: 'Flows' }).waitFor()
    const reads = hub.state.clientReads
    await page.waitForTimeout(5500)
    expect(hub.state.clientReads).toBe(reads)
  })

  test('a client is disconnected, or its session forgotten, after a question', async () => {
    const hub = await start()
    hub.state.rights.push('devices.manage')
    const page = await open(hub, '/hub')
    await page.getByRole('button', { name: 'Disconnect saw…' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    expect(hub.mqtt.find(({ clientId }) => clientId === 'saw')?.online).toBe(true)
    await page.getByRole('button', { name: 'Disconnect saw…' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Disconnect', exact: true }).click()
    await client(page, 'saw').getByText('Asleep').waitFor()
    await page.getByRole('button', { name: 'Forget the session of prusa…' }).click()
    await page.getByRole('dialog').getByText('14 waiting messages are lost').waitFor()
    await page.getByRole('dialog').getByRole('button', { name: 'Forget the session' }).click()
    await client(page, 'prusa').waitFor({ state: 'detached' })
    expect(hub.mqtt.map(({ clientId }) => clientId)).not.toContain('prusa')
    await page.getByRole('button', { name: 'Disconnect dust…' }).click()
    hub.mqtt.splice(0)
    await page.getByRole('dialog').getByRole('button', { name: 'Disconnect', exact: true }).click()
    await page.getByRole('alert').getByText('No client with the id dust is connected.').waitFor()
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()
    await page.getByText('No MQTT clients').waitFor()
  })

  test('who may not read the broker does not see its clients', async () => {
    const hub = await start()
    hub.state.rights = hub.state.rights.filter((right) => right !== 'broker.read')
    const page = await open(hub, '/hub')
    await page.locator('.line').first().waitFor()
    expect(await page.getByText('MQTT clients').count()).toBe(0)
    expect(hub.state.clientReads).toBe(0)
  })

  test('a lost line is said, nothing is called live, and it heals by itself within five seconds', async () => {
    const hub = await start()
    const page = await open(hub)
    await page.locator('.top').getByText('Live', { exact: true }).waitFor()
    hub.line.dead = true
    hub.line.cut()
    await page.getByText('Live connection lost').waitFor()
    await card(page, 'dust')
      .getByText(/^Stale/)
      .waitFor()
    expect(await page.getByText(/^Live · /).count()).toBe(0)
    hub.line.dead = false
    const before = Date.now()
    await page.locator('.top').getByText('Live', { exact: true }).waitFor()
    expect(Date.now() - before).toBeLessThan(5000)
    await page.getByText('Live connection lost').waitFor({ state: 'detached' })
  })

  test('without a live line the page shows what the API says, and follows a command by it', async () => {
    const hub = await start()
    hub.line.dead = true
    const page = await open(hub)
    await page.getByText('Live connection lost').waitFor()
    await card(page, 'extractor').getByRole('button', { name: 'Turn on' }).click()
    await card(page, 'extractor')
      .getByText(/Turn on: done/)
      .waitFor()
  })

  test('an empty hub says what to do', async () => {
    const hub = await start({ empty: true })
    const page = await open(hub)
    await page.getByText('No devices yet').waitFor()
    await page.getByText('DEMO=1 npm start').waitFor()
    await page.getByText('No flows yet').waitFor()
  })

  test('the wall shows at most twelve tiles and never scrolls, and its type can be read at three metres', async () => {
    const hub = await start()
    const page = await open(hub, '/wall', { viewport: SCREEN })
    await page.locator('.tile').first().waitFor()
    expect(await page.locator('.tile').count()).toBe(12)
    const measures = await page.evaluate(() => {
      const size = (one: Element): number => Number.parseFloat(getComputedStyle(one).fontSize)
      const own = (one: Element): boolean =>
        [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent?.trim() !== '')
      const texts = [...document.querySelectorAll('.wall *')].filter((one) => own(one) && !one.closest('.unseen'))
      const { scrollHeight, clientHeight, scrollWidth, clientWidth } = document.documentElement
      return {
        scrolls: scrollHeight > clientHeight || scrollWidth > clientWidth,
        smallest: Math.min(...texts.map(size)),
        value: Math.min(...[...document.querySelectorAll('.tile-value')].map(size)),
        cut: [...document.querySelectorAll('.tile-value .cut')].filter((one) => one.scrollWidth > one.clientWidth)
          .length,
        stop: document.querySelector('.stop')?.getBoundingClientRect().height ?? 0,
      }
    })
    expect(measures.scrolls).toBe(false)
    expect(measures.smallest).toBeGreaterThanOrEqual(32)
    expect(measures.value).toBeGreaterThanOrEqual(72)
    expect(measures.cut).toBe(0)
    expect(measures.stop).toBeGreaterThanOrEqual(64)
  })

  describe.each(SIZES)('%s', (_, viewport) => {
    test.each(['light', 'dark'] as const)('every page passes axe in the %s theme', async (colorScheme) => {
      const hub = await start()
      hub.state.rights.push('devices.manage')
      hub.ask('saw', 'saw.enable', {}, 'person:ada', 'c')
      const page = await visit(hub.origin, { viewport, colorScheme, reducedMotion: 'reduce', bypassCSP: true })
      const check = async (where: string): Promise<void> => {
        expect(await violations(page), where).toEqual([])
        expect(await lowestTarget(page), `the lowest target of ${where}`).toBeGreaterThanOrEqual(48)
      }
      await page.getByLabel('User name').waitFor()
      await check('login')
      await login(page)
      await card(page, 'dust').waitFor()
      await page.locator('.request').first().waitFor()
      await check('now')
      await card(page, 'iron').getByRole('button', { name: 'Set temperature…' }).click()
      await page.getByRole('dialog').waitFor()
      await check('form')
      await page.keyboard.press('Escape')
      await card(page, 'dust').getByRole('button', { name: 'Dust sensor' }).click()
      await page.getByRole('dialog').getByText('Owner').waitFor()
      await check('drawer')
      await page.keyboard.press('Escape')
      for (const path of ['/requests', '/messages', '/hub', '/wall']) {
        await page.goto(`${hub.origin}${path}`)
        await page.locator('.line, .tile').first().waitFor()
        if (path === '/hub') await client(page, 'prusa').waitFor()
        await check(path)
        if (path !== '/hub') continue
        await page.getByRole('button', { name: 'Disconnect dust…' }).click()
        await page.getByRole('dialog').waitFor()
        await check('parting')
      }
    })
  })

  test('nothing runs over the edge at 320 px', async () => {
    const hub = await start()
    hub.ask('saw', 'saw.enable', {}, 'person:ada', 'c')
    const page = await visit(hub.origin, { viewport: { width: 320, height: 640 } })
    const width = (): Promise<number> => page.evaluate(() => document.documentElement.scrollWidth)
    await page.getByLabel('User name').waitFor()
    expect(await width()).toBe(320)
    await login(page)
    await page.locator('.shell').waitFor()
    for (const path of ['/', '/requests', '/messages', '/hub', '/wall']) {
      await page.goto(`${hub.origin}${path}`)
      await page.locator('.line, .tile').first().waitFor()
      if (path === '/hub') await client(page, 'prusa').waitFor()
      expect(await width(), path).toBe(320)
    }
  })

  test('a hub that was asked too often is not called out of reach, and is left in peace as long as it says', async () => {
    const hub = await start()
    const page = await visit(hub.origin)
    let asked = 0
    await page.route('**/api/me', (route) => {
      asked += 1
      const error = {
        code: 'RATE_LIMITED',
        message: 'More than 100 requests in 60 s: wait 8 s.',
        details: { retryAfter: 8 },
      }
      return asked === 1 ? route.fulfill({ status: 429, json: { error } }) : route.continue()
    })
    await login(page)
    await page.getByText('The hub asks you to wait').waitFor()
    await page.getByText('More than 100 requests in 60 s').waitFor()
    await page.waitForTimeout(6000)
    expect(asked).toBe(1)
    await page.locator('.shell').waitFor()
  })

  test('the shell opens without a network and says so', async () => {
    const hub = await start()
    const page = await open(hub, '/', { serviceWorkers: 'allow' })
    await page.evaluate(() => navigator.serviceWorker.ready)
    await expect
      .poll(
        () => page.evaluate(async () => (await caches.keys()).length === 1 && (await caches.match('/')) !== undefined),
        eventually,
      )
      .toBe(true)
    await page.context().setOffline(true)
    await page.reload()
    await page.getByText('The hub is out of reach').waitFor()
  })

  test('the first load stays under 300 kB', async () => {
    const { gzipSync } = await import('node:zlib')
    const html = readFileSync(join(app.dist, 'index.html'), 'utf8')
    const files = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, path = '']) => path)
    expect(files.length).toBeGreaterThan(1)
    const bytes = files.reduce((sum, path) => sum + gzipSync(readFileSync(join(app.dist, path))).length, 0)
    expect(bytes).toBeLessThan(300 * 1024)
    // What only one page needs is not in it.
    const script = files
      .filter((path) => path.endsWith('.js'))
      .map((path) => readFileSync(join(app.dist, path), 'utf8'))
    expect(script.join('')).not.toContain('react-flow__')
  })
})

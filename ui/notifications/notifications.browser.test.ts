// Notifications in a real browser: the bell, the list, where each leads, and what is said when there are none.
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
const row = (page: Page, id: string) => page.locator(`[data-notification="${id}"]`)
const bell = (page: Page, words: string) => page.getByRole('link', { name: words, exact: true })

/** One of each kind: an error that goes on, an approval, a flow, and a stop that is over. */
const stories = (hub: Hub) => {
  const asked = hub.approvals.open()
  return {
    asked,
    stop: hub.inbox.add({
      source: 'stop',
      severity: 'critical',
      title: 'Everything was stopped by person:grace',
      text: 'Smoke at the laser. Sent to 9 devices.',
      link: '/now',
      status: 'ended',
    }),
    flow: hub.inbox.add({
      source: 'flow',
      title: 'Flow hot-iron-left-on is quarantined',
      text: 'It failed again and again and runs no more until its file changes or somebody starts it.',
      link: '/flows?id=hot-iron-left-on',
    }),
    approval: hub.inbox.add({
      source: 'approval',
      severity: 'critical',
      title: 'Approval needed: welder.start of welder',
      text: asked.effect,
      link: `/approvals?id=${asked.id}`,
    }),
    error: hub.inbox.add({ count: 12 }),
  }
}

describe.skipIf(!present)(titleOf('notifications'), { timeout: 60_000 }, () => {
  test('the bell counts what is new, live; each is marked as seen, or all of them', async () => {
    const hub = await app.start()
    const page = await app.open(hub)
    await bell(page, 'Notifications').waitFor()
    const { stop, flow, error } = stories(hub)
    await bell(page, 'Notifications, 3 new').waitFor()
    await bell(page, 'Notifications, 3 new').click()
    await page.getByRole('heading', { name: 'Notifications' }).waitFor()
    expect(await page.locator('.notice').count()).toBe(4)
    await row(page, error.id).getByText('12 times').waitFor()
    await row(page, stop.id).getByText('Over').waitFor()
    await page.getByRole('button', { name: `Mark as seen: ${flow.title}` }).focus()
    await page.keyboard.press('Enter')
    await bell(page, 'Notifications, 2 new').waitFor()
    expect(
      await row(page, flow.id)
        .getByRole('link')
        .evaluate((one) => one === document.activeElement),
    ).toBe(true)
    expect(hub.inbox.list().find(({ id }) => id === flow.id)?.seenBy).toEqual(['person:ada'])
    await page.getByRole('button', { name: /^New/ }).click()
    await row(page, flow.id).waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Mark all as seen' }).click()
    await page.getByText('You have seen everything that stands here.').waitFor()
    await bell(page, 'Notifications').waitFor()
    await page.getByRole('button', { name: /^Open/ }).click()
    await row(page, error.id).waitFor()
    hub.inbox.put({ ...error, severity: 'critical', seenBy: [] })
    await row(page, error.id).getByText('Critical').waitFor()
    await bell(page, 'Notifications, 1 new').waitFor()
    hub.inbox.put({ ...error, status: 'ended' })
    await row(page, error.id).waitFor({ state: 'detached' })
  })

  test('each leads to what it is about, from the list and from outside, and is seen then', async () => {
    const hub = await app.start()
    hub.state.rights.push('hazards.approve')
    const { asked, stop, flow, approval, error } = stories(hub)
    hub.inbox.fail('PeerAway', 'The printer prusa does not answer.')
    const page = await app.open(hub, '/notifications', { viewport: PHONE })
    const follow = async (id: string, path: string): Promise<void> => {
      await row(page, id).getByRole('link').click()
      await expect.poll(() => new URL(page.url()).pathname, eventually).toBe(path)
    }
    await follow(approval.id, `/approvals/${asked.id}`)
    await page.getByRole('button', { name: /^Hold to approve/ }).waitFor()
    await expect
      .poll(() => hub.inbox.list().find(({ id }) => id === approval.id)?.seenBy, eventually)
      .toEqual(['person:ada'])
    await page.goBack()
    await follow(flow.id, '/flows/hot-iron-left-on')
    await page.getByRole('heading', { name: 'Hot iron left on' }).waitFor()
    await page.goBack()
    await follow(error.id, '/hub')
    await page.getByText('The printer prusa does not answer.').waitFor()
    await expect
      .poll(
        async () => (await page.getByRole('heading', { name: 'Errors of the last day' }).boundingBox())?.y,
        eventually,
      )
      .toBeLessThan(PHONE.height / 2)
    hub.inbox.fail('PeerBack', 'It answers again, but late.', 'warning')
    await page.locator('[data-error]').first().getByText('It answers again, but late.').waitFor()
    await page.goBack()
    await follow(stop.id, '/')
    await page.getByRole('heading', { name: 'Now' }).waitFor()
    // Whoever comes another way has seen it as well.
    hub.inbox.put({ ...approval, seenBy: [] })
    await page.goto(`${hub.origin}/approvals/${asked.id}`)
    await expect
      .poll(() => hub.inbox.list().find(({ id }) => id === approval.id)?.seenBy, eventually)
      .toEqual(['person:ada'])
    hub.approvals.end(asked, 'denied', 'person:grace', 'denied by person:grace')
    for (const [link, path, says] of [
      [approval.link, `/approvals/${asked.id}`, 'denied by person:grace'],
      [flow.link, '/flows/hot-iron-left-on', 'Quarantined'],
      [error.link, '/hub', 'Errors of the last day'],
      [stop.link, '/', 'Last messages'],
    ] as const) {
      await page.goto(`${hub.origin}${link ?? ''}`)
      await page.getByText(says).first().waitFor()
      expect(new URL(page.url()).pathname).toBe(path)
    }
  })

  test('without the live line they are read; where they do not run that is said; who may not has no bell', async () => {
    const hub = await app.start({ empty: true })
    hub.line.dead = true
    const { id } = hub.inbox.add()
    const page = await app.open(hub, '/notifications')
    await page.getByText('Live connection lost').waitFor()
    await row(page, id)
      .getByRole('button', { name: /^Mark as seen/ })
      .click()
    await row(page, id)
      .getByRole('button', { name: /^Mark as seen/ })
      .waitFor({ state: 'detached' })
    hub.inbox.state.runs = false
    await page.reload()
    await page.getByText('Notifications do not run: GET /api/plugins says why.').waitFor()
    hub.state.rights = hub.state.rights.filter((right) => right !== 'errors.read')
    await page.reload()
    await page.getByText('Your role may not read notifications.').waitFor()
    expect(await page.getByRole('link', { name: /^Notifications/ }).count()).toBe(0)
  })

  test('an empty inbox says what comes there', async () => {
    const hub = await app.start()
    const page = await app.open(hub, '/notifications')
    await page.getByText('Nothing to know of').waitFor()
  })

  const each = async (page: Page, hub: Hub, check: (where: string) => Promise<void>): Promise<void> => {
    hub.inbox.fail('PeerAway', 'The printer prusa does not answer.')
    await page.goto(`${hub.origin}/notifications`)
    await page.locator('.notice').first().waitFor()
    await check('/notifications')
    await page.goto(`${hub.origin}/hub`)
    await page.locator('[data-error]').waitFor()
    await check('/hub')
  }

  test.each(
    SIZES.flatMap(([name, viewport]) => (['light', 'dark'] as const).map((theme) => ({ name, viewport, theme }))),
  )('they pass axe on a $name in the $theme theme', async ({ viewport, theme }) => {
    const hub = await app.start()
    stories(hub)
    const page = await app.open(hub, '/', { viewport, colorScheme: theme, reducedMotion: 'reduce', bypassCSP: true })
    await each(page, hub, async (where) => {
      expect(await violations(page), where).toEqual([])
      expect(await lowestTarget(page), `the lowest target of ${where}`).toBeGreaterThanOrEqual(48)
    })
  })

  test('nothing runs over the edge at 320 px', async () => {
    const hub = await app.start()
    stories(hub)
    const page = await app.open(hub, '/', { viewport: { width: 320, height: 640 } })
    await each(page, hub, async (where) => {
      expect(await page.evaluate(() => document.documentElement.scrollWidth), where).toBe(320)
    })
    hub.line.dead = true
    hub.line.cut()
    await page.getByText('Not live').waitFor()
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(320)
  })
})

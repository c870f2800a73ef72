// A real browser for the tests of the web app: the app built once per file, a page per visit, the checks every page must pass.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium, type BrowserContext, type BrowserContextOptions, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll } from 'vitest'
import { fakeHub, PERSON } from './fake-hub.ts'

export const CHROMIUM = '/usr/bin/chromium'
export const present = existsSync(CHROMIUM)
const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // A page given by the test counts as one from the internet, which may not open a line to 127.0.0.1.
  '--disable-features=LocalNetworkAccessChecks',
]

export const PHONE = { width: 390, height: 844 }
export const TABLET = { width: 1024, height: 768 }
export const SCREEN = { width: 1920, height: 1080 }
export const SIZES = [
  ['phone', PHONE],
  ['tablet', TABLET],
  ['screen', SCREEN],
] as const
export const DEADLINE = 10_000
export const eventually = { timeout: DEADLINE, interval: 50 }

export type Hub = Awaited<ReturnType<typeof fakeHub>>

const root = fileURLToPath(new URL('..', import.meta.url))

export const login = async (
  page: Page,
  { username = PERSON.username, password = PERSON.password, stay = false } = {},
): Promise<void> => {
  await page.getByLabel('User name').fill(username)
  await page.getByLabel('Password').fill(password)
  if (stay) await page.getByText('Stay signed in on this device').click()
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
}

/** What the hub answers itself; everything else is the app. */
const OF_HUB = /^\/(api|token|health|healthz|readyz|mqtt)(\/|$)/

/** Builds the app and starts the browser; `end` after each test what it opened, `close` at the end. */
const openBrowser = async () => {
  const dist = mkdtempSync(join(tmpdir(), 'millrace-ui-'))
  const vite = fileURLToPath(new URL('../../node_modules/vite/bin/vite.js', import.meta.url))
  execFileSync(process.execPath, [vite, 'build', root, '--outDir', dist, '--emptyOutDir', '--logLevel', 'error'], {
    env: { NODE_ENV: 'production' },
    timeout: 50_000,
  })
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGS })
  const ends: (() => Promise<void>)[] = []

  const start = async (options: Partial<Parameters<typeof fakeHub>[0]> = {}): Promise<Hub> => {
    const hub = await fakeHub({ dist, ...options })
    ends.push(hub.close)
    return hub
  }

  /** Gives pages of a real hub the app that was built here. */
  const serve = async (context: BrowserContext): Promise<void> => {
    await context.route(
      ({ pathname }) => !OF_HUB.test(pathname),
      async (route) => {
        const { pathname } = new URL(route.request().url())
        const path = join(dist, pathname)
        await route.fulfill({ path: pathname !== '/' && existsSync(path) ? path : join(dist, 'index.html') })
      },
    )
  }

  /** A page that fails the test when a script fails or the content policy is broken. */
  const visit = async (
    url: string,
    { built = false, ...options }: BrowserContextOptions & { built?: boolean } = {},
  ): Promise<Page> => {
    const context = await browser.newContext({ viewport: TABLET, serviceWorkers: 'block', ...options })
    context.setDefaultTimeout(DEADLINE)
    if (built) await serve(context)
    const page = await context.newPage()
    const faults: string[] = []
    page.on('pageerror', (error) => faults.push(error.message))
    page.on('console', (message) => {
      if (/Content Security Policy/.test(message.text())) faults.push(message.text())
    })
    ends.push(async () => {
      await context.close()
      if (faults.length > 0) throw new Error(`The page failed: ${faults.join('; ')}`)
    })
    await page.goto(url)
    return page
  }

  const open = async (hub: Hub, path = '/', options: BrowserContextOptions = {}): Promise<Page> => {
    const page = await visit(`${hub.origin}${path}`, options)
    await login(page)
    await page.locator('.shell, .wall').waitFor()
    return page
  }

  return {
    dist,
    start,
    visit,
    open,
    end: async (): Promise<void> => {
      for (const end of ends.splice(0).reverse()) await end()
    },
    close: async (): Promise<void> => {
      await browser.close()
      rmSync(dist, { recursive: true, force: true })
    },
  }
}

type Browser = Awaited<ReturnType<typeof openBrowser>>

/** The app and a browser for the tests of one file: opened before the first, tidied after each, closed after the last. */
export const browserApp = (): Omit<Browser, 'end' | 'close'> => {
  let opened: Browser | undefined
  const app = (): Browser => {
    if (opened === undefined) throw new Error(`There is no browser at ${CHROMIUM}.`)
    return opened
  }
  beforeAll(async () => {
    if (present) opened = await openBrowser()
  }, 60_000)
  afterEach(async () => {
    await opened?.end()
  })
  afterAll(async () => {
    await opened?.close()
  }, 30_000)
  return {
    get dist() {
      return app().dist
    },
    start: (options) => app().start(options),
    visit: (url, options) => app().visit(url, options),
    open: (hub, path, options) => app().open(hub, path, options),
  }
}

/** What a group of browser tests is called, and how to get the browser where it is missing. */
export const titleOf = (what: string): string =>
  present ? what : `${what} (skipped: ${CHROMIUM} is missing. apt-get install chromium)`

const axe = (): string => readFileSync(new URL('../../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8')
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
/** What must be as high as a finger, in px. */
const TARGETS = '.button, .line-head, .card-title, .nav-item, .input, .check'

interface Violation {
  id: string
  nodes: { html: string; failureSummary?: string }[]
}

/** What axe finds wrong with the page now; needs `bypassCSP`. */
export const violations = async (page: Page): Promise<string[]> => {
  await page.addScriptTag({ content: axe() })
  // A colour that is on its way to another is nobody's choice.
  await page.evaluate(() =>
    Promise.all(
      document
        .getAnimations()
        .filter((one) => one.playState === 'running' && one.effect?.getComputedTiming().iterations !== Infinity)
        .map((one) => one.finished.catch(() => undefined)),
    ),
  )
  return page.evaluate(async (runOnly) => {
    const found = await (
      globalThis as unknown as { axe: { run(options: object): Promise<{ violations: Violation[] }> } }
    ).axe.run({ runOnly })
    return found.violations.map(
      ({ id, nodes }) =>
        `${id}: ${nodes.map(({ html, failureSummary }) => `${html}\n${failureSummary ?? ''}`).join('\n')}`,
    )
  }, RULES)
}

/** The height of the lowest target on the page, in px. */
export const lowestTarget = (page: Page): Promise<number> =>
  page.evaluate(
    (targets) =>
      Math.min(
        ...[...document.querySelectorAll(targets)]
          .map((one) => one.getBoundingClientRect())
          .filter(({ width }) => width > 0)
          .map(({ height }) => height),
      ),
    TARGETS,
  )

// The static app: cached as it may be, page addresses lead to index.html, nothing outside of its folder is served.
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { opened, tempFolder } from './web.fixture.ts'

const built = async () => {
  const root = await tempFolder()
  const dir = join(root, 'dist')
  await mkdir(join(dir, 'assets'), { recursive: true })
  await writeFile(join(root, 'secret.txt'), 'hunter22')
  await writeFile(join(dir, 'index.html'), '<title>shop</title>')
  await writeFile(join(dir, 'assets', 'app-1a2b.js'), 'export {}')
  await writeFile(join(dir, 'manifest.webmanifest'), '{}')
  await writeFile(join(dir, '.env'), 'hunter22')
  return opened({ uiDir: dir })
}

/** Asks for a path as it is; fetch would tidy it up. */
const raw = (url: string, path: string): Promise<{ status: number; text: string }> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url)
    request({ hostname, port, path }, (response) => {
      let text = ''
      response.on('data', (bytes: Buffer) => (text += bytes.toString()))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
      .on('error', reject)
      .end()
  })

test('index.html is always fresh, hashed assets are kept for a year', async () => {
  const { url } = await built()
  for (const path of ['/', '/index.html', '/devices', '/wall/door?x=1', '/a/b/c']) {
    const page = await fetch(url + path)
    expect([page.status, page.headers.get('cache-control'), await page.text()]).toEqual([
      200,
      'no-cache',
      '<title>shop</title>',
    ])
    expect(page.headers.get('content-type')).toContain('text/html')
  }
  const asset = await fetch(`${url}/assets/app-1a2b.js`)
  expect(asset.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
  expect(asset.headers.get('content-type')).toContain('javascript')
  expect((await fetch(`${url}/manifest.webmanifest`)).headers.get('cache-control')).toBe('public, max-age=0')
})

test('a missing file and a missing API route are not answered with a page', async () => {
  const { url } = await built()
  for (const path of ['/assets/old-9z.js', '/favicon.ico', '/api/nothing', '/api', '/metrics', '/health/x', '/token']) {
    const response = await fetch(url + path)
    expect([path, response.status]).toEqual([path, 404])
    expect(await response.json()).toMatchObject({ error: { code: 'NOT_FOUND' } })
  }
})

test('nothing outside of the folder, and nothing hidden, is served', async () => {
  const { url } = await built()
  const paths = [
    '/../secret.txt',
    '/..%2fsecret.txt',
    '/%2e%2e/secret.txt',
    '/assets/../../secret.txt',
    '/assets/..%2f..%2fsecret.txt',
    '/..%5csecret.txt',
    '/.env',
    '/assets/%00',
    '//etc/passwd',
    '/%2fetc%2fpasswd',
  ]
  for (const path of paths) {
    const { text, status } = await raw(url, path)
    expect([path, text.includes('hunter22') || text.includes('root:'), status < 500]).toEqual([path, false, true])
  }
})

test('without a built app there is a page that says how to build it, and it appears without a restart', async () => {
  const dir = join(await tempFolder(), 'dist')
  const { url } = await opened({ uiDir: dir })
  expect(await (await fetch(url)).text()).toContain('npm run build')
  await mkdir(dir)
  await writeFile(join(dir, 'index.html'), 'built')
  expect(await (await fetch(url)).text()).toBe('built')
  await symlink('/nowhere', join(dir, 'broken.js'))
  expect((await fetch(`${url}/broken.js`)).status).toBe(404)
})

// Builds the web app when it was never built, or its sources are newer than the build. Without the build tools the API works alone.
import { spawn } from 'node:child_process'
import { existsSync, globSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '../..')
const BUILT = join(ROOT, 'ui/dist/index.html')
const MS = 180_000

const newest = (): number =>
  globSync('ui/**/*.{ts,tsx,css,html,svg,json,js}', {
    cwd: ROOT,
    exclude: (name) => name === 'dist' || name === 'node_modules',
  })
    .filter((name) => !name.startsWith('ui/dist/') && !/\.test\.tsx?$/.test(name))
    .reduce((latest, name) => Math.max(latest, statSync(join(ROOT, name)).mtimeMs), 0)

/** Resolves when the app is there, or cannot be had; `say` tells people which. Never throws. */
export const buildUi = async (say: (line: string) => void): Promise<void> => {
  const sources = newest()
  if (sources === 0 || (existsSync(BUILT) && statSync(BUILT).mtimeMs >= sources)) return
  const vite = join(ROOT, 'node_modules/vite/bin/vite.js')
  if (!existsSync(vite)) {
    if (!existsSync(BUILT))
      say(
        'The web app is not built, and its build tools are not installed: run npm ci, then npm start. The API works without it.',
      )
    return
  }
  say('Building the web app (once, a few seconds) …')
  const said: Buffer[] = []
  const code = await new Promise<number | null>((done) => {
    const child = spawn(process.execPath, [vite, 'build', 'ui', '--logLevel', 'warn'], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: MS,
    })
    child.stdout.on('data', (chunk: Buffer) => said.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => said.push(chunk))
    child.on('error', () => done(1))
    child.on('close', done)
  })
  if (code !== 0)
    say(`The web app could not be built; the API works without it.\n${Buffer.concat(said).toString().trimEnd()}`)
}

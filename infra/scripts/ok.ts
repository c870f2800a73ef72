// `npm run ok`: format, lint, types, generated docs. The one check before every commit; tells all that is wrong, not only the first.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'

const checks: [name: string, command: string, args: string[]][] = [
  [
    'format',
    'prettier',
    ['--check', '--log-level', 'warn', '--cache', '--cache-location', 'node_modules/.cache/prettier/ok', '.'],
  ],
  ['types', 'tsc', ['-p', '.']],
  ['types of flows', 'tsc', ['-p', 'flows']],
  ...(existsSync('ui/tsconfig.json')
    ? ([['types of the app', 'tsc', ['-p', 'ui']]] as [string, string, string[]][])
    : []),
  ['generated docs', process.execPath, ['infra/scripts/docs.ts', '--check']],
  ['lint', 'eslint', ['--cache', '--cache-location', 'node_modules/.cache/eslint/', '.']],
]

const run = ([name, command, args]: (typeof checks)[number]): Promise<boolean> =>
  new Promise((done) => {
    const begun = performance.now()
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const said: Buffer[] = []
    child.stdout.on('data', (b: Buffer) => said.push(b))
    child.stderr.on('data', (b: Buffer) => said.push(b))
    child.on('error', (error) =>
      said.push(Buffer.from(`${command} does not start: ${error.message}. Run npm ci first.`)),
    )
    child.on('close', (code) => {
      console.log(`${code === 0 ? 'ok  ' : 'FAIL'}  ${name}  ${((performance.now() - begun) / 1000).toFixed(1)} s`)
      if (code !== 0) console.log(Buffer.concat(said).toString().trimEnd())
      done(code === 0)
    })
  })

const waiting = [...checks].reverse()
const results: boolean[] = []
const worker = async () => {
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) results.push(await run(next))
}
await Promise.all([worker(), worker()])
if (results.includes(false)) {
  console.log('\nnpm run fix mends format and what lint can mend by itself; npm run docs writes the generated pages.')
  process.exitCode = 1
}

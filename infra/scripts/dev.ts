// `npm run dev`: the hub with the simulated workshop, started again whenever a file of the hub or a plugin changes.
import { spawn } from 'node:child_process'

const child = spawn(
  process.execPath,
  ['--watch-path=hub', '--watch-path=plugins', '--watch-path=flows', '--watch-preserve-output', 'hub/start.js'],
  { stdio: 'inherit', env: { ...process.env, DEMO: process.env['DEMO'] ?? '1' } },
)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
child.on('exit', (code) => (process.exitCode = code ?? 1))

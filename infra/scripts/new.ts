// `npm run new -- flow <name>` or `plugin <name>`: a working beginning with its test, from infra/templates.
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { format, resolveConfig } from 'prettier'

const KINDS = ['flow', 'plugin'] as const
type Kind = (typeof KINDS)[number]

const USAGE = `Write: npm run new -- flow night-light
   or: npm run new -- plugin weather-station`

/** What was asked for cannot be made; the message is one sentence for people. */
export class Refused extends Error {}

export interface Made {
  /** Relative to the root. */
  files: string[]
  next: string[]
}

const isKind = (word: string | undefined): word is Kind => KINDS.some((kind) => kind === word)

const snake = (name: string): string => name.replaceAll('-', '_')
const sentence = (name: string): string => `${name.charAt(0).toUpperCase()}${name.slice(1)}`.replaceAll('-', ' ')

/** The template's name in every spelling, replaced by the new one's. */
const renamed = (text: string, kind: Kind, name: string): string =>
  [snake, sentence, (same: string) => same].reduce(
    (before, spell) => before.replaceAll(spell(`my-${kind}`), spell(name)),
    text,
  )

const checkName = (name: string | undefined): string => {
  if (name === undefined || name === '') throw new Refused(`It needs a name.\n${USAGE}`)
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name))
    throw new Refused(`'${name}' is no name: use small letters, digits and single hyphens, such as night-light.`)
  if (name.length > 40) throw new Refused(`'${name}' is too long: use at most 40 characters.`)
  return name
}

/**
 * Writes the files of a new flow or plugin under `root`. Throws Refused for a bad or taken name, before anything is written.
 * `templates` is the folder that holds `flow/` and `plugin/`.
 */
export const makeNew = async ([kind, wanted, ...more]: string[], root: string, templates: string): Promise<Made> => {
  if (!isKind(kind))
    throw new Refused(
      `${kind === undefined ? 'Say what to make' : `There is no '${kind}' to make`}: a flow or a plugin.\n${USAGE}`,
    )
  const name = checkName(wanted)
  if (more.length > 0) throw new Refused(`One name at a time; '${more.join(' ')}' is too much.\n${USAGE}`)
  const target = kind === 'flow' ? 'flows' : path.join('plugins', name)
  const from = path.join(templates, kind)
  const files = (await readdir(from)).map((file) => ({ file, to: path.join(target, renamed(file, kind, name)) }))
  const taken = kind === 'plugin' ? [target] : files.map(({ to }) => to).sort((a, b) => a.length - b.length)
  const there = taken.find((file) => existsSync(path.join(root, file)))
  if (there !== undefined) throw new Refused(`${there} is already there: choose another name, or change that one.`)
  await mkdir(path.join(root, target), { recursive: true })
  for (const { file, to } of files) {
    const text = await readFile(path.join(from, file), 'utf8')
    const filepath = path.join(root, to)
    // A longer name may break a line where the template does not.
    const tidy = await format(renamed(text, kind, name), { ...(await resolveConfig(filepath)), filepath })
    await writeFile(filepath, tidy, { flag: 'wx' })
  }
  return { files: files.map(({ to }) => to), next: nextSteps(kind, name) }
}

const nextSteps = (kind: Kind, name: string): string[] =>
  kind === 'flow'
    ? [
        `Say in the first line of flows/${name}.ts, in one sentence, what it does; the page shows it.`,
        `Change the rule and its test: npx vitest flows/${name}`,
        'Check everything: npm run ok. A hub that runs finds the flow by itself; its number is a param, changed on the page.',
      ]
    : [
        `plugins/${name}/peer.ts speaks the wire, plugin.ts joins it to topics, peer.fake.ts is the peer of the tests.`,
        `Change them and their tests: npx vitest plugins/${name}`,
        `Answer the sixteen rules in plugins/${name}/quality.yaml, then: npm run ok`,
        `Give it settings under plugins.${name} in the config file (an empty object will do) and start the hub again.`,
      ]

if (import.meta.main) {
  const root = path.join(import.meta.dirname, '../..')
  try {
    const { files, next } = await makeNew(process.argv.slice(2), root, path.join(root, 'infra/templates'))
    console.log(`Made ${files.join(', ')}.\n\n${next.map((step, n) => `${n + 1}. ${step}`).join('\n')}`)
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    console.error(error.message)
    process.exitCode = 1
  }
}

// A policy file with an error changes nothing, says where it is wrong, and never lets more through than before.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { ada, openShop } from '../approvals/shop.rig.ts'
import { quiet } from '../gate.rig.ts'
import { openPolicyFile } from '../policy/file.ts'
import { held, later, undo, unlock } from './attack.rig.ts'

afterEach(undo)

describe('a policy file with an error', () => {
  const opened = (text: string | undefined, before?: string) => {
    const dir = mkdtempSync(join(tmpdir(), 'millrace-policy-'))
    if (text !== undefined) writeFileSync(join(dir, 'policy.yaml'), text)
    if (before !== undefined) writeFileSync(join(dir, 'policy.taken.yaml'), before)
    const told: [string, Record<string, unknown>][] = []
    const words: string[] = []
    const source = openPolicyFile({
      dataDir: dir,
      health: { set: (_, word, why) => void words.push(`${word} ${why ?? ''}`), report() {} },
      log: quiet,
      told: (event, detail) => void told.push([event, detail]),
    })
    later(() => {
      source.close()
      rmSync(dir, { recursive: true, force: true })
    })
    return {
      source,
      told,
      words,
      save: (next: string) => {
        writeFileSync(join(dir, 'policy.yaml'), `${next}\n# ${Math.random()}`)
        source.look()
      },
    }
  }
  const good = 'rules:\n  - intent: "lock.unlock"\n    hazard: medium\n'

  test.each([
    ['a class that is none', good.replace('medium', 'harmless'), /rules\.0\.hazard \(line 3\)/],
    ['a key nobody knows', `${good}    prescence: none\n`, /rules\.0\.prescence \(line 4\): is not known/],
    ['no YAML', 'rules: [', /\(line \d+\)/],
    [
      'a bomb of aliases',
      `a: &a [1,2,3,4,5,6,7,8,9,0]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n`,
      /alias/,
    ],
    ['too much', `# ${'x'.repeat(300_000)}`, /larger/],
    ['a pattern that takes for ever', good.replace('lock.unlock', 'a*a*a*a*a*'), /three \*/],
  ])('%s: the old one stays, and field and line are told', (_, bad, why) => {
    const { source, told, words, save } = opened(good)
    const { version } = source.now
    save(bad)
    expect(source.now.version).toBe(version)
    expect(source.wrong).toMatch(why)
    expect(told.at(-1)).toMatchObject(['policy.refused', { version, why: expect.stringMatching(why) }])
    expect(words.at(-1)).toMatch(/^degraded .*The policy before it counts/)
    save(good.replace('medium', 'high'))
    expect(source.wrong).toBeUndefined()
    expect(source.now.version).not.toBe(version)
    expect(words.at(-1)).toMatch(/^healthy/)
  })

  test('at the start: the last that was taken counts; without one nothing dangerous is let through', async () => {
    expect(opened('rules: [', good).source).toMatchObject({ closed: false })
    const { source } = opened('rules: [')
    expect(source.closed).toBe(true)
    const shop = await openShop({ policy: source })
    const gate = await shop.open()
    expect(await gate.ask(ada, 'door', unlock)).toMatchObject({
      http: 403,
      reason: expect.stringMatching(/policy\.yaml has an error/),
    })
    expect(await gate.ask(ada, 'lamp', { intent: 'light.turn_on' })).toMatchObject({ http: 202 })
    await held(shop, gate, 'refused.policy', 'person:ada')
  })
})

import { execFileSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { expect, test } from 'vitest'

/** What a credential looks like when somebody commits one by accident. */
const looks: Record<string, RegExp> = {
  'a private key': new RegExp(`-----BEGIN (?:[A-Z]+ )?PRIVATE ${'KEY'}-----\\s+[A-Za-z0-9+/=\\s]{40,}`),
  'a JSON web token': /\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}/,
  'an API key of this hub': /\bmr_[A-Za-z0-9]{6,}_[A-Za-z0-9_-]{24,}/,
  'a cloud key':
    /\b(?:AKIA[0-9A-Z]{16}|sk-[A-Za-z0-9]{32,}|ghp_[A-Za-z0-9]{36}|xox[bp]-[A-Za-z0-9-]{20,}|AIza[0-9A-Za-z_-]{35})\b/,
  'a filled-in secret': /^(?:[A-Z_]*(?:PASSWORD|SECRET|TOKEN|API_KEY))=[^\s#$]{8,}$/m,
}
const found = (text: string): string[] =>
  Object.entries(looks).flatMap(([what, look]) => (look.test(text) ? [what] : []))

test('no committed file holds a credential', () => {
  const files = execFileSync('git', ['ls-files', '-z'], { encoding: 'utf8' })
    .split('\0')
    .filter((name) => name !== '')
  expect(files.length).toBeGreaterThan(100)
  const bad = files
    .filter((name) => statSync(name, { throwIfNoEntry: false })?.isFile() === true && statSync(name).size < 2_000_000)
    .flatMap((name) => found(readFileSync(name, 'latin1')).map((what) => `${name}: ${what}`))
  expect(bad).toEqual([])
})

test('files that hold secrets are ignored by git', () => {
  const names = [
    '.env',
    '.env.local',
    '.env.test.local',
    'server.pem',
    'some/ca.key',
    'data/keys/tokens.json',
    'hub.sqlite',
  ]
  const ignored = execFileSync('git', ['check-ignore', ...names], { encoding: 'utf8' })
    .trim()
    .split('\n')
  expect(ignored).toEqual(names)
})

test('the look-out sees each kind', () => {
  const key = `-----BEGIN PRIVATE ${'KEY'}-----\n${'MIIB'.repeat(20)}`
  const token = `eyJ${'a'.repeat(20)}.eyJ${'b'.repeat(20)}.${'c'.repeat(30)}`
  expect(found(key)).toEqual(['a private key'])
  expect(found(token)).toEqual(['a JSON web token'])
  expect(found(`mr_${'a1b2c3'}_${'x'.repeat(30)}`)).toEqual(['an API key of this hub'])
  expect(found(`AKIA${'A'.repeat(16)}`)).toEqual(['a cloud key'])
  expect(found(`ADMIN_${'PASSWORD'}=correct-horse`)).toEqual(['a filled-in secret'])
})

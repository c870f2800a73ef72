// docs/access.md says what the policy table says, and its examples are configurations that are accepted.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { ROLES } from '../bus/principal.ts'
import { fileSettings } from '../config.ts'
import { rights } from './policy.ts'

const page = readFileSync(join(import.meta.dirname, '../../docs/access.md'), 'utf8')

test('the table of rights is the policy table', () => {
  const rows = page.split('\n').flatMap((line) => {
    const [, right, ...cells] = line.split('|').map((cell) => cell.trim())
    const [, name] = /^`([a-z]+\.[a-z]+)`$/.exec(right ?? '') ?? []
    return name === undefined ? [] : [[name, ROLES.filter((_, i) => cells[i] === 'yes')]]
  })
  expect(Object.fromEntries(rows)).toEqual(rights)
})

test('each example of an issuer is accepted', () => {
  const examples = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = '']) => fileSettings.parse(parse(text)))
  expect(examples.flatMap(({ access }) => Object.keys(access.issuers))).toEqual(['keycloak', 'authentik', 'clerk'])
})

test.each([
  ['a plain address elsewhere', { issuer: 'http://sso.example' }],
  ['a password in the address', { issuer: 'https://a:b@sso.example' }],
  ['a signature with a shared secret', { issuer: 'https://sso.example', algorithms: ['HS256'] }],
  ['no signature', { issuer: 'https://sso.example', algorithms: ['none'] }],
  ['a role that is none', { issuer: 'https://sso.example', roles: { claim: 'x', map: { y: 'king' } } }],
  ['a word nobody knows', { issuer: 'https://sso.example', insecure: true }],
])('%s is not', (_, issuer) => {
  expect(fileSettings.safeParse({ access: { issuers: { sso: issuer } } }).success).toBe(false)
  expect(fileSettings.safeParse({ access: { issuers: { sso: { issuer: 'https://sso.example' } } } }).success).toBe(true)
})

test('one issuer cannot be named twice, and ids fit in front of user names', () => {
  const one = { issuer: 'https://sso.example' }
  for (const issuers of [{ a: one, b: one }, { 'sso.x': one }, { averylongname: one }, { '1a': one }]) {
    expect(fileSettings.safeParse({ access: { issuers } }).success).toBe(false)
  }
})

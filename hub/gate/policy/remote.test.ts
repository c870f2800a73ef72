// Who counts as not in the building: by address, by what stands in between, and by the networks of the policy.
import { expect, test } from 'vitest'
import { peerOf } from '../../access/peer.ts'
import { policyOf } from './policy.ts'
import { readPolicy } from './read.ts'
import { isNetwork, openRemote, PRIVATE } from './remote.ts'

const seen = (address: string | undefined, headers = {}) =>
  openRemote(undefined, () => ['2001:db8:1::7/64'])(peerOf(address, headers))

test.each([
  '127.0.0.1',
  '::1',
  '::ffff:127.0.0.1',
  '192.168.1.20',
  '10.9.8.7',
  '172.31.0.1',
  'fe80::1%eth0',
  'fd00::5',
  '2001:db8:1::99',
])('%s is here', (address) => expect(seen(address)).toBeUndefined())

test.each([
  '8.8.8.8',
  '100.64.1.2',
  '172.32.0.1',
  '::ffff:8.8.8.8',
  '2001:db8:2::1',
  'fd7a:115c:a1e0::12',
  '',
  undefined,
  'localhost',
])('%s is not', (address) => expect(seen(address)).toEqual(expect.any(String)))

test.each(['x-forwarded-for', 'forwarded', 'via', 'x-real-ip', 'tailscale-user-login'])(
  'through something that says %s nobody knows where it comes from',
  (name) => {
    expect(seen('127.0.0.1', { [name]: '192.168.1.2' })).toMatch(/proxy/)
  },
)

test('the policy names its own networks, and a wrong one is told', () => {
  const read = readPolicy("remote:\n  networks: ['203.0.113.0/24']\n")
  if (!read.ok) throw new Error('not taken')
  expect(read.policy.remote({ address: '203.0.113.9', passedOn: false })).toBeUndefined()
  expect(openRemote(['100.64.0.0/10'])({ address: '100.64.3.4', passedOn: false })).toBeUndefined()
  expect(read.policy.remote({ address: '192.168.1.2', passedOn: false })).toMatch(/in none of the networks/)
  expect(policyOf().settings.remote).toMatchObject({ hazards: 'refuse' })
  expect(readPolicy("remote:\n  networks: ['home']\n")).toMatchObject({
    wrong: [{ field: 'remote.networks.0', line: 2 }],
  })
  for (const text of ['1.2.3.4', '1.2.3.4/33', '::/129', '1.2.3.4/8/8', '/8', '']) expect(isNetwork(text)).toBe(false)
  expect(PRIVATE.every(isNetwork)).toBe(true)
})

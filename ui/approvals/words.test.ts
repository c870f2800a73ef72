// Who may answer an approval, and what it says of itself.
import { expect, test } from 'vitest'
import { readApproval, type ApprovalItem } from '../api/read-approval.ts'
import { presenceWords } from './presence.ts'
import { evidenceLines, neededWords, partOf, saidWords, who } from './words.ts'

const NOW = Date.parse('2026-11-20T08:00:30Z')
const ask = (more: object = {}): ApprovalItem => {
  const item = readApproval({
    id: 'a1',
    commandId: 'c1',
    device: 'welder',
    intent: 'welder.power_on',
    effect: '',
    hazard: 'high',
    requestedBy: 'person:ada',
    needed: 2,
    given: [],
    requestedAt: '2026-11-20T08:00:00Z',
    expiresAt: '2026-11-20T08:02:00Z',
    status: 'pending',
    digest: 'd',
    evidence: { approve: ['engineer', 'safety'] },
    ...more,
  })
  if (!item) throw new Error('no approval')
  return item
}
const me = (id: string, roles: string[], rights = ['hazards.approve']) => ({
  kind: 'person',
  id,
  roles,
  rights,
  prefix: 'jarvis',
})

test('whoever asked may not, unless the hub says so, and everybody learns it beforehand', () => {
  const engineer = me('ada', ['engineer'])
  expect(partOf(ask(), engineer, NOW)).toBe('asker')
  expect(partOf(ask({ requesterMayApprove: true }), engineer, NOW)).toBe('may')
  expect(partOf(ask({ evidence: { approve: ['engineer'], requesterMayApprove: true } }), engineer, NOW)).toBe('may')
  expect(partOf(ask({ requesterMayApprove: true }), me('ada', ['operator'], []), NOW)).toBe('reader')
  // Releasing the shop after a stop: whoever asks may be one of them.
  expect(partOf(ask({ device: 'hub', intent: 'safety.resume' }), engineer, NOW)).toBe('may')
  expect(partOf(ask(), me('bob', ['engineer']), NOW)).toBe('may')
  expect(partOf(ask(), me('bob', ['admin']), NOW)).toBe('role')
  expect(partOf(ask({ given: [{ by: 'person:bob', at: '2026-11-20T08:00:10Z' }] }), me('bob', ['safety']), NOW)).toBe(
    'said',
  )
  expect(partOf(ask(), me('bob', ['safety']), NOW + 120_000)).toBe('ended')
  expect(who(ask())).toBe('somebody with the role engineer or safety')
  expect(who(ask({ evidence: {} }))).toBe('somebody who may')
})

test('who said yes, and who is missing', () => {
  const given = [{ by: 'person:bob', at: '2026-11-20T08:00:10Z' }]
  expect(neededWords(ask(), 'person:bob')).toBe('Two people have to say yes.')
  expect(neededWords(ask({ given }), 'person:bob')).toBe('You said yes; one more person.')
  expect(saidWords(ask(), 'person:bob')).toBe('Nobody said yes.')
  expect(saidWords(ask({ given: [...given, { by: 'person:grace', at: '' }] }), 'person:ada')).toBe(
    'Bob and grace said yes.',
  )
})

test('presence is told in sentences', () => {
  const badge = { rule: 'requester_present', zone: 'Bay', lastZone: 'Bay', reader: 'door', here: true }
  expect(presenceWords({ ...badge, lastSeen: 'x' }, 'ada', NOW)).toBe(
    'ada came into Bay, by the badge reader door. Whoever asked has to be there.',
  )
  expect(presenceWords({ rule: 'requester_present', zone: 'Bay', known: false }, 'ada', NOW)).toContain(
    'Nobody knows whether ada is in Bay.',
  )
  expect(
    presenceWords(
      { rule: 'zone_clear', zone: 'Bay', people: [{ person: 'ada' }], occupied: [], empty: ['pir'] },
      'ada',
      NOW,
    ),
  ).toBe('In Bay by badge: ada. Empty, says pir. Nobody may be there.')
  expect(presenceWords({ rule: 'none' }, 'ada', NOW)).toBe('Not asked for.')
  expect(presenceWords(undefined, 'ada', NOW)).toBeUndefined()
})

test('what the hub knew stands in lines, the presence first', () => {
  const lines = evidenceLines(
    ask({
      evidence: {
        policy: '158868c2f0d45696',
        rule: 'power of a dangerous machine',
        presence: { rule: 'none' },
        approve: ['engineer'],
        requesterMayApprove: false,
        state: { power: false, amps: 0 },
      },
    }),
    NOW,
  )
  expect(lines.map(({ name }) => name)).toEqual(['Presence', 'Rule', 'State', 'May approve', 'Policy version'])
  expect(lines.find(({ name }) => name === 'State')?.value).toBe('Power: Off · Amps: 0 A')
})

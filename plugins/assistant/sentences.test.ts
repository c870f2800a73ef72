// Two hundred sentences of houses and workshops that somebody else wrote than the patterns: how many are understood.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import type { Device } from '#hub/plugin'
import { rules } from './rules.ts'
import type { Before, Understanding } from './understander.ts'

const Json = z.record(z.string(), z.unknown())
const File = z.object({
  synonyms: z.object({
    areas: z.record(z.string(), z.array(z.string())),
    devices: z.record(z.string(), z.array(z.string())),
  }),
  devices: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      area: z.string().optional(),
      kind: z.string(),
      intents: z.record(z.string(), Json),
      safe: z.array(z.string()).default([]),
      state: Json.default({}),
    }),
  ),
  sentences: z.array(
    z.object({
      text: z.string(),
      language: z.enum(['en', 'de']),
      intent: z.string(),
      devices: z.array(z.string()),
      payload: Json.default({}),
      after: z.string().optional(),
    }),
  ),
})
const GOAL = 0.95

const {
  synonyms,
  devices: listed,
  sentences,
} = File.parse(parse(readFileSync(join(import.meta.dirname, 'fixtures/sentences.yaml'), 'utf8')))
const devices: Device[] = listed.map(({ area, ...device }) => ({
  ...device,
  ...(area === undefined ? {} : { area }),
  online: true,
  owner: `device:${device.id}`,
  lastSeen: 0,
}))

const hear = async (text: string, before: Before): Promise<Understanding> =>
  rules.understand(text, { devices, synonyms, before })

/** What a conversation remembers of what was understood. */
const beforeOf = ({ meant, language }: Understanding): Before => {
  if (meant.kind !== 'wishes') return { devices: [], language }
  const ids = meant.wishes.map(({ device }) => device)
  const areas = new Set(ids.map((id) => devices.find((device) => device.id === id)?.area))
  return {
    devices: ids,
    lastIntent: meant.wishes[0]?.intent,
    language,
    zone: areas.size === 1 ? [...areas][0] : undefined,
  }
}

const said = ({ meant }: Understanding): string =>
  meant.kind === 'wishes'
    ? meant.wishes
        .map(({ device, intent, payload }) => `${device} ${intent} ${JSON.stringify(payload)}`)
        .sort()
        .join('\n')
    : JSON.stringify(meant)

test('at least 95 of 100 sentences of another hand are understood, with device, intent and payload', async () => {
  const wrong: string[] = []
  for (const { text, intent, devices: ids, payload, after } of sentences) {
    const before: Before = after === undefined ? { devices: [] } : beforeOf(await hear(after, { devices: [] }))
    const heard = await hear(text, before)
    const expected = ids
      .map((id) => `${id} ${intent} ${JSON.stringify(payload)}`)
      .sort()
      .join('\n')
    if (said(heard) !== expected)
      wrong.push(
        `${text}${after === undefined ? '' : ` (after: ${after})`}\n  wanted ${expected}\n  heard  ${said(heard)}`,
      )
  }
  const share = 1 - wrong.length / sentences.length
  expect(sentences.length).toBeGreaterThanOrEqual(200)
  expect(
    share,
    `${sentences.length - wrong.length} of ${sentences.length} understood:\n${wrong.join('\n')}`,
  ).toBeGreaterThanOrEqual(GOAL)
})

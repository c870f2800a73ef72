// The form of policy.yaml: who may ask for what, where, when, and who has to say yes.
import { z } from 'zod'
import { ROLES } from '../../bus/principal.ts'
import { DeviceId, Line } from '../../topics/core.ts'
import { HAZARDS } from '../hazards.ts'
import { isNetwork } from './remote.ts'

const Pattern = z
  .string()
  .min(1)
  .max(120)
  .refine((text) => text.split('*').length <= 4, 'may hold at most three *')
const Patterns = z.union([Pattern, z.array(Pattern).min(1).max(50)])
const Time = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$|^24:00$/, "must be a time such as '07:30'")

export const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
export const PRESENCES = ['requester_present', 'someone_present', 'zone_clear', 'none'] as const
export const ASKERS = [...ROLES, 'flow', 'plugin', 'device'] as const

export const Hours = z.strictObject({
  from: Time.describe('From this time of day, in the time zone of the policy'),
  to: Time.describe('Until before this time; earlier than `from` means the next morning'),
  days: z
    .array(z.enum(DAYS))
    .min(1)
    .max(7)
    .default([...DAYS])
    .describe('On these days; a night belongs to the day it begins on'),
})

const needs = {
  enabled: z
    .boolean()
    .optional()
    .describe('false: not done at all, whoever asks and whoever says yes. What leads to the safe state is'),
  ask: z
    .array(z.enum(ASKERS))
    .min(1)
    .optional()
    .describe('Who may ask: roles of people, or flow, plugin, device. Default: whoever has the right'),
  approve: z
    .array(z.enum(ROLES))
    .min(1)
    .optional()
    .describe('Roles that may say yes, of those with the right hazards.approve'),
  dual: z.boolean().optional().describe('Two different people have to say yes. High hazard always takes two'),
  requesterMayApprove: z.boolean().optional().describe('Whoever asked may be one of those who say yes. Default: no'),
  presence: z.enum(PRESENCES).optional().describe('Who must be in the zone, or nobody at all'),
  hours: Hours.optional().describe('Only then'),
  phrase: Line(120).min(3).optional().describe('What the first who says yes has to type, exactly'),
  signature: z
    .boolean()
    .optional()
    .describe('The request has to be signed with a key of the person who asks, or of the device'),
  ppe: z.array(Line(60)).max(10).optional().describe('What to wear; shown to whoever approves'),
}

export const Rule = z.strictObject({
  name: Line(120).optional().describe('For people; shown in refusals and in the audit'),
  intent: Patterns.optional().describe("Intents, `*` for anything: 'welder.*'. Default: all"),
  device: Patterns.optional().describe('Ids of devices. Default: all'),
  kind: Patterns.optional().describe('Kinds of devices. Default: all'),
  zone: Patterns.optional().describe('Areas of devices. Default: all'),
  hazard: z.enum(HAZARDS).describe('none and low: sent at once. medium: asks a person. high: asks two'),
  ...needs,
})

const Scalar = z.union([z.string().max(200), z.number(), z.boolean()])

export const While = z
  .strictObject({
    device: DeviceId.optional().describe('Whose state is looked at. Default: the device itself'),
    value: Line(120).min(1).describe('A value of its state; `nozzle.actual` is `actual` in `nozzle`'),
    above: z.number().optional(),
    below: z.number().optional(),
    is: z.union([Scalar, z.array(Scalar).min(1).max(50)]).optional(),
    unknown: z
      .enum(['refuse', 'allow'])
      .default('refuse')
      .describe('What counts when the device is offline or does not say the value'),
  })
  .refine(
    ({ above, below, is }) => (is === undefined) !== (above === undefined && below === undefined),
    'takes either `is`, or `above` or `below`',
  )

export const Hold = z.strictObject({
  name: Line(120).optional().describe('For people; shown in refusals and in the audit'),
  intent: Patterns.describe("What is refused: 'switch.turn_off'"),
  device: Patterns.optional().describe('Ids of devices. Default: all'),
  kind: Patterns.optional().describe('Kinds of devices. Default: all'),
  zone: Patterns.optional().describe('Areas of devices. Default: all'),
  while: z.union([While, z.array(While).min(1).max(10)]).describe('As long as this is so, or any one of several'),
})

export const PolicyFile = z.strictObject({
  timeZone: z
    .string()
    .max(64)
    .refine(isTimeZone, "must be a time zone such as 'Europe/Berlin'")
    .optional()
    .describe('For the hours of rules. Default: that of the machine'),
  phrase: Line(120)
    .min(3)
    .default('Confirm: proceed')
    .describe('What the first who says yes has to type, unless a rule says otherwise'),
  approvalSeconds: z.number().int().min(10).max(3600).default(300).describe('After this time silence is a no'),
  presenceMinutes: z.number().int().min(1).max(240).default(15).describe('A badge counts for this long'),
  builtIn: z.boolean().default(true).describe("Whether the hub's own rules follow those of this file"),
  zones: z
    .record(
      Line(120),
      z.strictObject({
        level: z
          .enum(['low', 'medium', 'high'])
          .describe('What asks for approval at all is at least of this class here'),
      }),
    )
    .default({})
    .describe('Areas of devices, with how dangerous they are'),
  rules: z.array(Rule).max(500).default([]).describe('The first that fits counts'),
  interlocks: z
    .array(Hold)
    .max(100)
    .default([])
    .describe('What is refused while something is so, also when the device calls it safe. A stop is not held up'),
  unknown: z
    .enum(['low', 'medium', 'high'])
    .default('low')
    .describe('Class of an intent that no rule names and that is not one of the usual harmless ones'),
  remote: z
    .strictObject({
      hazards: z
        .enum(['refuse', 'allow'])
        .default('refuse')
        .describe('Whether what needs an approval may be asked for, and approved, from outside'),
      networks: z
        .array(z.string().max(60).refine(isNetwork, "must be a network such as '192.168.1.0/24'"))
        .max(50)
        .optional()
        .describe(
          'Who comes from elsewhere, or through a proxy, is remote. Default: private networks and those this machine is in, but not Tailscale',
        ),
    })
    .prefault({})
    .describe('Sessions from outside, told by the address of the connection'),
  resume: z
    .strictObject({
      roles: z.array(z.enum(ROLES)).min(1).default(['safety']).describe('Who may release the shop after a stop'),
      dual: z.boolean().default(true).describe('Two people have to; whoever asks may be one of them'),
    })
    .prefault({})
    .describe('After the global stop'),
  audit: z
    .strictObject({
      anchorFile: z
        .string()
        .min(1)
        .max(1000)
        .optional()
        .describe(
          'File that the signed head of the audit is appended to: on another disk, a share, a stick. Default: audit-heads.jsonl in the data folder',
        ),
      anchorMinutes: z.number().int().min(1).max(1440).default(10).describe('How often'),
    })
    .prefault({})
    .describe('Where the head of the audit is kept besides the database'),
})

export type PolicyFile = z.output<typeof PolicyFile>
export type While = z.output<typeof While>
export type Hold = z.output<typeof Hold>
export type Rule = z.output<typeof Rule>
export type Hours = z.output<typeof Hours>
export type Presence = (typeof PRESENCES)[number]

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

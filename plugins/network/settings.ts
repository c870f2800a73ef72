// The settings of the plugin, each described and with a default.
import { isSiteAddress } from '#hub/plugin'
import { z } from 'zod'
import { SERVICES } from './services.ts'
import { VENDOR_IDS } from './vendors.ts'

const Port = z.number().int().min(1024).max(65_535)

export const Settings = z.strictObject({
  interfaces: z
    .array(z.ipv4().refine(isSiteAddress, 'must be a private address of this machine'))
    .max(16)
    .default([])
    .describe(
      "This machine's own addresses on the networks to search; empty for all private ones. Never a public one, and loopback only when it is named.",
    ),
  services: z
    .array(z.string().regex(/^_[a-z0-9-]{1,15}\._(tcp|udp)$/, "must look like '_ipp._tcp'"))
    .max(64)
    .default(Object.keys(SERVICES))
    .describe('Service types that are looked for by mDNS; empty for no mDNS.'),
  ssdp: z
    .array(z.string().regex(/^[\w.:-]{1,120}$/))
    .max(16)
    .default(['upnp:rootdevice'])
    .describe('Search targets of SSDP; empty for no SSDP.'),
  vendors: z
    .array(z.enum(VENDOR_IDS))
    .max(VENDOR_IDS.length)
    .default([...VENDOR_IDS])
    .describe("Makers that are asked or heard on UDP ports of their own; the plugin's README has the table."),
  pauseMinutes: z
    .number()
    .min(1)
    .max(1440)
    .default(10)
    .describe(
      'Minutes between two searches by SSDP and by makers, a tenth more or less by chance. mDNS keeps the pauses of its RFC: 1, 2, 4 … seconds up to an hour.',
    ),
  most: z.number().int().min(1).max(512).default(256).describe('Found things that are kept at most.'),
  mostOfOne: z
    .number()
    .int()
    .min(1)
    .max(512)
    .default(64)
    .describe(
      'Of these, undecided ones that one address told of; more where a router repeats mDNS from another network.',
    ),
  maxBytes: z
    .number()
    .int()
    .min(512)
    .max(9000)
    .default(9000)
    .describe('Largest datagram that is read, in bytes (RFC 6762 allows 9000).'),
  keepDays: z
    .number()
    .int()
    .min(1)
    .max(365)
    .default(30)
    .describe('Days after which a thing that is gone and that nobody decided about is forgotten.'),
  ports: z
    .partialRecord(z.enum(['mdns', 'ssdp', ...VENDOR_IDS]), Port)
    .default({})
    .describe('Other UDP ports than the usual ones, for tests and for rooms that moved them.'),
})
export type Settings = z.output<typeof Settings>

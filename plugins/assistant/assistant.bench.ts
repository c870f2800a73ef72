// How long a sentence takes to become a command: a whole hub with a hundred devices, 500 sentences over HTTP. node plugins/assistant/assistant.bench.ts
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Principal } from '../../hub/bus/principal.ts'
import { readConfig } from '../../hub/config.ts'
import { parts } from '../../hub/main.ts'
import { ADMIN, environmentIn, hubFolder, ROOT } from '../../hub/testing/hub.ts'
import { outsider } from '../../hub/testing/outsider.ts'

const SENTENCES = 500
const WARM = 100
const PER_SECOND = 20
/** Each may ask a hundred times a minute. */
const VOICES = 10
const PASSWORD = 'staple battery horse'
const LATEST_MS = 5000

const AREAS =
  'Kitchen,Hall,Office,Wood shop,Metal shop,Welding bay,Laser room,Print corner,Yard,Storage,Garage,Attic,Basement,Workbench,Paint booth,Meeting room,Canteen,Laundry,Greenhouse,Garden'.split(
    ',',
  )
const level = { type: 'object', properties: { level: { type: 'number', minimum: 0, maximum: 100 } } }
const KINDS: readonly { word: string; kind: string; intents: Record<string, object> }[] = [
  { word: 'light', kind: 'light', intents: { 'light.turn_on': level, 'light.turn_off': {} } },
  { word: 'fan', kind: 'fan', intents: { 'fan.turn_on': level, 'fan.turn_off': {} } },
  { word: 'socket', kind: 'switch', intents: { 'switch.turn_on': {}, 'switch.turn_off': {} } },
  { word: 'camera', kind: 'camera', intents: { 'camera.show': {} } },
  { word: 'radio', kind: 'media_player', intents: { 'media.play': {}, 'media.set_volume': level } },
]
const FORMS: readonly ((area: string) => string)[] = [
  (area) => `Turn on the light in the ${area}, please.`,
  (area) => `Schalte das Licht im ${area} aus`,
  (area) => `Hey, could you set the ${area} fan to forty percent?`,
  (area) => `It's too warm, run the ${area} fan at half speed.`,
  (area) => `${area} socket off`,
  (area) => `Mach bitte mal die Steckdose ${area} an`,
  (area) => `Put the ${area} camera on the screen`,
  (area) => `Quieter please, ${area} radio to ten percent.`,
]

const dir = hubFolder()
mkdirSync(join(dir, 'plugins/assistant'), { recursive: true })
writeFileSync(
  join(dir, 'plugins/assistant/plugin.ts'),
  `export { default } from ${JSON.stringify(join(ROOT, 'plugins/assistant/plugin.ts'))}\n`,
)
const { up, stop } = await parts(readConfig(environmentIn(dir), dir)).start()
const { bus, web } = up
const bytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
const device = (id: string): Principal => ({ kind: 'device', id, roles: [] })
for (const area of AREAS)
  for (const { word, kind, intents } of KINDS) {
    const id = `${area} ${word}`.toLowerCase().replaceAll(' ', '_')
    bus.publishBytes(device(id), `jarvis/devices/${id}/about`, bytes({ name: `${area} ${word}`, kind, area, intents }))
    bus.publishBytes(device(id), `jarvis/devices/${id}/online`, bytes(true))
  }

const begun = new Map<string, number>()
const took: number[] = []
bus.raw('jarvis/devices/+/cmd', { name: 'bench' }, ({ payload, topic }) => {
  const { id, correlationId = '' } = JSON.parse(payload.toString()) as { id: string; correlationId?: string }
  const from = begun.get(correlationId)
  if (from === undefined) return
  took.push(performance.now() - from)
  begun.delete(correlationId)
  const name = topic.split('/')[2] ?? ''
  bus.publishBytes(device(name), `jarvis/devices/${name}/ack`, bytes({ id, status: 'done' }))
})

let admin = ''
const outside = outsider(`http://127.0.0.1:${web.ports.http}`, 0, () => admin)
admin = await outside.login(ADMIN.username, ADMIN.password)
const voices: string[] = []
for (let n = 0; n < VOICES; n++) {
  await outside.api('/api/people', { json: { username: `voice${n}`, password: PASSWORD, roles: ['operator'] } })
  voices.push(await outside.login(`voice${n}`, PASSWORD))
}

let lost = 0
const started = performance.now()
for (let n = 0; n < SENTENCES + WARM; n++) {
  const correlation = `q${n}`
  const text = FORMS[n % FORMS.length]?.(AREAS[(n * 7) % AREAS.length] ?? '') ?? ''
  begun.set(correlation, performance.now())
  const { status, body } = await outside.api('/api/query', {
    json: { conversationId: `voice${n % VOICES}`, channel: 'voice', input: { text } },
    token: voices[n % VOICES] ?? '',
    headers: { 'x-correlation-id': correlation },
  })
  if (begun.delete(correlation)) {
    lost++
    console.log(`no command: "${text}" ${status} ${JSON.stringify(body).slice(0, 300)}`)
  }
  if (n === WARM - 1) took.length = 0
  const due = started + ((n + 1) * 1000) / PER_SECOND
  if (performance.now() - due > LATEST_MS) throw new Error('This machine cannot keep up with the sentences.')
  while (performance.now() < due)
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())))
}
took.sort((a, b) => a - b)
const at = (share: number): string => (took[Math.floor(took.length * share)] ?? Number.NaN).toFixed(1)
console.log(
  `POST /api/query → cmd, ${AREAS.length * KINDS.length} devices, ${PER_SECOND}/s, ${took.length} of ${SENTENCES} sentences: p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, p99 ${at(0.99)} ms, worst ${at(0.9999)} ms${lost === 0 ? '' : `; ${lost} without a command`}`,
)
await outside.leave()
await stop()
rmSync(dir, { recursive: true, force: true })

// What the attacks stand on: a shop whose gate asks people about its door, and the check that nothing dangerous went out and the audit says who tried.
import { expect } from 'vitest'
import type { Principal } from '../../bus/principal.ts'
import { ada, openShop } from '../approvals/shop.rig.ts'
import type { Gate } from '../gate.ts'
import { settle } from '../gate.rig.ts'
import { verifyAudit } from '../verify.ts'

export type Shop = Awaited<ReturnType<typeof openShop>>

export const unlock = { intent: 'lock.unlock' }
const closing: (() => unknown)[] = []

/** Something to undo after the test. */
export const later = (undo: () => unknown): void => void closing.push(undo)

/** Undoes all of it, the last first. */
export const undo = async (): Promise<void> => {
  for (const close of closing.splice(0).reverse()) await close()
}

/** A shop, its gate, and the door's approval that ada asked for. */
export const asked = async (more: Parameters<typeof openShop>[0] = {}) => {
  const shop = await openShop(more)
  const gate = await shop.open()
  later(() => gate.close())
  const { commandId } = await gate.ask(ada, 'door', unlock)
  const [view] = await gate.safety.approvals({})
  if (view === undefined) throw new Error('nobody is asked')
  const yes = (who: Principal, phrase?: string, digest = view.digest, id = view.id) =>
    gate.safety.answer(who, { id, digest, decision: 'approve', phrase })
  return { shop, gate, view, commandId, yes }
}

/** Nothing that may hurt somebody went out, and the audit has the row. */
export const held = async (shop: Shop, gate: Gate, event: string, who?: string) => {
  await settle()
  await gate.close()
  const dangerous = shop.bus
    .said('devices/{device}/cmd')
    .filter(({ payload }) => ['lock.unlock', 'welder.start', 'heater.start'].includes(payload.intent))
  expect(dangerous).toEqual([])
  const rows = await shop.audited(event)
  expect(rows.length, `no ${event} in the audit`).toBeGreaterThan(0)
  if (who !== undefined) expect(rows.map((row) => row.who)).toContain(who)
  expect((await verifyAudit(shop.db)).ok).toBe(true)
}

// Commands, audit and registry on both databases: what is written comes back as it was, numbers as numbers.
import { expect, test } from 'vitest'
import { eachStore } from '../testing/stores.ts'
import { verifyAudit } from './verify.ts'
import { ada, rig } from './gate.rig.ts'

eachStore('the gate', (openStore) => {
  test('a command, its repeat after a restart, and an intact chain', async () => {
    const store = await openStore()
    const shop = await rig(store.db)
    const before = await shop.open()
    const wish = { intent: 'press.close', payload: { force: 20, note: undefined }, id: 'r1', reason: 'ünïcode' }
    const closing = shop.bus.next('devices/{device}/result', ({ payload }) => payload.id === 'r1')
    expect(await before.ask(ada, 'press', wish)).toMatchObject({ http: 202 })
    shop.ack('press', { id: 'r1', status: 'done' })
    await closing
    expect(await before.ask(ada, 'press', { intent: 'press.open', id: 'r2' })).toMatchObject({ http: 202 })
    await before.close()
    await shop.devices.close()

    const again = await openStore({ again: true })
    const after = await rig(again.db)
    expect(after.devices.ownerOf('press')).toBe('device:press')
    const gate = await after.open()
    expect(gate.open).toBe(1)
    expect(await gate.ask(ada, 'press', wish)).toMatchObject({ status: 'duplicate' })
    expect(after.bus.said('devices/{device}/cmd')).toEqual([])
    const timeout = after.bus.next('devices/{device}/result', ({ payload }) => payload.id === 'r2')
    await after.time.pass(5000)
    expect((await timeout).payload.status).toBe('timeout')
    const commands = await gate.commands({ device: 'press', limit: 10 })
    expect(commands.map(({ commandId, status }) => [commandId, status]).sort()).toEqual([
      ['r1', 'done'],
      ['r2', 'timeout'],
    ])
    expect(commands.find(({ commandId }) => commandId === 'r1')).toMatchObject({
      payload: { force: 20 },
      history: [{ status: 'pending' }, { status: 'dispatched' }, { status: 'done' }],
    })
    await gate.close()
    const verdict = await verifyAudit(again.db)
    expect(verdict.ok).toBe(true)
    expect(verdict.rows).toBeGreaterThan(10)
    await again.db.updateTable('audit').set({ at: 0 }).where('n', '=', 3).execute()
    expect(await verifyAudit(again.db)).toMatchObject({ ok: false, firstBad: { n: 3 } })
    await after.devices.close()
  })

  test('names keep their ids', async () => {
    const store = await openStore()
    const shop = await rig(store.db)
    const id = shop.devices.idFor({ by: 'printers', key: '7', name: 'Press' })
    expect(id).toMatch(/^press_[0-9a-f]{8}$/)
    await shop.devices.close()
    const again = await rig((await openStore({ again: true })).db)
    expect(again.devices.idFor({ by: 'printers', key: '7', name: 'other' })).toBe(id)
    await again.devices.close()
  })
})

// The part of the hub that is the bus: joined to the journal, to rights and owners, to the error bus.
import type { Base } from '../base.ts'
import { no, YES } from '../broker/broker.ts'
import type { SessionStore } from '../broker/sessions/open.ts'
import type { ErrorStore } from '../health/errors-store.ts'
import type { Journal } from '../journal/entry.ts'
import { message } from '../streams/message.ts'
import type { TopicTable } from '../topics/table.ts'
import { openBus } from './open.ts'
import { HUB } from './principal.ts'

interface Above extends Base {
  table: TopicTable
  journal: Journal
  sessions: SessionStore
  errors: ErrorStore
}

export const busPart = ({ config, clock, health, later, table, journal, sessions, errors }: Above) => {
  const bus = openBus({
    table,
    journal,
    clock,
    health,
    journalExcept: config.file.journal.except,
    mayPublish: (who, topic) => later.access?.mayPublish(who, topic) ?? no('the hub is starting'),
    mayOwn: (origin, device) => later.devices?.mayWrite(origin, device) ?? YES,
  })
  bus.restore(sessions.retained())
  health.connect((event, { severity, source }) => {
    errors.add(event)
    bus.publish(HUB, message('errors/{severity}/{source}', { severity, source }, event))
  })
  later.bus = bus
  return bus
}
